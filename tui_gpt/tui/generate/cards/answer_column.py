"""The text of one answer, coloured by the probability of each character if wanted."""

import math
from collections.abc import Sequence
from itertools import repeat

from tui_gpt.tui.generate.notebook import Answer
from tui_gpt.tui.text.passage import Passage

_MIN_PROBABILITIES = ((0.8, "likely-0"), (0.4, "likely-1"), (0.1, "likely-2"), (0.02, "likely-3"))
LIKELY_TONES = ("likely-0", "likely-1", "likely-2", "likely-3", "likely-4")
"""From probable to improbable characters."""


def likely_tone(logprob: float) -> str:
    """Return the tone of a character with this log-probability; `written` where it is unknown (NaN)."""
    if math.isnan(logprob):
        return "written"
    probability = math.exp(min(logprob, 0.0))
    return next((tone for least, tone in _MIN_PROBABILITIES if probability >= least), LIKELY_TONES[-1])


class AnswerColumn:
    """A passage that holds an answer's prompt and text."""

    def __init__(self, answer: Answer, *, show_probabilities: bool) -> None:
        self.answer = answer
        self.passage = Passage()
        self.passage.append(answer.prompt, "prompt")
        self.passage.append(answer.kept + answer.text, "written")
        self._logprobs = list(answer.logprobs)
        self._show_probabilities = show_probabilities
        if show_probabilities:
            self.set_probabilities(True)

    def grow(self, text: str, logprobs: Sequence[float]) -> int:
        """Append generated text; return the first row that changed."""
        start = len(self.passage)
        row = self.passage.append(text, "written")
        self._logprobs.extend(logprobs)
        if self._show_probabilities:
            self.passage.repaint(start, map(likely_tone, logprobs))
        return row

    def shows(self, answer: Answer) -> bool:
        """Return whether the column already looks like `answer`."""
        is_whole = len(self.passage) == len(answer.full)
        return is_whole and self._logprobs[-1:] == list(answer.logprobs[-1:]) and self.answer.given == answer.given

    def set_probabilities(self, shown: bool) -> None:
        """Colour the characters by their probabilities, or not."""
        self._show_probabilities = shown
        start = len(self.answer.prompt)
        plain = repeat("written", len(self.passage) - start)
        self.passage.repaint(start, map(likely_tone, self._logprobs) if shown else plain)

    def highlight(self, starts: Sequence[int], length: int, here: int | None) -> None:
        """Highlight words of `length` characters wherever they begin, and those at `here` more than the others."""
        self.passage.tinted = {
            index: "found-here" if start == here else "found"
            for start in starts
            for index in range(start, start + length)
        }
