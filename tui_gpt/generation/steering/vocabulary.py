"""Which tokens a set of characters permits, whatever the tokens are: characters, bytes, or sequences of bytes.

A token is permitted if all characters that it completes are, and if the bytes of an incomplete one at its end can
become one. So a text never has a forbidden character, never a byte that is not UTF-8, and never a dead end within a
character.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

from tui_gpt.character_sets import CharacterSet
from tui_gpt.config import SampleConfig
from tui_gpt.generation.steering.partial_characters import decoded, possible_code_points
from tui_gpt.text.any_bytes import bytes_of

Mask = npt.NDArray[np.bool_]

_END_OF_CLASSES = 0x40000
"""No code point from here on is a letter, a digit, a sign or white space."""


@dataclass(frozen=True)
class PermittedCharacters:
    """The characters of one set, or all, that are not in another one."""

    allowed: CharacterSet | None
    forbidden: CharacterSet

    @classmethod
    def of(cls, config: SampleConfig) -> "PermittedCharacters":
        """Return those of a config."""
        allowed = CharacterSet.parse("allow", config.allow) if config.allow else None
        return cls(allowed, CharacterSet.parse("forbid", config.forbid))

    def __contains__(self, character: str) -> bool:
        return (self.allowed is None or character in self.allowed) and character not in self.forbidden

    def code_points(self, beginning: bytes) -> Iterator[range]:
        """Yield code points whose UTF-8 begins with these bytes, among them all that are in the set."""
        codes = possible_code_points(beginning)
        if self.allowed is None:
            yield codes
            return
        for first, last in self.allowed.ranges:
            yield range(max(codes.start, first), min(codes.stop, last + 1))
        if self.allowed.classes:
            yield range(codes.start, min(codes.stop, _END_OF_CLASSES))


@lru_cache(4096)
def can_begin(characters: PermittedCharacters, beginning: bytes) -> bool:
    """Return whether one of the characters begins with these bytes; up to a tenth of a second."""
    return any(chr(code) in characters for codes in characters.code_points(beginning) for code in codes)


class Vocabulary:
    """The tokens of a model as bytes, and those that `allow` and `forbid` permit."""

    def __init__(self, texts: Sequence[str], config: SampleConfig) -> None:
        self.pieces = tuple(map(bytes_of, texts))
        self._characters = PermittedCharacters.of(config)
        self.permits = cache(self._characters.__contains__)
        """Return whether a character is permitted."""
        self.permitted = cache(self._permitted)
        """Return the tokens (V,) that are permitted after the bytes of an incomplete character."""

    def _permitted(self, pending: bytes) -> Mask:
        return np.array([self._permits_token(pending + piece) for piece in self.pieces], bool)

    def _permits_token(self, data: bytes) -> bool:
        found = decoded(data)
        if found is None:
            return False
        text, rest = found
        return all(map(self.permits, text)) and (not rest or can_begin(self._characters, rest))
