"""An n-gram prior: log-probabilities of the next token by modified Kneser-Ney smoothing of the training text.

Counting for a few seconds captures what a small network needs minutes to learn, so the network gets the prior as an
input and learns only what it misses. The decision that explains the rest: a prior that has counted the text that the
network trains on gives the answers away, so training windows get *cross-fitted* rows. The text is cut into contiguous
folds, and a fold's rows come from counts of the rest of the text without a margin around the fold, as validation rows
come from counts of other text.

At most FIT_LIMIT tokens are counted, evenly spread, so memory is bounded on any corpus. The prior does not adapt to the
text it reads.
"""

from __future__ import annotations

import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from tui_gpt.prior.cursor import NgramCursor
from tui_gpt.prior.discounts import fit_discounts
from tui_gpt.prior.folds import fold_edges, held_out_ranges
from tui_gpt.prior.sizing import FIT_LIMIT, MAX_ORDER, default_order
from tui_gpt.prior.table import Floats, Table, build_table, log_prob_rows
from tui_gpt.prior.trie import Contexts, Ints, build_trie

Tokens = npt.NDArray[np.integer[Any]]
"""A text in any integers."""

CHUNK_LIMIT = 4_000_000
"""Probabilities computed at a time."""


class NgramPrior:
    """Counts of a text and the probabilities they give; `trie` and `table` hold them."""

    def __init__(
        self, tokens: Tokens, sample: Ints, vocab_size: int, order: int, folds: int, discounts: Floats | None = None
    ) -> None:
        """Count `sample`, all or a part of the training text `tokens`; fit the discounts if they are None."""
        self.vocab_size = vocab_size
        self.folds = folds
        self._tokens = tokens
        self._sample = sample
        self._text_size = len(tokens)
        self.trie = build_trie(sample, vocab_size, order)
        self.order = self.trie.order
        self._discounts = fit_discounts(self.trie, folds) if discounts is None else discounts
        self.table = build_table(self.trie, range(0), self._discounts)
        self._fold_tables: list[Table] = []

    @classmethod
    def fit(
        cls, tokens: Tokens, vocab_size: int, order: int | None = None, folds: int = 9, limit: int | None = None
    ) -> NgramPrior:
        """Count the training tokens (N,), which are kept and not copied, or `limit` of them, at most FIT_LIMIT.

        `order` None chooses one for the size of the alphabet; the prior's is lower where there are too many n-grams.
        Raises ValueError without tokens.
        """
        limit = FIT_LIMIT if limit is None else min(limit, FIT_LIMIT)
        if len(tokens) == 0:
            raise ValueError("an n-gram prior needs at least one token of text.")
        order = order or default_order(vocab_size)
        folds = max(2, min(folds, len(tokens)))
        piece = min(len(tokens), limit) // folds
        is_whole = len(tokens) <= limit
        begins = fold_edges(len(tokens), folds)[:-1]
        sample = tokens if is_whole else np.concatenate([tokens[begin : begin + piece] for begin in begins])
        return cls(tokens, sample.astype(np.int64), vocab_size, order, folds)

    def rows(self, windows: Ints) -> Floats:
        """Return log-probabilities (B, T, V) after windows[b, : t + 1], for windows (B, T) with no context before."""
        contexts = [ids.reshape(-1) for ids in self.trie.contexts(windows)]
        step = max(1, CHUNK_LIMIT // self.vocab_size)
        rows = np.empty((windows.size, self.vocab_size), np.float32)
        for start in range(0, windows.size, step):
            chunk = [ids[start : start + step] for ids in contexts]
            rows[start : start + step] = log_prob_rows(self.trie, self.table, chunk)
        return rows.reshape(*windows.shape, self.vocab_size)

    def losses(self, windows: Ints, targets: Ints) -> npt.NDArray[np.float64]:
        """Return the loss (B, T) of targets (B, T) after windows[b, : t + 1], in nats; faster than whole rows."""
        contexts = self.trie.contexts(windows)
        probs = self.table.unigram[targets].astype(np.float64)
        for k in range(1, self.order):
            grams = self.trie.extend(k, contexts[k], targets)
            discounted = np.where(grams >= 0, self.table.discounted_probs[k + 1][grams], 0.0)
            longer = self.table.backoffs[k][contexts[k]] * probs + discounted
            probs = np.where(contexts[k] >= 0, longer, probs)
        return -np.log(probs)

    def training_rows(self, starts: Ints, length: int) -> Floats:
        """Return cross-fitted rows (B, T, V) for the training windows of `length` tokens at `starts` (B,).

        Like `rows`, they use no context before a window. Raises ValueError where the whole text is needed and missing.
        """
        self.prepare_training()
        windows = self._tokens[starts[:, None] + np.arange(length)].astype(np.int64)
        targets = starts[:, None] + np.arange(1, length + 1)
        edges = fold_edges(len(self._tokens), self.folds)
        fold = np.searchsorted(edges[1:-1], targets % len(self._tokens), side="right")
        contexts = self._training_contexts(windows, targets)
        rows = np.empty((*windows.shape, self.vocab_size), np.float32)
        for f in np.unique(fold):
            here = fold == f
            rows[here] = log_prob_rows(self.trie, self._fold_tables[f], [ids[here] for ids in contexts])
        return rows

    def prepare_training(self) -> None:
        """Build the table of each fold, if it is not yet there. Raises as `training_rows`, which calls this."""
        if self._fold_tables:
            return
        if len(self._tokens) != self._text_size:
            raise ValueError("this prior counted a sample of a longer text: load it with the whole text to train on it")
        ranges = held_out_ranges(len(self._sample), self.folds)
        with ThreadPoolExecutor(2) as threads:
            build = partial(build_table, self.trie, discounts=self._discounts)
            self._fold_tables = list(threads.map(build, ranges))

    def cursor(self, batch_size: int) -> NgramCursor:
        """Return a cursor for `batch_size` texts, which are read a token at a time."""
        return NgramCursor(self.trie, self.table, batch_size)

    @property
    def counted(self) -> list[Ints]:
        """The counted tokens: the whole text, or evenly spread parts of it."""
        is_whole = len(self._sample) == self._text_size
        return [self._sample] if is_whole else np.array_split(self._sample, self.folds)

    @property
    def counted_starts(self) -> list[int]:
        """Where each of the `counted` passages begins in the training text."""
        return fold_edges(self._text_size, self.folds)[: len(self.counted)]

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return the counted tokens, compressed, and the settings: they determine every row."""
        width = np.min_scalar_type(self.vocab_size - 1)
        packed = zlib.compress(self._sample.astype(width).tobytes(), 3)
        settings = [self.vocab_size, self.order, self.folds, width.itemsize, self._text_size]
        tokens = np.frombuffer(packed, np.uint8).copy()
        return {"tokens": tokens, "settings": np.array(settings, np.int64), "discounts": self._discounts}

    @classmethod
    def from_state(cls, state: dict[str, npt.NDArray[Any]], tokens: Tokens | None = None) -> NgramPrior:
        """Inverse of `state`: count again.

        To train with a prior that counted a sample, `tokens` must be the whole training text. Raises ValueError where
        the state, which may come from an untrusted file, is invalid.
        """
        if state.keys() != {"settings", "tokens", "discounts"} or state["settings"].shape != (5,):
            raise ValueError("it is incomplete")
        vocab_size, order, folds, width, text_size = (int(n) for n in state["settings"])
        sample = _decompress(state["tokens"], width)
        discounts = state["discounts"]
        if not (1 <= order <= MAX_ORDER and 2 <= folds <= len(sample) <= text_size and sample.max() < vocab_size):
            raise ValueError("its settings are out of range")
        if discounts.shape != (order + 1, 4) or not ((discounts >= 0) & (discounts <= [0, 1, 2, 3])).all():
            raise ValueError("its discounts are out of range")
        prior = cls(sample if tokens is None else tokens, sample, vocab_size, order, folds, discounts)
        if prior.order != order:
            raise ValueError("it has too many n-grams")
        prior._text_size = text_size
        return prior

    def _training_contexts(self, windows: Ints, targets: Ints) -> Contexts:
        """Return the contexts of training windows (B, T), looked up by position where the whole text was counted."""
        if len(self._sample) != len(self._tokens):
            return self.trie.contexts(windows)
        size, place = len(self._tokens), np.arange(1, windows.shape[1] + 1)
        contexts: Contexts = [np.zeros(windows.shape, np.int64)]
        for k in range(1, self.order):
            contexts.append(np.where(place >= k, self.trie.ids[k][(targets - k) % size], -1))
        return contexts


def _decompress(packed: npt.NDArray[Any], width: int) -> Ints:
    """Return the tokens that `NgramPrior.state` compressed. Raises ValueError, also for more than FIT_LIMIT of them."""
    if width not in (1, 2, 4):
        raise ValueError("its tokens have no width")
    decompressor = zlib.decompressobj()
    try:
        raw = decompressor.decompress(packed.tobytes(), FIT_LIMIT * width)
    except zlib.error as error:
        raise ValueError("its tokens are cut short or altered") from error
    if not decompressor.eof or not raw or len(raw) % width:
        raise ValueError("its tokens are cut short, or too many")
    tokens: Ints = np.frombuffer(raw, np.dtype(f"u{width}")).astype(np.int64)
    return tokens
