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

from tui_gpt.errors import CorpusError
from tui_gpt.text.corpora import CorpusText
from tui_gpt.text.split import Split
from tui_gpt.text.tokenizer import CharTokenizer

Tokens = npt.NDArray[np.unsignedinteger[Any]]
Starts = npt.NDArray[np.int64]
Windows = npt.NDArray[np.int64]
"""(B, T) tokens."""

RECORD_LIMIT = 120_000
"""Characters of the validation split that the loss of record is measured on at most."""
_FEWEST_TO_VALIDATE = 2
"""Tokens of a validation split: one to read and one to predict."""
_STANDARD_SPLIT = Split()


@dataclass(frozen=True)
class Corpus:
    """A text in tokens: one part to train on, the other to validate."""

    name: str
    digest: str
    """Of all that was read and how it was divided, see `Split.digest`."""
    tokenizer: CharTokenizer
    train: Tokens
    val: Tokens

    @classmethod
    def build(
        cls,
        text: CorpusText,
        block_size: int,
        tokenizer: CharTokenizer | None = None,
        split: Split = _STANDARD_SPLIT,
    ) -> Corpus:
        """Encode and split `text`, with a given tokenizer or its own.

        Characters that the tokenizer does not know are left out. Raises CorpusError when too little is left for one
        window of `block_size` characters and its targets, or to validate on.
        """
        own = tokenizer or CharTokenizer.from_text(text.text)
        arranged = split.arranged(text)
        tokens = own.encode_compact(arranged.text)
        if arranged.boundary is None:
            _require_length(text.name, len(tokens), block_size, split)
            length = split.train_length(len(tokens))
        else:
            length = len(own.encode_compact(arranged.text[: arranged.boundary]))
            _require_documents(text.name, length, len(tokens), block_size)
        val = tokens[length:] if split.validation is None else _validation_tokens(split.validation, own)
        return cls(text.name, split.digest(text), own, tokens[:length], val)


def _validation_tokens(text: CorpusText, tokenizer: CharTokenizer) -> Tokens:
    tokens = tokenizer.encode_compact(text.text)
    if len(tokens) < _FEWEST_TO_VALIDATE:
        raise CorpusError(
            f"val_file: {text.source} is too short: it needs at least {_FEWEST_TO_VALIDATE} characters that the text "
            f"to learn from has too, and has {len(tokens)}: choose a longer text"
        )
    return tokens


def _largest_block_size(length: int, split: Split) -> int:
    """The largest block_size that a text of so many characters can fill; 0 or less when there is none."""
    train = split.train_length(length)
    is_enough = split.validation is not None or length - train >= _FEWEST_TO_VALIDATE
    return train - 1 if is_enough else 0


def _require_length(name: str, length: int, block_size: int, split: Split) -> None:
    largest = _largest_block_size(length, split)
    if largest >= block_size:
        return
    needed = block_size + 1
    while _largest_block_size(needed, split) < block_size:
        needed += 1
    raise CorpusError(
        f"{name} is too short: it has {length:,} usable characters, and a context of {block_size:,} needs "
        f"{needed:,}: {_remedy(largest)}"
    )


def _require_documents(name: str, train: int, length: int, block_size: int) -> None:
    if train > block_size and length - train >= _FEWEST_TO_VALIDATE:
        return
    raise CorpusError(
        f"{name} is too short: whole documents leave {train:,} characters to train on and {length - train:,} to "
        f"validate, and a context of {block_size:,} needs {block_size + 1:,} and {_FEWEST_TO_VALIDATE}: "
        f"{_remedy(train - 1)}"
    )


def _remedy(largest: int) -> str:
    return f"choose a longer text or --block-size {largest}" if largest > 0 else "choose a longer text"


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


def gather(tokens: Tokens, starts: Starts, block_size: int) -> tuple[Windows, Windows]:
    """Return the windows at `starts`: inputs (B, T) and targets (B, T), the same one token later."""
    windows = tokens[starts[:, None] + np.arange(block_size + 1)].astype(np.int64)
    return np.ascontiguousarray(windows[:, :-1]), np.ascontiguousarray(windows[:, 1:])


def record_tokens(n_tokens: int, block_size: int) -> int:
    """Return how many characters of a validation split of `n_tokens` the loss of record is measured on: all but the
    first where there are at most RECORD_LIMIT, else the targets of evenly spread windows."""
    return n_tokens - 1 if n_tokens <= RECORD_LIMIT else max(1, RECORD_LIMIT // block_size) * block_size


def validation_windows(
    tokens: Tokens, block_size: int, wanted: int, tokens_per_batch: int
) -> Iterator[tuple[Windows, Windows]]:
    """Yield batches of (inputs, targets), each (B, T), that hold about `wanted` targets, without overlap.

    The windows come in a fixed order, any beginning of which is evenly spread over the split. When all are wanted, what
    is left at the end makes a last batch (1, shorter T), so that every token but the first is a target once.
    """
    windows, tail = divmod(len(tokens) - 1, block_size)
    count = windows if wanted >= len(tokens) - 1 else min(windows, max(1, wanted // block_size))
    chosen = spread_order(windows)[:count]
    rows = max(1, tokens_per_batch // block_size)
    for first in range(0, count, rows):
        yield gather(tokens, chosen[first : first + rows] * block_size, block_size)
    if tail > 0 and (wanted >= len(tokens) - 1 or windows == 0):
        yield gather(tokens, np.array([windows * block_size]), tail)


def spread_order(count: int) -> Starts:
    """Return the numbers below `count` in an order any beginning of which is evenly spread: by the golden ratio."""
    return np.argsort(np.arange(count) * ((5**0.5 - 1) / 2) % 1.0, kind="stable")
