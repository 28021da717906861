"""The probability tree: the most likely continuations of a text, walked with the arrow keys."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Static

from tui_gpt.control import Control
from tui_gpt.escaping import escape_controls, spell_bytes
from tui_gpt.generation.branches import Level, TokenPath, TreeShape, is_whole, spread_logprobs
from tui_gpt.session import SessionLike
from tui_gpt.tui.app.key_footer import KeyFooter
from tui_gpt.tui.generate.alternatives import percent, spelled
from tui_gpt.tui.generate.background import LatestTask, OpenModels, model_words
from tui_gpt.tui.generate.desk_screen import DeskScreen
from tui_gpt.tui.generate.probability_tree.tree import ProbabilityTree, Walk
from tui_gpt.tui.generate.probability_tree.tree_columns import TreeColumns
from tui_gpt.tui.keys import key_binding
from tui_gpt.tui.text.tail import in_a_row, tail_rows

DEFAULT_DEPTH, DEPTHS = 6, range(4, 9)
"""Tokens that are computed ahead of the root, and of a node that is entered."""
_LIKELY_ROWS = 5


@dataclass(frozen=True)
class Walked:
    """The text that was walked through."""

    text: str
    logprobs: tuple[float, ...]
    """Log-probability (natural) of each character."""


Found = tuple[str, Level]
"""The name of the model, and a level below the node of a request."""


class TreeScreen(DeskScreen[Walked | None]):
    """Dismissed with the text walked through, to generate from; None leaves everything as it was."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("probability_tree.enter", "enter", "Into, out", key_display="→←"),
        key_binding("probability_tree.leave", "leave", "Out", show=False),
        key_binding("probability_tree.above", "move(-1)", "Sibling", key_display="↑↓"),
        key_binding("probability_tree.below", "move(1)", "Sibling", show=False),
        key_binding("probability_tree.accept", "accept", "Generate", key_display="⏎"),
        key_binding("probability_tree.deeper", "deepen(1)", "Depth", key_display="+-"),
        key_binding("probability_tree.shallower", "deepen(-1)", "Depth", show=False),
        key_binding("probability_tree.back", "dismiss(None)", "Back", key_display="esc"),
        key_binding("app.help", "help", "Help", key_display="F1"),
    ]

    def __init__(self, session: SessionLike, source: str | None, text: str) -> None:
        """Show the continuations of `text` by the model `source`, see `SessionLike.open_model`."""
        super().__init__()
        self._source, self._text = source, text
        self._models = OpenModels(session)
        self._latest = LatestTask[TokenPath, Found](
            self._compute,
            lambda path, found: self.call_later(self._show, path, found),
            lambda _, sentence: self.call_later(self._show_error, sentence),
        )
        self.depth = DEFAULT_DEPTH
        self.nodes = ProbabilityTree()
        self.walk = Walk(self.nodes)
        self._model = ""
        self._error = ""
        self._enters: TokenPath | None = None
        """The node whose children are to be entered when they have been computed."""

    def compose(self) -> ComposeResult:
        """Lay out text, columns and the most likely continuations."""
        self.set_size_classes()
        yield from self.title_row(
            "probability tree",
            ("Generate", "probability_tree.accept", "accept"),
            ("Back", "probability_tree.back", "dismiss(None)"),
        )
        with Vertical(classes="desk"):
            yield Static(id="walk-text", markup=False)
            yield Static("computing …", id="walk-summary", markup=False)
            yield TreeColumns(self.walk)
            yield Static(id="walk-likely", markup=False)
        yield KeyFooter(show_command_palette=False)

    def on_mount(self) -> None:
        """Compute the tree."""
        self.leave_buttons_to_the_mouse()
        self.set_focus(None)
        self._draw()
        self._latest.request(())

    def on_unmount(self) -> None:
        """Stop computing."""
        self._latest.cancel()

    def _compute(self, path: TokenPath, control: Control) -> Iterator[Found]:
        """Yield the levels below a node, in a thread."""
        model = self._models.open(self._source)
        for level in model.continuations(self._text, TreeShape(self.depth), control, path=path):
            yield model_words(model, self._text), level

    def _show(self, path: TokenPath, found: Found) -> None:
        self._model, level = found
        self.nodes.add(path, level)
        self.walk.begin()
        if self._enters is not None and self.nodes.children(self._enters):
            self.walk.enter()
            self._enters = None
        self._draw()

    def _show_error(self, sentence: str) -> None:
        self._error = sentence
        self._draw()

    # Keys

    def action_enter(self) -> None:
        """Move to the most likely child; compute the children first where they are not known."""
        if not self.walk.path:
            return
        if not self.walk.enter():
            self._enters = self.walk.path
            self._latest.request(self.walk.path)
        self._draw()

    def action_leave(self) -> None:
        """Move to the parent."""
        self.walk.leave()
        self._moved()

    def action_move(self, by: int) -> None:
        """Move to a sibling."""
        self.walk.select_sibling(by)
        self._moved()

    def action_deepen(self, by: int) -> None:
        """Compute more or fewer tokens ahead."""
        depth = min(max(self.depth + by, DEPTHS[0]), DEPTHS[-1])
        if depth != self.depth:
            self.depth = depth
            self.nodes = self.walk.tree = ProbabilityTree()
            self.walk.path, self._enters = (), None
            self._latest.request(())
            self._draw()

    def action_accept(self) -> None:
        """Generate from the text walked through."""
        text = self.walk.text
        if not is_whole(text):
            self.notify("A part of a character cannot be the beginning of a text: walk to a whole one.")
        elif text:
            nodes = [self.nodes.node(self.walk.path[: n + 1]) for n in range(len(self.walk.path))]
            tokens = [(node.text, node.logprob) for node in nodes if node is not None]
            self.dismiss(Walked(text, spread_logprobs(tokens)))

    @on(TreeColumns.Selected)
    def _selected(self, event: TreeColumns.Selected) -> None:
        is_again = event.path == self.walk.path
        self.walk.select(event.path)
        self._moved()
        if is_again:
            self.action_enter()

    def _moved(self) -> None:
        """Compute what follows the selected node if it is not known, once the tree is complete."""
        self._enters = None
        if self.nodes.depth == self.depth and not self.nodes.children(self.walk.path):
            self._latest.request(self.walk.path)
        self._draw()

    # Drawing

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        width = max(8, self.size.width - 4)
        rows = 1 if self.has_class("-tiny") else 2
        self.query_one("#walk-text", Static).update(self._text_line(width, rows))
        self.query_one("#walk-summary", Static).update(self._summary())
        self.query_one("#walk-likely", Static).update(self._likely())
        self.query_one(TreeColumns).refresh()

    def _text_line(self, width: int, rows: int) -> Text:
        """Return the end of the text, with the text walked through in another style."""
        return tail_rows([(self._text, "dim"), (spell_bytes(self.walk.text), "bold reverse")], width, rows)

    def _summary(self) -> Text:
        if self._error:
            return Text(f"✗ {escape_controls(self._error)}")
        node = self.nodes.node(self.walk.path)
        if node is None:
            return Text("computing …")
        tokens = "1 token" if len(node.path) == 1 else f"{len(node.path)} tokens"
        parts = [
            f"{percent(node.cumulative)} for {tokens} ({self.walk.bits:.1f} bits)",
            f"{spelled(node.text)} alone {percent(node.probability)}",
            f"{self._model}, depth {self.depth}",
        ]
        if math.isfinite(self.nodes.missed):
            parts.append(f"all above {percent(math.exp(self.nodes.missed))} are shown")
        return Text(" · ".join(parts), no_wrap=True, overflow="ellipsis")

    def _likely(self) -> Text:
        """Return the most likely continuations of the selected node."""
        text = Text("most likely from here", "dim", no_wrap=True, overflow="ellipsis")
        walked = self.walk.text if is_whole(self.walk.text) else ""
        rows = _LIKELY_ROWS * (3 if self.has_class("-tall") else 1)
        for node in self.nodes.most_likely_below(self.walk.path, rows):
            words = in_a_row(self.nodes.text(node.path)[len(walked) :])
            text.append(f"\n{percent(node.cumulative):>7}  ", "dim").append(words, "bold")
        return text
