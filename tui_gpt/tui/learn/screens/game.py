"""The game: the reader guesses the next character of new text, as in Shannon's experiment, against counts and model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content

from tui_gpt.tui.generate.alternatives import percent, spelled
from tui_gpt.tui.learn.drawing import Part, bar_of, joined, lines_of, padded, visible
from tui_gpt.tui.learn.guess_score import GuessScore
from tui_gpt.tui.learn.material import Material
from tui_gpt.tui.learn.page import LessonPage
from tui_gpt.tui.learn.rivals import Prediction, predictions

_CONTEXT, _LENGTH = 150, 250
_ROUND_PLACES = (0.1, 0.35, 0.6, 0.85, 0.22, 0.47, 0.72, 0.97, 0.05)
"""Where in the new text the rounds are."""
_NAME_CELLS = 30


@dataclass(frozen=True)
class Round:
    """A passage, and what the rivals know about it."""

    passage: str
    predictions: Sequence[Prediction]
    """Of the characters after the first `_CONTEXT`."""


class GamePage(LessonPage[Round]):
    """A passage of which the reader sees the beginning."""

    TITLE = "Guess the next character"
    USES = frozenset({"again", "view"})
    SOURCE = "C. E. Shannon, Prediction and Entropy of Printed English, 1951"

    def __init__(self, material: Material) -> None:
        super().__init__(material)
        self._round = 0
        self.is_playing = False
        self.position = 0
        """How many characters of the round have been found."""
        self.wrong: list[str] = []
        """Wrong guesses of the present character."""
        self.last = ""
        """What happened with the last character."""
        self._forget()

    def _forget(self) -> None:
        """Begin to count again."""
        self.reader: GuessScore | None = None
        self.model_guesses: GuessScore | None = None
        self.model_bits = self.counts_bits = 0.0

    def compute(self) -> Round:
        """Let the model and the counts predict a passage."""
        material = self.material
        passage = material.passage(_ROUND_PLACES[self._round % len(_ROUND_PLACES)], _LENGTH)
        return Round(passage, predictions(material, passage, min(_CONTEXT, len(passage) // 2)))

    # Playing

    @property
    def is_typing(self) -> bool:
        """Whether a key is a guess."""
        return self.is_playing

    def again(self) -> None:
        """Begin to guess."""
        if self.data is not None:
            self.is_playing = True
            self.show()

    def stop_typing(self) -> None:
        """Pause the game."""
        self.is_playing = False
        self.show()

    def view(self) -> None:
        """Take another passage, with a new score."""
        self._round += 1
        self.position, self.wrong, self.last = 0, [], ""
        self._forget()
        self.recompute()

    def on_key(self, event: events.Key) -> None:
        """Take a key as a guess: a character, Enter for the end of a line, Tab to give up."""
        if not self.is_playing or self.data is None:
            return
        character = "\n" if event.key == "enter" else event.character
        if event.key == "tab":
            event.stop()
            event.prevent_default()
            self._give_up()
        elif character is not None and (event.is_printable or character == "\n"):
            event.stop()
            event.prevent_default()
            self.guess(character)

    @property
    def _target(self) -> Prediction | None:
        if self.data is None or self.position >= len(self.data.predictions):
            return None
        return self.data.predictions[self.position]

    def guess(self, character: str) -> None:
        """Check a guess."""
        target = self._target
        if target is None or character in self.wrong or character not in self.material.tokenizer.characters:
            return
        if character == target.character:
            reader, _ = self._scores()
            self._found(target, reader.add(len(self.wrong) + 1), f"found with guess {len(self.wrong) + 1}")
        else:
            self.wrong.append(character)
        self.show()

    def _give_up(self) -> None:
        target = self._target
        if target is not None:
            reader, _ = self._scores()
            wrong = len(self.wrong)
            self._found(target, reader.give_up(wrong), f"not found with {wrong} guesses")
        self.show()

    def _found(self, target: Prediction, bits: float, how: str) -> None:
        _, model = self._scores()
        model.add(target.rank) if target.rank is not None else model.give_up(target.guesses)
        self.model_bits += target.model_bits
        self.counts_bits += target.counts_bits
        self.last = (
            f"{spelled(target.character)} {how}: {bits:.1f} bits. The model gave it {percent(2**-target.model_bits)}."
        )
        self.position += 1
        self.wrong = []
        if self._target is None:
            self.is_playing = False

    def _scores(self) -> tuple[GuessScore, GuessScore]:
        """Return the scores of the reader and of the model's guesses, which begin with the first character."""
        size = self.material.vocab_size
        self.reader = self.reader or GuessScore(size)
        self.model_guesses = self.model_guesses or GuessScore(size)
        return self.reader, self.model_guesses

    # Content

    def words(self, data: Round) -> Content:
        """Explain the game and how it is scored."""
        del data
        return Content.assemble(
            "Guess the next character of a text that neither counts nor model have seen. As Shannon did in 1951, we "
            "count your guesses: a twin of yours could restore the text from these numbers alone, and needs ",
            ("bits", "bold"),
            " for them. A number of guesses that you often need costs few bits, a rare one many. A bit is one "
            "yes-or-no question; blind guessing costs ",
            (f"{self.material.guess_loss / math.log(2):.2f}", "bold"),
            " per character. A model costs −log₂ of the probability that it gave.",
        )

    def draw(self, data: Round, width: int, height: int) -> Content:
        """Draw the passage up to the character to guess, and the score."""
        score = self._score(width)
        rows = max(2, height - len(score) - 4)
        known = data.passage[: len(data.passage) - len(data.predictions) + self.position]
        lines = lines_of(known, width - 2, 10_000)[-rows:]
        parts: list[list[Part]] = [[(line, "$foreground")] for line in lines[:-1]]
        parts.append([(lines[-1] + (" " if known[-1:] == " " else ""), "$foreground"), ("?", "bold reverse")])
        tried = " ".join(visible(character) for character in self.wrong)
        return joined([*parts, [(f"not: {tried}" if tried else "", "$text-error")], [(self.last, "dim")], [""], *score])

    def _score(self, width: int) -> list[list[Part]]:
        if self.reader is None or self.model_guesses is None:
            return [["Your score will be here."]]
        count = self.reader.characters
        rows = {
            f"you ({percent(self.reader.found_at_once)} at once)": self.reader.bits_per_character,
            f"model's guesses ({percent(self.model_guesses.found_at_once)})": self.model_guesses.bits_per_character,
            "model's probabilities": self.model_bits / count,
            "counts (n-grams)": self.counts_bits / count,
        }
        most = max(*rows.values(), 1.0)
        cells = max(4, min(40, width - _NAME_CELLS - 8))
        heading: list[Part] = [(f"Bits per character after {count} characters (fewer is better)", "bold")]
        return [heading, *self._bars(rows, most, cells)]

    @staticmethod
    def _bars(rows: dict[str, float], most: float, cells: int) -> list[list[Part]]:
        return [
            [padded(name, _NAME_CELLS), (f"{bits:5.2f} ", "bold"), (bar_of(bits / most, cells), "$primary")]
            for name, bits in rows.items()
        ]

    def hint(self) -> str:
        """Return what to try."""
        if self.is_playing:
            return (
                "Type your guess until it is right. Enter: the end of a line. Tab: give up. {learn.stop_typing}: pause."
            )
        if self._target is None:
            return "The passage is finished. {learn.view}: another one. {learn.train}: train a model of your own."
        return (
            "{learn.again}: play. After 20 characters the score begins to mean something. {learn.view}: another text."
        )
