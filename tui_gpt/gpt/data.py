"""A text as numbers: split for training and validation, cut into windows, in an order that can be computed anywhere.

Batch k is a pure function of (seed, k, rank, world), so there is no loader to save: a resumed run asks for the next k,
and ranks share the windows out without talking. An epoch visits every window of `block_size` once, in a random order;
each epoch cuts the windows at a new phase, so that the model never meets the same edges twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tui_gpt.corpora import CorpusText
from tui_gpt.errors import CorpusError
from tui_gpt.gpt.tokenizer import CharTokenizer

Tokens = npt.NDArray[np.unsignedinteger[Any]]
Starts = npt.NDArray[np.int64]

TRAIN_SHARE = 0.9
RECORD_LIMIT = 120_000
"""Characters of the validation split that the loss of record is measured on at most."""


@dataclass(frozen=True)
class Corpus:
    """A text in tokens: the first nine tenths to train on, the rest to validate."""

    name: str
    digest: str
    tokenizer: CharTokenizer
    train: Tokens
    val: Tokens

    @classmethod
    def build(cls, text: CorpusText, block_size: int, tokenizer: CharTokenizer | None = None) -> Corpus:
        """Encode and split `text`, with a given tokenizer or its own.

        Characters that a given tokenizer does not know are left out. Raises CorpusError when too little is left for one
        window of `block_size` characters and its targets.
        """
        own = tokenizer or CharTokenizer.from_text(text.text)
        tokens = own.encode_compact(text.text)
        _require_length(text.name, len(tokens), block_size)
        split = _train_length(len(tokens))
        return cls(text.name, text.digest, own, tokens[:split], tokens[split:])


def _train_length(length: int) -> int:
    return int(TRAIN_SHARE * length)


def _largest_block_size(length: int) -> int:
    """The largest block_size that a text of so many characters can fill; 0 or less when there is none."""
    train = _train_length(length)
    return train - 1 if length - train >= 2 else 0


def _require_length(name: str, length: int, block_size: int) -> None:
    largest = _largest_block_size(length)
    if largest >= block_size:
        return
    needed = int((block_size + 1) / TRAIN_SHARE)
    while _largest_block_size(needed) < block_size:
        needed += 1
    remedy = f"choose a longer text or --block-size {largest}" if largest > 0 else "choose a longer text"
    raise CorpusError(
        f"{name} is too short: it has {length:,} usable characters, and a context of {block_size:,} needs "
        f"{needed:,}: {remedy}"
    )


class WindowOrder:
    """Which windows batch k holds. Windows start anywhere in `n_tokens` tokens and need one more after their end."""

    def __init__(
        self, n_tokens: int, block_size: int, batch_size: int, seed: int, rank: int = 0, world: int = 1
    ) -> None:
        usable = n_tokens - 1
        if usable < block_size:
            raise ValueError(f"{n_tokens} tokens do not fill one window of {block_size} and its targets")
        self.block_size = block_size
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world = world
        self.windows = max(1, (usable - block_size + 1) // block_size)
        """Windows in an epoch, the same in each."""
        self._phases = usable - self.windows * block_size + 1
        self._epoch = -1
        self._starts: Starts = np.empty(0, dtype=np.int64)

    def starts(self, k: int) -> Starts:
        """(B,): where the windows of this rank's batch `k` start; `k` counts from 0 and never ends."""
        first = (k * self.world + self.rank) * self.batch_size
        epochs, places = np.divmod(np.arange(first, first + self.batch_size), self.windows)
        return np.concatenate([self._of_epoch(int(epoch))[places[epochs == epoch]] for epoch in np.unique(epochs)])

    def _of_epoch(self, epoch: int) -> Starts:
        """(windows,): the starts of one epoch's windows in its order; the last one asked for is kept."""
        if epoch != self._epoch:
            self._starts = self._shuffled(epoch)
            self._epoch = epoch
        return self._starts

    def _shuffled(self, epoch: int) -> Starts:
        """Raw bits and a stable sort, for numpy promises those to stay the same from version to version."""
        bits = np.random.PCG64(np.random.SeedSequence([self.seed, epoch])).random_raw(self.windows + 1)
        phase = int(bits[0]) % self._phases
        return phase + self.block_size * np.argsort(bits[1:], kind="stable").astype(np.int64)


def gather(tokens: Tokens, starts: Starts, block_size: int) -> tuple[Tensor, Tensor]:
    """The windows at `starts`: inputs (B, T) and targets (B, T), the same one token later, both int64."""
    places = starts[:, None] + np.arange(block_size + 1)
    windows = tokens[places].astype(np.int64)
    return _tensor(windows[:, :-1]), _tensor(windows[:, 1:])


def _tensor(windows: npt.NDArray[np.int64]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(windows))


def record_tokens(n_tokens: int, block_size: int) -> int:
    """Return how many characters of a validation split of `n_tokens` the loss of record is measured on: all but the
    first where there are at most RECORD_LIMIT, else the targets of evenly spread windows."""
    return n_tokens - 1 if n_tokens <= RECORD_LIMIT else max(1, RECORD_LIMIT // block_size) * block_size


def validation_windows(
    tokens: Tokens, block_size: int, wanted: int, tokens_per_batch: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of (inputs, targets), each (B, T) int64: evenly spread windows that hold about `wanted` targets.

    Windows do not overlap. When all are wanted, what is left at the end makes a last batch (1, shorter T), so that
    every token but the first is a target once.
    """
    windows, tail = divmod(len(tokens) - 1, block_size)
    count = windows if wanted >= len(tokens) - 1 else min(windows, max(1, wanted // block_size))
    chosen = np.arange(count, dtype=np.int64) * windows // max(count, 1)
    rows = max(1, tokens_per_batch // block_size)
    for first in range(0, count, rows):
        yield gather(tokens, chosen[first : first + rows] * block_size, block_size)
    if tail > 0 and (wanted >= len(tokens) - 1 or windows == 0):
        yield gather(tokens, np.array([windows * block_size]), tail)
