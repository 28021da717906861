"""Which tokens a set of characters permits, whatever the tokens are: characters, bytes, or sequences of bytes.

A token is permitted if all characters that it completes are, and if the bytes of an incomplete one at its end can
become one. So a text never has a forbidden character, never a byte that is not UTF-8, and never a dead end within a
character.
"""

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from tui_gpt.character_sets import CharacterSet
from tui_gpt.config import SampleConfig
from tui_gpt.generation.steering.partial_characters import decoded, possible_code_points
from tui_gpt.text.any_bytes import bytes_of

Mask = npt.NDArray[np.bool_]


class Vocabulary:
    """The tokens of a model as bytes, and those that `allow` and `forbid` permit."""

    def __init__(self, texts: Sequence[str], config: SampleConfig) -> None:
        self.pieces = tuple(map(bytes_of, texts))
        self._allowed = CharacterSet.parse("allow", config.allow) if config.allow else None
        self._forbidden = CharacterSet.parse("forbid", config.forbid)
        self.permits = cache(self._permits)
        """Return whether a character is permitted."""
        self.permitted = cache(self._permitted)
        """Return the tokens (V,) that are permitted after the bytes of an incomplete character."""
        self._can_begin = cache(self._can_become)

    def _permits(self, character: str) -> bool:
        return (self._allowed is None or character in self._allowed) and character not in self._forbidden

    def _permitted(self, pending: bytes) -> Mask:
        return np.array([self._permits_token(pending + piece) for piece in self.pieces], bool)

    def _permits_token(self, data: bytes) -> bool:
        found = decoded(data)
        if found is None:
            return False
        text, rest = found
        return all(map(self.permits, text)) and (not rest or self._can_begin(rest))

    def _can_become(self, rest: bytes) -> bool:
        return any(self._permits(chr(code)) for codes in self._candidates(rest) for code in codes)

    def _candidates(self, rest: bytes) -> Iterator[range]:
        """Yield code points that begin with these bytes, among them all that `allow` has."""
        codes, allowed = possible_code_points(rest), self._allowed
        if allowed is None or allowed.classes:
            yield codes
        else:
            yield from (range(max(codes.start, first), min(codes.stop, last + 1)) for first, last in allowed.ranges)
