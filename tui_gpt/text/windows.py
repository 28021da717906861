"""Cut tokens into windows of `block_size` for training and validation.

The window at each position of a run's order is a pure function of (seed, position), so there is no loader state to
save: a resumed run asks for the next positions, and ranks need no communication. An epoch visits every window once in a
random order; each epoch cuts the windows at another phase, so the model does not see the same edges twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from tui_gpt.text.permutation import ROUNDS, permuted

Tokens = npt.NDArray[np.unsignedinteger[Any]]
Starts = npt.NDArray[np.int64]
Windows = npt.NDArray[np.int64]
"""(B, T) tokens."""

RECORD_LIMIT = 120_000
"""Characters of the validation part that the loss of record is measured on at most."""
MANY_WINDOWS = 1 << 20
"""Windows of an epoch above which their order is computed in parts, of PART_WINDOWS, instead of by sorting."""
PART_WINDOWS = 1 << 12
SPREAD_WINDOWS = 1 << 17
"""Validation windows, evenly spaced over a long text, among which those that are measured are chosen."""


class WindowOrder:
    """Deterministic shuffling: maps positions to window starts.

    Windows may start anywhere in `n_tokens` tokens and need one more token after their end. Raises ValueError where the
    tokens do not fill a window.
    """

    def __init__(self, n_tokens: int, block_size: int, seed: int) -> None:
        usable = n_tokens - 1
        if usable < block_size:
            raise ValueError(f"{n_tokens} tokens do not fill one window of {block_size} and its targets")
        self.block_size = block_size
        self.seed = seed
        self.windows = max(1, (usable - block_size + 1) // block_size)
        """Windows per epoch."""
        self._phases = usable - self.windows * block_size + 1
        self._last_epoch: tuple[int, Starts] = (-1, np.empty(0, dtype=np.int64))
        """Replaced as a whole, because a thread that prepares batches may ask for another epoch at the same time."""
        self._last_part: tuple[tuple[int, int], Starts] = ((-1, -1), self._last_epoch[1])
        """Replaced as a whole, too."""

    def starts(self, positions: Starts) -> Starts:
        """Return the window starts at these positions of the order, (B,) each, which count from 0 without end."""
        epochs, places = np.divmod(positions, self.windows)
        starts = np.empty(len(positions), dtype=np.int64)
        for epoch in np.unique(epochs):
            starts[epochs == epoch] = self._in_epoch(int(epoch), places[epochs == epoch])
        return starts

    def _in_epoch(self, epoch: int, places: Starts) -> Starts:
        """Return the starts at some places of an epoch's order, of which a large text has one part at a time."""
        if self.windows <= MANY_WINDOWS:
            return self._of_epoch(epoch)[places]
        parts, within = np.divmod(places, PART_WINDOWS)
        starts = np.empty(len(places), dtype=np.int64)
        for part in np.unique(parts):
            starts[parts == part] = self._of_part(epoch, int(part))[within[parts == part]]
        return starts

    def _of_part(self, epoch: int, part: int) -> Starts:
        """Return (PART_WINDOWS,): the starts at consecutive places of an epoch's order; the last part is cached."""
        cached, starts = self._last_part
        if (epoch, part) != cached:
            bits = self._bits(epoch, ROUNDS + 1)
            first = part * PART_WINDOWS
            places = np.arange(first, min(first + PART_WINDOWS, self.windows))
            starts = int(bits[0]) % self._phases + self.block_size * permuted(places, self.windows, bits[1:])
            self._last_part = (epoch, part), starts
        return starts

    def _of_epoch(self, epoch: int) -> Starts:
        """Return (windows,): the starts of an epoch's windows in its order; the last epoch is cached."""
        cached, starts = self._last_epoch
        if epoch != cached:
            starts = self._shuffle(epoch)
            self._last_epoch = epoch, starts
        return starts

    def _shuffle(self, epoch: int) -> Starts:
        """Shuffle by raw bits and a stable sort, which NumPy guarantees to stay the same in all versions."""
        bits = self._bits(epoch, self.windows + 1)
        phase = int(bits[0]) % self._phases
        return phase + self.block_size * np.argsort(bits[1:], kind="stable").astype(np.int64)

    def _bits(self, epoch: int, count: int) -> npt.NDArray[np.uint64]:
        return np.random.PCG64(np.random.SeedSequence([self.seed, epoch])).random_raw(count)


def gather(tokens: Tokens, starts: Starts, block_size: int) -> tuple[Windows, Windows]:
    """Return the windows at `starts`: inputs (B, T) and targets (B, T), the same one token later."""
    windows = tokens[starts[:, None] + np.arange(block_size + 1)].astype(np.int64)
    return np.ascontiguousarray(windows[:, :-1]), np.ascontiguousarray(windows[:, 1:])


def record_tokens(n_tokens: int, block_size: int) -> int:
    """Return how many characters of a validation part of `n_tokens` the loss of record is measured on.

    All but the first where there are at most RECORD_LIMIT, else the targets of evenly spaced windows.
    """
    return n_tokens - 1 if n_tokens <= RECORD_LIMIT else max(1, RECORD_LIMIT // block_size) * block_size


def validation_windows(
    tokens: Tokens, block_size: int, wanted: int, tokens_per_batch: int
) -> Iterator[tuple[Windows, Windows]]:
    """Yield batches of (inputs, targets), each (B, T), of non-overlapping windows with about `wanted` targets in all.

    The windows come in a fixed order of which any beginning is evenly spread over the tokens. If all targets are
    wanted, the rest at the end makes a last batch (1, shorter T), so every token but the first is a target once.
    """
    windows, tail = divmod(len(tokens) - 1, block_size)
    count = windows if wanted >= len(tokens) - 1 else min(windows, max(1, wanted // block_size))
    chosen = _chosen_windows(windows, count)
    rows = max(1, tokens_per_batch // block_size)
    for first in range(0, count, rows):
        yield gather(tokens, chosen[first : first + rows] * block_size, block_size)
    if tail > 0 and (wanted >= len(tokens) - 1 or windows == 0):
        yield gather(tokens, np.array([windows * block_size]), tail)


def _chosen_windows(windows: int, count: int) -> Starts:
    """Return the first `count` of `windows` in an evenly spread order."""
    spaced = min(windows, max(count, SPREAD_WINDOWS))
    return spread_order(spaced)[:count] * windows // spaced


def spread_order(count: int) -> Starts:
    """Return the numbers below `count` in an order of which any beginning is evenly spread, by the golden ratio."""
    return np.argsort(np.arange(count) * ((5**0.5 - 1) / 2) % 1.0, kind="stable")
