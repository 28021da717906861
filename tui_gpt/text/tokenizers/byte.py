"""Tokenizers whose tokens are bytes or sequences of bytes, and the one whose tokens are the 256 bytes.

They know every text and every file. One token may be only a part of a letter or sign: a stream of tokens becomes text
when its characters are complete.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tui_gpt.config import TokenizerName
from tui_gpt.text.any_bytes import bytes_of, text_of
from tui_gpt.text.tokenizers.protocol import AnyIds, CompactIds, Ids

BYTES = tuple(bytes([byte]) for byte in range(256))


class BytesDecoder:
    """Decodes tokens that are sequences of bytes; the base of the tokenizers that have such tokens."""

    @property
    def pieces(self) -> Sequence[bytes]:
        """The bytes of each token."""
        return BYTES

    @property
    def vocab_size(self) -> int:
        """The number of distinct tokens."""
        return len(self.pieces)

    @cached_property
    def texts(self) -> Sequence[str]:
        """The text of each token; a byte that is only a part of a character is a lone surrogate."""
        return tuple(map(text_of, self.pieces))

    def decode(self, ids: AnyIds) -> str:
        """Return the text of tokens, with U+FFFD for bytes that are not UTF-8. Raises IndexError out of range."""
        return b"".join(map(self.pieces.__getitem__, np.asarray(ids).tolist())).decode("utf-8", "replace")

    def stream(self) -> Callable[[int], str]:
        """Return a decoder of single tokens, see `Tokenizer.stream`."""
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        return lambda token: decoder.decode(self.pieces[token])

    def unknown(self, text: str) -> str:
        """Return "": every character has tokens."""
        del text
        return ""


@dataclass(frozen=True)
class ByteTokenizer(BytesDecoder):
    """Token i is the byte i."""

    kind: TokenizerName = "byte"

    def encode(self, text: str) -> Ids:
        """Return the bytes of `text` in UTF-8, see `bytes_of`."""
        return self.encode_compact(text).astype(np.int32)

    def encode_compact(self, text: str) -> CompactIds:
        """Return `encode` with one byte per token; it does not copy the bytes."""
        return np.frombuffer(bytes_of(text), np.uint8)

    def to_dict(self) -> dict[str, str]:
        """Return plain data for `checkpoint.json`."""
        return {"type": self.kind}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> ByteTokenizer:
        """Inverse of `to_dict`. Raises ValueError for any other record."""
        if dict(record) != {"type": "byte"}:
            raise ValueError("it holds more than its type")
        return cls()
