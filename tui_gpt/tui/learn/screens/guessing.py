"""Screen 2: what a loss is, and the loss of a machine that knows nothing, ln V."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from textual.content import Content

from tui_gpt.tui.generate.alternatives import percent
from tui_gpt.tui.learn.drawing import Part, bar_of, choices, joined, lines_of, padded
from tui_gpt.tui.learn.page import Direction, LessonPage
from tui_gpt.tui.learn.writing import draw

_PROBABILITIES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.99)
_DRAWN = 1_200
_NAME_CELLS = 24


@dataclass(frozen=True)
class Guess:
    """Two ways to guess, and a text drawn in one of them."""

    equal_loss: float
    frequency_loss: float
    """Nats per character, on the new part of the text."""
    drawn: str


class GuessingPage(LessonPage[Guess]):
    """A probability and its loss, the losses of guessing, and a text of drawn characters."""

    TITLE = "Guessing"
    USES = frozenset({"change", "again", "view"})

    _place = _PROBABILITIES.index(0.1)
    _seed = 1
    _by_frequency = False

    def compute(self) -> Guess:
        """Draw characters, and measure both ways to guess."""
        material = self.material
        weights: Mapping[str, float] = (
            material.frequencies if self._by_frequency else dict.fromkeys(material.tokenizer.characters, 1)
        )
        return Guess(material.guess_loss, material.loss(1), draw(weights, _DRAWN, self._seed))

    def change(self, by: Direction) -> None:
        """Take the next probability."""
        self._place = min(max(0, self._place + by), len(_PROBABILITIES) - 1)
        self.show()

    def again(self) -> None:
        """Draw another text."""
        self._seed += 1
        self.recompute()

    def view(self) -> None:
        """Draw with equal probabilities, or with those of the text."""
        self._by_frequency = not self._by_frequency
        self.recompute()

    def words(self, data: Guess) -> Content:
        """Explain the loss."""
        size = self.material.vocab_size
        return Content.assemble(
            "A language model gives ", ("every possible next character a probability", "bold"), ". Then the real one "
            "comes, and we look at the probability that the model gave it. The ", ("loss", "bold"), " is −ln of that "
            "probability: 0 for a sure hit, large for a character that seemed unlikely. With no knowledge, all "
            f"{size:,} characters get 1/{size:,}, and the loss is ", (f"ln {size:,} = {data.equal_loss:.2f}", "bold"),
            ". A model has learned something if its loss is lower.",
        )  # fmt: skip

    def draw(self, data: Guess, width: int, height: int) -> Content:
        """Draw the losses as bars, and the drawn text."""
        probability = _PROBABILITIES[self._place]
        loss = -math.log(probability)
        kind = "each as often as in the text" if self._by_frequency else "all equally likely"
        text = lines_of(data.drawn, width, max(1, height - 9))
        return joined(
            [
                [("The real character had the probability  ", ""), (f"◂ {percent(probability)} ▸", "bold reverse")],
                self._bar("its loss", loss, width, "$text-accent"),
                [("", "")],
                self._bar("no knowledge", data.equal_loss, width, "$primary"),
                self._bar("knows how often each is", data.frequency_loss, width, "$primary"),
                [(f"{choices(loss)} choices: as unsure as among {choices(loss)} equally likely characters", "dim")],
                [("", "")],
                [(f"Drawn characters, {kind}", "bold")],
                *([(line, "$text-muted")] for line in text),
            ]
        )

    def _bar(self, name: str, loss: float, width: int, style: str) -> list[Part]:
        cells = max(4, min(60, width - _NAME_CELLS - 20))
        figure = f"{loss:5.2f}  {choices(loss):>4} choices "
        most = max(-math.log(_PROBABILITIES[0]), self.material.guess_loss)
        return [padded(name, _NAME_CELLS), (figure, "bold"), (bar_of(loss / most, cells), style)]

    def hint(self) -> str:
        """Return what to try."""
        return (
            "{learn.less} {learn.more}: how does the loss grow as the probability shrinks? {learn.view}: draw by "
            "frequency. {learn.again}: draw again."
        )
