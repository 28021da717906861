"""Byte pair encoding (Sennrich et al. 2016) on bytes: tokens are frequent sequences of bytes within a word.

The first 256 tokens are the bytes, so every text has tokens. Each further one joins two earlier ones, in the order in
which `bpe_training` found them to be frequent. Encoding cuts a text into words and joins pairs in each, the earliest
learned first. It needs no other package, so a checkpoint holds only the list of merges, which is read as untrusted
data, and generation works where the `tokenizers` package is not installed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise
from typing import Any

import numpy as np

from tui_gpt.config import TokenizerName
from tui_gpt.text.any_bytes import bytes_of
from tui_gpt.text.tokenizers.byte import BYTES, BytesDecoder
from tui_gpt.text.tokenizers.protocol import CompactIds, Ids

Pair = tuple[int, int]

MAX_MERGES = 65_536 - len(BYTES)
MAX_TOKEN_BYTES = 256
"""Bytes of the longest token; a word has fewer."""
_WORD = re.compile(r" ?[^\W\d_]{1,32}| ?\d{1,3}| ?(?:[^\w\s]|_){1,32}|\s{1,32}(?!\S)|\s{1,32}")
"""Letters, digits or signs with a space before them, or white space, as in GPT-2. Every character is in a word."""
_MAX_CACHED = 500_000
"""Words whose tokens are kept."""
_CHUNK = 1 << 22
"""Characters encoded at a time."""


def words_of(text: str) -> list[str]:
    """Return the words of a text; tokens do not cross their edges. Joined they are the text."""
    return _WORD.findall(text)


@dataclass(frozen=True)
class BpeTokenizer(BytesDecoder):
    """The tokens that `merges` make. Raises ValueError for merges that are invalid."""

    merges: tuple[Pair, ...]
    """Pairs of earlier tokens in the order of joining. A pair whose bytes are a token already makes no new one."""
    kind: TokenizerName = "bpe"

    def __post_init__(self) -> None:
        if len(self.merges) > MAX_MERGES:
            raise ValueError("it has too many merges")
        if len(self._ranks) != len(self.merges):
            raise ValueError("it has a merge twice")

    @cached_property
    def _vocabulary(self) -> tuple[list[bytes], dict[Pair, Pair]]:
        """The bytes of each token; rank and token of each pair."""
        pieces, ranks = list(BYTES), dict[Pair, Pair]()
        ids = {piece: number for number, piece in enumerate(BYTES)}
        for rank, (left, right) in enumerate(self.merges):
            if not (0 <= left < len(pieces) and 0 <= right < len(pieces)):
                raise ValueError("a merge names a token that does not exist")
            joined = pieces[left] + pieces[right]
            if len(joined) > MAX_TOKEN_BYTES:
                raise ValueError("it has a token that is too long")
            if joined not in ids:
                ids[joined] = len(pieces)
                pieces.append(joined)
            ranks[left, right] = rank, ids[joined]
        return pieces, ranks

    @property
    def pieces(self) -> Sequence[bytes]:
        """The bytes of each token."""
        return self._vocabulary[0]

    @property
    def _ranks(self) -> dict[Pair, Pair]:
        return self._vocabulary[1]

    @cached_property
    def _cache(self) -> dict[str, list[int]]:
        """The tokens of words that were encoded."""
        return {}

    def encode(self, text: str) -> Ids:
        """Return the tokens of `text`."""
        return self.encode_compact(text).astype(np.int32)

    def encode_compact(self, text: str) -> CompactIds:
        """Return `encode` in the smallest unsigned type for the vocabulary.

        The tokens of two texts joined are those of the whole if the first ends where a word does, e.g. with a line
        that is followed by a letter.
        """
        smallest = np.min_scalar_type(self.vocab_size - 1)
        parts = [
            np.fromiter(chain.from_iterable(map(self._encode_word, words_of(text[start : start + _CHUNK]))), smallest)
            for start in range(0, len(text), _CHUNK)
        ]
        return np.concatenate(parts) if parts else np.empty(0, smallest)

    def _encode_word(self, word: str) -> list[int]:
        found = self._cache.get(word)
        if found is None:
            if len(self._cache) >= _MAX_CACHED:
                self._cache.clear()
            found = self._cache[word] = self._merged(list(bytes_of(word)))
        return found

    def _merged(self, ids: list[int]) -> list[int]:
        """Return the tokens of a word of bytes: join the pair that was learned first until none is left."""
        ranks, never = self._ranks, (len(self.merges), -1)
        while len(ids) > 1:
            pair = min(pairwise(ids), key=lambda two: ranks.get(two, never))
            if pair not in ranks:
                break
            ids = _joined(ids, pair, ranks[pair][1])
        return ids

    def to_dict(self) -> dict[str, str]:
        """Return plain data for `checkpoint.json`."""
        return {"type": self.kind, "merges": ",".join(f"{left} {right}" for left, right in self.merges)}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> BpeTokenizer:
        """Inverse of `to_dict`. Raises ValueError for any other record."""
        merges = record.get("merges")
        if record.keys() != {"type", "merges"} or record["type"] != "bpe" or not isinstance(merges, str):
            raise ValueError("it names no merges")
        if not re.fullmatch(r"([0-9]{1,5} [0-9]{1,5}(,[0-9]{1,5} [0-9]{1,5})*)?", merges, re.ASCII):
            raise ValueError("its merges are no pairs of numbers")
        numbers = [int(number) for number in re.findall("[0-9]+", merges)]
        return cls(tuple(zip(numbers[::2], numbers[1::2], strict=True)))


def _joined(ids: list[int], pair: Pair, token: int) -> list[int]:
    """Return `ids` with `token` in place of each occurrence of `pair`, from left to right."""
    joined, place = list[int](), 0
    while place < len(ids):
        if place + 1 < len(ids) and (ids[place], ids[place + 1]) == pair:
            joined.append(token)
            place += 2
        else:
            joined.append(ids[place])
            place += 1
    return joined
