"""The tree in columns: the siblings of each node walked through, and at the right the children of the selected one."""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui_gpt.generation.branches import Branch, TokenPath
from tui_gpt.tui.generate.alternatives import percent, spelled
from tui_gpt.tui.generate.probability_tree.tree import Walk
from tui_gpt.tui.text.cells import fitted

COLUMN_CELLS = 16
_NAME_CELLS = 6
_HEAD_ROWS = 1


class TreeColumns(Widget):
    """A walk through a tree. It knows no keys; a click selects a node."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "tree--heading",
        "tree--name",
        "tree--number",
        "tree--walked",
        "tree--here",
    }
    DEFAULT_CSS = """
    TreeColumns {
        height: 1fr;
        min-height: 3;
        & .tree--heading { color: $text-muted; }
        & .tree--name { color: $foreground; text-style: bold; }
        & .tree--number { color: $text-muted; }
        & .tree--walked { color: $text-primary; text-style: bold; }
        & .tree--here { color: $block-cursor-foreground; background: $block-cursor-background; }
    }
    """

    class Selected(Message):
        """A node was clicked."""

        def __init__(self, path: TokenPath) -> None:
            self.path = path
            super().__init__()

    def __init__(self, walk: Walk, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._walk = walk

    @property
    def _first_column(self) -> int:
        """The number of tokens before the leftmost column: the children of the selected node stay in sight."""
        fitting = max(1, self.size.width // COLUMN_CELLS)
        return max(0, len(self._walk.path) + 1 - fitting)

    def _column(self, depth: int) -> Sequence[Branch]:
        """Return the nodes after `depth` tokens of the walk."""
        return self._walk.tree.children(self._walk.path[:depth]) if depth <= len(self._walk.path) else ()

    def _top(self, depth: int) -> int:
        """Return the first row of a column on screen, so that the node walked through is in sight."""
        rows = max(1, self.size.height - _HEAD_ROWS)
        walked = self._walk.path[: depth + 1]
        place = next((k for k, node in enumerate(self._column(depth)) if node.path == walked), 0)
        return max(0, place + 1 - rows)

    def node_at(self, x: int, y: int) -> Branch | None:
        """Return the node at a cell."""
        depth = self._first_column + x // COLUMN_CELLS
        nodes, row = self._column(depth), y - _HEAD_ROWS
        place = row + self._top(depth)
        return nodes[place] if row >= 0 and place < len(nodes) else None

    def on_click(self, event: events.Click) -> None:
        """Post which node was clicked."""
        node = self.node_at(event.x, event.y)
        if node is not None:
            self.post_message(self.Selected(node.path))

    def render_line(self, y: int) -> Strip:
        """Draw a row of every column."""
        segments, first = list[Segment](), self._first_column
        for column in range(max(1, self.size.width // COLUMN_CELLS)):
            depth = first + column
            segments += [
                Segment(text, self.get_component_rich_style(f"tree--{tone}")) for text, tone in self._cell(depth, y)
            ]
        return Strip(segments).adjust_cell_length(self.size.width, self.rich_style)

    def _cell(self, depth: int, y: int) -> list[tuple[str, str]]:
        nodes, place = self._column(depth), y - _HEAD_ROWS + self._top(depth)
        if y < _HEAD_ROWS:
            return [(fitted(f"token {depth + 1}" if nodes else "", COLUMN_CELLS), "heading")]
        if place >= len(nodes):
            return [(" " * COLUMN_CELLS, "number")]
        node = nodes[place]
        name = fitted(spelled(node.text), _NAME_CELLS, to_the_right=True)
        number = f" {percent(node.cumulative):>7}"
        gap = " " * (COLUMN_CELLS - _NAME_CELLS - len(number))
        if node.path == self._walk.path:
            return [(name + number, "here"), (gap, "number")]
        is_walked = node.path == self._walk.path[: len(node.path)]
        return [(name, "walked" if is_walked else "name"), (number + gap, "walked" if is_walked else "number")]
