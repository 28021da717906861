"""Screen 8: with too little text, a model learns it word by word: over-fitting and recitation."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content

from tui_gpt.metrics import COPIED_LENGTH
from tui_gpt.prior.novelty import CopyIndex
from tui_gpt.text.tokenizer import CharTokenizer
from tui_gpt.tui.generate.alternatives import percent
from tui_gpt.tui.learn.drawing import Part, joined, visible
from tui_gpt.tui.learn.small_training import Exercise
from tui_gpt.tui.learn.training_page import TrainingPage
from tui_gpt.tui.text.wrap import Wrapped, glyphs

_AMOUNTS = (1_000, 10_000, 100_000)
_NEW = 4_000


@dataclass(frozen=True)
class Portion:
    """The text that the model may see."""

    text: str
    new: str
    index: CopyIndex
    """Its passages."""


class OverFittingPage(TrainingPage[Portion]):
    """A small transformer is trained on very little text, and its own text is compared with it."""

    TITLE = "Over-fitting and recitation"
    VARIANTS = len(_AMOUNTS)
    SOURCE = "large models recite, too: N. Carlini and others, arXiv 2012.07805"

    def compute(self) -> Portion:
        """Take the beginning of the text, and note all its passages."""
        text = self.material.counted[: _AMOUNTS[self.variant]]
        return Portion(text, self.material.new[:_NEW], CopyIndex([self.material.tokenizer.lookup(text)]))

    def exercise(self) -> Exercise:
        """Return a training on the chosen amount of text."""
        assert self.data is not None
        return Exercise(self.data.text, self.data.new)

    def words(self, data: Portion) -> Content:
        """Explain over-fitting."""
        return Content.assemble(
            "A small loss on the text of the training proves little: the model may have learned that text word by "
            "word. So a part of the text is kept away from training, and the loss there (●) counts. Here it sees only ",
            (f"{len(data.text):,} characters", "bold"),
            ", again and again. When the loss on new text rises while the other one falls, it is ",
            ("over-fitting", "bold"),
            f". What it recites, at least {COPIED_LENGTH} characters in a row, is ",
            ("marked", "reverse"),
            ".",
        )

    def variant_words(self) -> Content:
        """Return the amounts of text."""
        parts: list[Part] = ["characters to learn from  "]
        for number, amount in enumerate(_AMOUNTS):
            result = self.results.get(number)
            losses = f" → {result[0]:.2f}, new {result[1]:.2f}" if result is not None else ""
            parts += [(f" {amount:,}{losses} ", "reverse" if number == self.variant else "dim"), " "]
        return Content.assemble(*parts)

    def draw(self, data: Portion, width: int, height: int) -> Content:
        """Draw the newest text of the model, with what it recites."""
        sample, status = self.sample, self.status()
        if status or sample is None:
            return Content.assemble((status or "The text of the model will be here.", "dim"))
        text = sample.text.strip("\n")
        recited = _recited(data.index, self.material.tokenizer, text)
        fraction = sum(recited) / max(1, len(recited))
        heading: list[Part] = [
            (f"What the model writes after step {sample.step:,}: ", "bold"),
            (f"{percent(fraction)} recited", "bold $text-accent"),
        ]
        return joined([heading, *_marked(text, recited, width, max(1, height - 1))])

    def hint(self) -> str:
        """Return what to try."""
        if self.is_training:
            return "Watch the two losses part, and the marked passages grow. {learn.again}: stop."
        if self.results:
            return (
                self.cut_short
                + "{learn.less} {learn.more}: ten times the text, then {learn.again}. What helps against over-fitting?"
            )
        return "{learn.again}: start the training on this little text. It ends by itself in about half a minute."


def _recited(index: CopyIndex, tokenizer: CharTokenizer, text: str) -> list[bool]:
    """Return for each character whether it is part of a passage of the trained text."""
    recited = [False] * len(text)
    for at, is_copied in enumerate(index.copied_passages(tokenizer.lookup(text)).tolist()):
        if is_copied:
            recited[at : at + index.length] = [True] * index.length
    return recited


def _marked(text: str, recited: Sequence[bool], width: int, most: int) -> list[list[Part]]:
    """Return the lines of a text in which recited characters are reversed."""
    wrapped = Wrapped(glyphs(text.replace("\n", visible("\n"))), max(2, width))
    spans = [wrapped.span(row) for row in range(min(most, len(wrapped)))]
    return [[(wrapped.text[at], "reverse" if recited[at] else "") for at in range(*span)] for span in spans]
