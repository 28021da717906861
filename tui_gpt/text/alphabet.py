"""Collect the distinct characters of a text that comes in pieces."""

import numpy as np

from tui_gpt.text.characters import code_points

_CODE_POINTS = 0x110000
_CHUNK = 1 << 15
"""Characters looked at at a time: most chunks of a text with a few special characters are ASCII."""


class Alphabet:
    """The characters seen so far."""

    def __init__(self) -> None:
        self._missing_ascii = bytes(range(128))
        self._has_code = np.zeros(_CODE_POINTS, bool)

    def add(self, text: str) -> None:
        """Add the characters of a piece."""
        for at in range(0, len(text), _CHUNK):
            chunk = text[at : at + _CHUNK]
            if chunk.isascii():
                self._missing_ascii = self._missing_ascii.translate(None, chunk.encode("ascii"))
            else:
                self._has_code[code_points(chunk)] = True

    def characters(self) -> str:
        """Return all of them, in code point order."""
        self._has_code[list(set(range(128)) - set(self._missing_ascii))] = True
        return "".join(map(chr, np.flatnonzero(self._has_code)))
