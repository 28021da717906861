"""Where the tokens of a text are in it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tui_gpt.generation.weights import Ints
from tui_gpt.text.any_bytes import bytes_of

Place = tuple[int, int]
"""The range of characters of a text that a token belongs to. A token that is a part of a character has that character's
range, as have its other parts."""


class TokenPlaces:
    """Finds the places of tokens, given the text of every token."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._sizes = np.array([len(bytes_of(text)) for text in texts])

    def places(self, text: str, tokens: Ints, unknown: str) -> tuple[Place, ...]:
        """Return the place in `text` of each of its last tokens (n,); the characters in `unknown` have no token.

        (0, 0) for tokens that are not in the text, which an empty one has.
        """
        ends = np.cumsum(self._sizes[tokens])
        owners = _owners_of_bytes(text, unknown)[-ends[-1] :]
        if len(owners) < ends[-1]:
            return ((0, 0),) * len(tokens)
        starts = owners[ends - self._sizes[tokens]]
        return tuple(zip(starts.tolist(), (owners[ends - 1] + 1).tolist(), strict=True))


def _owners_of_bytes(text: str, unknown: str) -> Ints:
    """Return the index of the character that each byte of the known characters belongs to, see `bytes_of`."""
    points = _code_points(text)
    is_escaped_byte = (points >= 0xDC80) & (points <= 0xDCFF)
    sizes = 1 + (points >= 0x80).astype(np.int64) + (points >= 0x800) + (points >= 0x10000)
    sizes[is_escaped_byte] = 1
    sizes[np.isin(points, _code_points(unknown))] = 0
    return np.repeat(np.arange(len(text)), sizes)


def _code_points(text: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
