"""Screen 6: a training, live: the loss falls, and the text of the model gets better."""

from dataclasses import dataclass

from textual.content import Content

from tui_gpt.formatting import format_count
from tui_gpt.tui.learn.drawing import Part, joined, lines_of
from tui_gpt.tui.learn.small_training import Exercise
from tui_gpt.tui.learn.training_page import TrainingPage

_RATES = ((0.02, "good"), (0.0005, "much too small"), (10.0, "much too large"))
_NEW = 8_000
"""Characters of new text for the validation loss."""


@dataclass(frozen=True)
class Texts:
    """What is trained on."""

    counted: str
    new: str
    pairs_loss: float


class LiveTrainingPage(TrainingPage[Texts]):
    """A small transformer is trained; the learning rate can be chosen."""

    TITLE = "Training"
    VARIANTS = len(_RATES)
    SOURCE = "on what training a model oneself changes: M. Tedre and N. Pope, arXiv 2601.21631"

    def compute(self) -> Texts:
        """Read the text, and count the pairs to compare with."""
        return Texts(self.material.counted, self.material.new[:_NEW], self.material.loss(2))

    def exercise(self) -> Exercise:
        """Return a training with the chosen learning rate."""
        assert self.data is not None
        return Exercise(self.data.counted, self.data.new, _RATES[self.variant][0])

    def words(self, data: Texts) -> Content:
        """Explain training."""
        started = self.training.record.started if self.training is not None else None
        size = f"{format_count(started.parameters)} " if started is not None else "many "
        return Content.assemble(
            "There are no rules of language in a transformer. It begins with ",
            (f"{size}random numbers", "bold"),
            ", and its loss is that of guessing. Then, again and again: take some pieces of the text, compute the "
            "loss, and move every number a little in the direction in which the loss falls. How far it moves "
            "is set by the ",
            ("learning rate", "bold"),
            f". Watch when its loss passes that of pairs, {data.pairs_loss:.2f}, and what it writes then.",
        )

    def variant_words(self) -> Content:
        """Return the learning rates."""
        parts: list[Part] = ["learning rate  "]
        for number, (rate, name) in enumerate(_RATES):
            result = self.results.get(number)
            loss = f" → {result[1]:.2f}" if result is not None else ""
            parts += [(f" {rate:g} {name}{loss} ", "reverse" if number == self.variant else "dim"), " "]
        return Content.assemble(*parts)

    def draw(self, data: Texts, width: int, height: int) -> Content:
        """Draw the newest text of the model."""
        del data
        sample, status = self.sample, self.status()
        if status or sample is None:
            return Content.assemble((status or "The text of the model will be here.", "dim"))
        heading: list[Part] = [(f"What the model writes after step {sample.step:,}", "bold")]
        text = (sample.prompt + sample.text).lstrip("\n")
        return joined([heading, *([(line, "$foreground")] for line in lines_of(text, width, max(1, height - 1)))])

    def hint(self) -> str:
        """Return what to try."""
        if self.is_training:
            if self.variant:
                return "Compare with the good learning rate: does the loss fall below pairs? {learn.again}: stop."
            return "Read the text while the loss falls: first spaces, then words, then names. {learn.again}: stop."
        if self.results:
            return (
                self.cut_short
                + "{learn.less} {learn.more}: another learning rate, then {learn.again}. What does too large a one do?"
            )
        return "{learn.again}: start the training. It takes about half a minute, and ends by itself."
