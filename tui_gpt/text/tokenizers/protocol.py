"""What every tokenizer offers, and how much text its tokens hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tui_gpt.config import TokenizerName
from tui_gpt.metrics import TokenSize
from tui_gpt.text.any_bytes import bytes_of

Ids = npt.NDArray[np.int32]
CompactIds = npt.NDArray[np.unsignedinteger[Any]]
AnyIds = Sequence[int] | npt.NDArray[np.integer[Any]]

_CHUNK = 1 << 22
"""Tokens counted at a time."""


class Encoder(Protocol):
    """Converts a text to tokens that are kept."""

    @property
    def vocab_size(self) -> int:
        """The number of distinct tokens."""

    def encode_compact(self, text: str) -> CompactIds:
        """Return the tokens of `text` in the smallest unsigned type for the vocabulary; unknown characters are left
        out."""

    def to_dict(self) -> dict[str, str]:
        """Return plain data for `checkpoint.json`, which determines the tokens of every text."""


class Tokenizer(Encoder, Protocol):
    """Converts a text to tokens and back."""

    @property
    def kind(self) -> TokenizerName:
        """The value of the setting `tokenizer` that makes such a tokenizer."""

    @property
    def texts(self) -> Sequence[str]:
        """The text of each token; they are distinct. A byte that is only a part of a character is a lone surrogate."""

    def encode(self, text: str) -> Ids:
        """Return the tokens of `text`; unknown characters are left out."""

    def decode(self, ids: AnyIds) -> str:
        """Return the text of tokens, with U+FFFD for bytes that are not UTF-8. Raises IndexError out of range."""

    def stream(self) -> Callable[[int], str]:
        """Return a function that takes one token after the other and returns the characters that each completes.

        What it returns, joined, is what `decode` returns, without the bytes of an incomplete character at the end.
        """

    def unknown(self, text: str) -> str:
        """Return the distinct characters of `text` that have no token, in order of appearance."""


@dataclass(frozen=True)
class TextSize:
    """The size of a text."""

    tokens: int
    characters: int
    """Bytes that begin a character in UTF-8, which all characters of a text do."""
    bytes: int

    @property
    def per_token(self) -> TokenSize:
        """Return the size of a token on average; a part of a character, for a text without one, counts as one."""
        return TokenSize(max(1, self.characters) / max(1, self.tokens), max(1, self.bytes) / max(1, self.tokens))


def size_of(tokenizer: Tokenizer, tokens: npt.NDArray[np.integer[Any]]) -> TextSize:
    """Return the size of the text of tokens (N,), which may be a part of a file."""
    counts = np.zeros(tokenizer.vocab_size, np.int64)
    for start in range(0, len(tokens), _CHUNK):
        counts += np.bincount(tokens[start : start + _CHUNK], minlength=len(counts))
    lengths = np.array([_lengths(text) for text in tokenizer.texts], np.int64).reshape(-1, 2)
    characters, size = (counts @ lengths).tolist()
    return TextSize(len(tokens), characters, size)


def _lengths(text: str) -> tuple[int, int]:
    """Return how many bytes of a text begin a character, and how many it has."""
    data = bytes_of(text)
    return sum(byte & 0xC0 != 0x80 for byte in data), len(data)
