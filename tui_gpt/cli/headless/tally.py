"""How much text was generated, and how much of it is copied from the training text."""

from tui_gpt.formatting import format_duration, format_rate
from tui_gpt.generation.text_model import TextModel
from tui_gpt.metrics import COPIED_LENGTH

_MAX_HELD_PARTS = 1 << 20
"""Most parts of a text, mostly single tokens, held before they are compared with the training text."""


class Tally:
    """Counts generated characters, and the copied ones if a model is given."""

    def __init__(self, model: TextModel | None) -> None:
        self.characters = 0
        self._model = model
        self._parts: list[str] = []
        self._compared = 0
        self._copied = 0.0

    def note(self, part: str) -> None:
        """Count the next characters of the current text."""
        self.characters += len(part)
        if self._model is not None:
            self._parts.append(part)
            if len(self._parts) >= _MAX_HELD_PARTS:
                self.end_text()

    def end_text(self) -> None:
        """Compare what was noted since the last call with the training text."""
        text = "".join(self._parts)
        self._parts.clear()
        fraction = self._model.copied(text) if self._model is not None else None
        if fraction is not None:
            self._compared += len(text)
            self._copied += fraction * len(text)

    def sentence(self, seconds: float) -> str:
        """Return the closing line."""
        rate = format_rate(self.characters / max(seconds, 1e-9))
        line = f"{self.characters:,} characters in {format_duration(seconds)}, {rate}"
        if not self._compared:
            return line
        percentage = f"{self._copied / self._compared:.1%}"
        return f"{line}; {percentage} copied from the training text, in pieces of {COPIED_LENGTH} characters or more"
