"""Screen 5: the transformer, and where it looks, seen in the text."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from textual.content import Content

from tui_gpt.config import DEFAULT_CORPUS
from tui_gpt.errors import TuiGptError
from tui_gpt.tui.generate.alternatives import percent, spelled
from tui_gpt.tui.learn.drawing import Part, bar_of, joined, padded, visible
from tui_gpt.tui.learn.page import Direction, LessonPage
from tui_gpt.tui.text.wrap import Wrapped, glyphs
from tui_gpt.tui.threads import in_background

_LONGEST = 300
_LEVELS = (0.03, 0.1, 0.25, 0.6)
"""Fractions of the largest weight from which on a character is coloured more strongly."""
_STYLES = ("dim", "", "on $accent 35%", "bold on $accent 65%", "bold reverse")
_SHOWN = 4


@dataclass(frozen=True)
class Glance:
    """What the model does with the text up to the cursor."""

    text: str
    cursor: int
    """The index of the last character that the model has read."""
    weights: Sequence[float]
    """For each character up to the cursor, how much of the attention it gets; they add up to at most 1."""
    likely: Sequence[tuple[str, float]]
    """The most likely next tokens."""
    layers: int
    heads: int
    networks: int
    """How many networks the model has; a head alone belongs to the first of them."""


class AttentionPage(LessonPage[Glance]):
    """A text whose characters are coloured by the attention they get, and what the model predicts."""

    TITLE = "The transformer looks back"
    USES = frozenset({"change", "choose", "view", "type"})
    PLACEHOLDER = "a text of your own"
    SOURCE = "A. Vaswani and others, Attention Is All You Need, 2017"

    _cursor: int | None = None
    _part = 0
    """0 for the mean of all heads, else a head, counted through all layers."""
    _parts = 1
    _skips_first = True

    def compute(self) -> Glance:
        """Let the model predict what comes after the cursor."""
        material = self.material
        text = self.typed[-_LONGEST:] or material.passage(0.2, _LONGEST)
        start = len(text) - 1 if self.typed else 2 * len(text) // 3
        cursor = start if self.typed or self._cursor is None else self._cursor
        found = material.explain(text[: cursor + 1])
        networks, layers, heads, _ = found.attention.weights.shape
        self._parts, self._cursor = 1 + layers * heads, cursor
        layer, head = divmod(self._part - 1, heads) if self._part else (None, None)
        weights = [0.0] * (cursor + 1)
        network = 0 if self._part else None
        means = found.attention.mean(layer, head, network, skip_first=self._skips_first).tolist()
        for (start, end), weight in zip(found.attention.places, means, strict=True):
            for at in range(start, end):
                weights[at] += weight / (end - start)
        likely = [(found.texts[token], float(found.probs[token])) for token in found.most_likely(_SHOWN)]
        return Glance(text, cursor, weights, likely, layers, heads, networks)

    def change(self, by: Direction) -> None:
        """Move the cursor."""
        if self.data is not None:
            self._cursor = min(max(1, self.data.cursor + by), len(self.data.text) - 1)
            self.typed = ""
            self.recompute()

    def choose(self, by: Direction) -> None:
        """Choose another head, or the mean of all."""
        self._part = (self._part + by) % self._parts
        self.recompute()

    def view(self) -> None:
        """Show or hide the first character, on which many heads rest."""
        self._skips_first = not self._skips_first
        self.recompute()

    def words(self, data: Glance) -> Content:
        """Explain attention."""
        ensemble = f"is the mean of {data.networks} networks; each " if data.networks > 1 else ""
        return Content.assemble(
            "A transformer needs no exact repetition. For each prediction it decides how strongly to look at each "
            "earlier character: ",
            ("attention", "bold"),
            f". Where to look was learned in training. The model that comes with this program {ensemble}looks "
            f"{data.layers * data.heads} times per character: {data.layers} layers of {data.heads} heads. It also gets "
            "the counts as an input. ",
            self._comparison(),
        )

    def _comparison(self) -> str:
        """Return the losses of model and counts, once they have been computed."""
        if self.material.measured is None:
            return "Its loss on new text is being computed …"
        model, counts = self.material.measured
        other = "" if self.material.source == DEFAULT_CORPUS else " (it was trained on another text)"
        return f"Loss on a passage of new text: {model:.2f}{other}, counts alone {counts:.2f}."

    def show(self) -> None:
        """Show what is known, then compute the losses."""
        super().show()
        if self.material.measured is None:
            self.run_in_background(self._measure, "losses")

    async def _measure(self) -> None:
        with suppress(TuiGptError):
            await in_background(self.material.measure)
            self.show()

    def draw(self, data: Glance, width: int, height: int) -> Content:
        """Draw the text up to the cursor and what follows, and the likely next characters."""
        below = self._prediction(data, width)
        rows = max(2, height - len(below) - 2)
        return joined([[(self._part_name(data), "bold")], *self._text_lines(data, width, rows), [""], *below])

    def _part_name(self, data: Glance) -> str:
        if not self._part:
            return "All heads together (mean)"
        layer, head = divmod(self._part - 1, max(1, data.heads))
        network = f", network 1 of {data.networks}" if data.networks > 1 else ""
        return f"Layer {layer + 1} of {data.layers}, head {head + 1} of {data.heads}{network}"

    def _text_lines(self, data: Glance, width: int, rows: int) -> list[list[Part]]:
        """Return the lines around the cursor."""
        wrapped = Wrapped(glyphs(data.text.replace("\n", visible("\n"))), max(2, width))
        spans = [wrapped.span(row) for row in range(len(wrapped))]
        here = next((row for row, (start, end) in enumerate(spans) if start <= data.cursor < end), 0)
        first = max(0, min(here - rows + 2, len(spans) - rows))
        most = max(data.weights, default=0.0) or 1.0
        return [
            [(wrapped.text[at], self._style(data, at, most)) for at in range(*span)]
            for span in spans[first : first + rows]
        ]

    @staticmethod
    def _style(data: Glance, at: int, most: float) -> str:
        if at > data.cursor:
            return "$text-disabled"
        mark = " underline" if at == data.cursor else ""
        return _STYLES[sum(data.weights[at] / most >= level for level in _LEVELS)] + mark

    def _prediction(self, data: Glance, width: int) -> list[list[Part]]:
        after = data.text[data.cursor + 1 : data.cursor + 2]
        is_real = f" (really: {spelled(after)})" if after else ""
        lines: list[list[Part]] = [[(f"Next after {spelled(data.text[data.cursor])}{is_real}", "bold")]]
        for token, probability in data.likely:
            name = padded(spelled(token), 8)
            style = "$text-accent" if token == after else "$primary"
            lines.append(
                [name, f"{percent(probability):>6} ", (bar_of(probability, max(4, min(50, width - 20))), style)]
            )
        return lines

    def hint(self) -> str:
        """Return what to try."""
        first = "show" if self._skips_first else "hide"
        return (
            "{learn.less} {learn.more}: move through the text. {learn.above} {learn.below}: one head alone; what does "
            f"it look at? {{learn.view}}: {first} the first character. {{learn.type}}: your text."
        )
