"""An n-gram prior: the modified Kneser-Ney distribution of the training text, a row of log-probabilities a position.

A few seconds of counting know what a small network needs minutes to learn, so the network is given the counts'
opinion and learns only what they miss. The decision that explains the rest: a prior that has counted the very text
the network trains on gives the answers away, so training positions get *cross-fitted* rows. The text is cut into
contiguous folds, and a fold's rows come from the counts of the rest of the text but for a margin around the fold (the
same scene, the same names), as validation rows come from counts of other text.

It counts at most `FIT_LIMIT` tokens, evenly spread, so that memory stays bounded on any corpus. It deliberately
does not adapt to the text it reads, or know what a token stands for.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from tui_gpt.config import RunConfig
from tui_gpt.prior.novelty import CopiedPieces

Ints = npt.NDArray[np.signedinteger[Any]]
Tokens = npt.NDArray[np.integer[Any]]
"""A text in any integers."""
Floats = npt.NDArray[np.float32]
Contexts = list[Ints]
"""contexts[k]: the k-gram that ends at each position, -1 where text or window has none; entry 0 is the empty one."""

FIT_LIMIT = 3_000_000
"""Tokens counted at most; a longer text is sampled in one piece a fold."""
NODE_LIMIT = 7_000_000
"""N-grams of all orders together, at 125 bytes each at most; where nothing comes again, the longer ones have nothing to
tell."""
DENSE_LIMIT = 1_000_000
"""Probabilities in a table's dense rows, which spare short contexts the sparse way."""
CHUNK_LIMIT = 4_000_000
"""Probabilities worked on at a time."""
MIN_COUNTED = 1_000_000
"""Tokens that are counted however short the time."""
COUNTED_PER_SECOND = 30_000
"""Tokens counted at most per second of a time budget."""
SECONDS_PER_TOKEN = 1.7e-6
"""Of counting, on a slow CPU."""
MAX_ORDER = 16
"""Tokens of an n-gram at most, as in the configuration of a model."""
MARGIN = 0.05
"""Share of the text either side of a fold that its rows do not count either."""
SMALL_ALPHABET = 256
"""Distinct tokens up to which any order is worth counting."""
HELD_OUT_SAMPLE = 20_000
"""Positions of the text, evenly spread over the folds used, that the discounts are fitted on."""
DISCOUNT_FOLDS = 3
"""Folds that the discounts are fitted on: with all nine they predict no better and take twice as long to find."""


@dataclass(frozen=True)
class Trie:
    """Which n-grams occur. The k-grams are numbered in sorted order, so those that extend one context are neighbours.

    Lists are indexed by k, the length in tokens; entry 0 is unused.
    """

    vocab_size: int
    ids: list[Ints]
    """ids[k] (N,): the k-gram that starts at each position of the text, read as a ring."""
    symbols: list[Ints]
    """symbols[k] (U_k,): the last token of each k-gram."""
    suffixes: list[Ints]
    """suffixes[k] (U_k,): each k-gram without its first token, as a (k-1)-gram."""
    keys: list[Ints]
    """keys[k] (U_k,), sorted: (k-1)-gram * vocab_size + last token."""
    firsts: list[Ints]
    """firsts[k] (U_k + 1,): where each k-gram's extensions begin among the (k+1)-grams."""

    @property
    def order(self) -> int:
        return len(self.ids) - 1

    def extend(self, k: int, grams: Ints, tokens: Ints) -> Ints:
        """The (k+1)-grams made of k-grams and one more token each; -1 where the text has none, or `grams` is -1."""
        wanted = grams * np.int64(self.vocab_size) + tokens
        keys = self.keys[k + 1]
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        found: Ints = np.where((keys[at] == wanted) & (grams >= 0), at, -1)
        return found


@dataclass(frozen=True)
class Table:
    """What counting says: for each k-gram its discounted share, for each context the weight of the shorter one.

    p(w | h) = share(hw) + backoff(h) * p(w | h without its first token), interpolated (Chen and Goodman 1999).
    """

    unigram: Floats
    """(V,): probabilities without any context."""
    shares: list[Floats]
    """shares[k] (U_k,), from k = 2."""
    backoffs: list[Floats]
    """backoffs[k] (U_k,), for contexts of k tokens, from k = 1."""
    dense: Floats
    """(U_d, V): whole rows for the contexts of d tokens, d = dense_length; empty if 0."""
    dense_length: int


def _sorted_positions(ring: Ints, order: int, vocab_size: int) -> Ints:
    """Positions of the text sorted by the `order` tokens that start there; `ring` runs `order` tokens on."""
    size = len(ring) - order
    key = np.zeros(size, np.int64)
    span = 1
    for k in range(order):
        if span > 2**62 // vocab_size:
            key = np.unique(key, return_inverse=True)[1].reshape(-1)
            span = int(key.max()) + 1
        key = key * vocab_size + ring[k : k + size]
        span *= vocab_size
    if span > 2**63 // size:
        return np.argsort(key)
    key = key * size + np.arange(size)  # numbers are sorted three times as fast as their places
    key.sort()
    return key % size


def _build_trie(tokens: Ints, vocab_size: int, order: int) -> Trie:
    """Number the n-grams of every order up to `order`, or as long as they are not too many: one sort, then one pass an
    order."""
    size = len(tokens)
    ring = np.resize(tokens.astype(np.min_scalar_type(vocab_size - 1)), size + order)
    positions = _sorted_positions(ring, order, vocab_size)
    empty = np.zeros(0, np.int32)
    trie = Trie(vocab_size, [empty], [empty], [empty], [empty], [empty])
    is_new = np.zeros(size, bool)
    is_new[0] = True
    starts, groups = np.zeros(1, np.int64), np.zeros(size, np.int32)
    for k in range(1, order + 1):
        last = ring[positions + (k - 1)]
        is_new[1:] |= last[1:] != last[:-1]
        shorter_starts, shorter_groups = starts, groups
        starts = np.flatnonzero(is_new)
        if k > 2 and sum(map(len, trie.symbols)) + len(starts) > NODE_LIMIT:
            break
        groups = np.cumsum(is_new, dtype=np.int32) - np.int32(1)
        ids = np.empty(size, np.int32)
        ids[positions] = groups
        follower = (positions[starts] + 1) % size
        trie.suffixes.append(trie.ids[k - 1][follower] if k > 1 else np.zeros(len(starts), np.int32))
        trie.ids.append(ids)
        trie.symbols.append(last[starts].astype(np.int32))
        trie.keys.append(shorter_groups[starts] * np.int64(vocab_size) + last[starts])
        if k > 1:
            trie.firsts.append(np.append(np.searchsorted(starts, shorter_starts), len(starts)))
    return trie


def _event_counts(trie: Trie, held_out: range) -> list[Ints]:
    """Counts of each order's grams whose last token is not in `held_out`, a range of positions.

    At the top they are occurrences, below them distinct left neighbours (Kneser and Ney 1995). Entry 0 is empty.
    """
    order, size = trie.order, len(trie.ids[1])
    top = np.bincount(trie.ids[order], minlength=len(trie.symbols[order]))
    starts = (np.arange(held_out.start, held_out.stop) - (order - 1)) % size
    counts = [top - np.bincount(trie.ids[order][starts], minlength=len(top))]
    for k in range(order, 1, -1):
        seen = trie.suffixes[k][counts[0] > 0]
        counts.insert(0, np.bincount(seen, minlength=len(trie.symbols[k - 1])))
    return [np.zeros(0, np.int64), *counts]


def _unigram(trie: Trie, counts: Ints) -> Floats:
    """(V,): counts discounted by one half over the uniform distribution, so that no token is impossible."""
    full = np.zeros(trie.vocab_size)
    full[trie.symbols[1]] = counts
    kept = np.maximum(full - 0.5, 0.0) / max(float(full.sum()), 1.0)
    smooth: Floats = (kept + (1.0 - kept.sum()) / trie.vocab_size).astype(np.float32)
    return smooth


def _build_table(trie: Trie, held_out: range, discounts: Floats, dense_limit: int = DENSE_LIMIT) -> Table:
    """The distribution of the text outside `held_out`, with the discounts (order + 1, 4) of `_fit_discounts`."""
    counts = _event_counts(trie, held_out)
    empty = np.zeros(0, np.float32)
    shares, backoffs = [empty, empty], [empty]
    for k in range(2, trie.order + 1):
        firsts = trie.firsts[k - 1]
        taken = discounts[k][np.minimum(counts[k], 3)]
        totals = np.add.reduceat(counts[k], firsts[:-1]).astype(np.float32)
        scale = 1.0 / np.maximum(totals, np.float32(1.0))
        kept = counts[k].astype(np.float32) - taken
        shares.append(kept * np.repeat(scale, np.diff(firsts)))
        backoffs.append(np.where(totals > 0, np.add.reduceat(taken, firsts[:-1]) * scale, np.float32(1.0)))
    table = Table(_unigram(trie, counts[1]), shares, backoffs, empty, 0)
    return _densified(trie, table, dense_limit)


def _held_out_ranges(size: int, folds: int) -> list[range]:
    """For each fold what its rows must not have counted: the fold, and a margin either side that is too like it."""
    margin = int(size * MARGIN)
    return [range(a - margin, b + margin) for a, b in pairwise(_edges(size, folds))]


def _fit_discounts(trie: Trie, folds: int) -> Floats:
    """(order + 1, 4): what each order takes from a count of 0, 1, 2, and 3 or more.

    Chen and Goodman's closed form supposes that n-grams recur as by chance; in books they come in bursts, and the
    discounts that predict *other* text best are larger. So they are fitted: each fold's positions, counts from the
    rest of the text.
    """
    size = len(trie.ids[1])
    every = max(1, folds // DISCOUNT_FOLDS)
    pairs = list(zip(pairwise(_edges(size, folds)), _held_out_ranges(size, folds), strict=True))[every // 2 :: every]
    step = max(1, sum(end - begin for (begin, end), _ in pairs) // HELD_OUT_SAMPLE)
    counts_of_targets, bases = [], []
    for (begin, end), held_out in pairs:
        counts = _event_counts(trie, held_out)
        targets = np.arange(begin, end, step)
        counts_of_targets.append(_target_counts(trie, counts, targets))
        bases.append(_unigram(trie, counts[1])[trie.symbols[1][trie.ids[1][targets]]])
    return _ascend(np.concatenate(counts_of_targets, axis=2), np.concatenate(bases))


def _target_counts(trie: Trie, counts: list[Ints], targets: Ints) -> Floats:
    """(5, order - 1, M): for each order from 2 the count of the n-gram that ends at a target, then its context's
    numbers of continuations counted once, twice and more often, then its context's total."""
    found = np.empty((5, trie.order - 1, len(targets)), np.float32)
    for k in range(2, trie.order + 1):
        firsts = trie.firsts[k - 1][:-1]
        begins = (targets - (k - 1)) % len(trie.ids[k])
        context = trie.ids[k - 1][begins]
        found[0, k - 2] = counts[k][trie.ids[k][begins]]
        for n in (1, 2):
            found[n, k - 2] = np.add.reduceat(counts[k] == n, firsts, dtype=np.int64)[context]
        found[3, k - 2] = np.add.reduceat(counts[k] > 2, firsts, dtype=np.int64)[context]
        found[4, k - 2] = np.add.reduceat(counts[k], firsts)[context]
    return found


def _ascend(found: Floats, bases: Floats, steps: int = 100) -> Floats:
    """(order + 1, 4): the discounts that make the targets likeliest, by Adam on their logits.

    Discounts are shares of the count they are taken from, so that none takes more than there is.
    """
    limits = np.array([1.0, 2.0, 3.0], np.float32)
    logits = np.full((found.shape[1], 3), 0.5, np.float32)
    mean, square = np.zeros_like(logits), np.zeros_like(logits)
    for step in range(1, steps + 1):
        shares = np.float32(1.0) / (np.float32(1.0) + np.exp(-logits))
        slope = _likelihood_slope(found, bases, shares * limits) * limits * shares * (1.0 - shares)
        mean += 0.1 * (slope - mean)
        square += 0.05 * (slope * slope - square)
        rate = 0.3 * (1 - step / (steps + 1)) / np.sqrt(square / (1 - 0.95**step) + 1e-16)
        logits += rate * mean / (1 - 0.9**step)
    discounts = np.zeros((found.shape[1] + 2, 4), np.float32)
    discounts[2:, 1:] = limits / (1.0 + np.exp(-logits))
    return discounts


def _likelihood_slope(found: Floats, bases: Floats, discounts: Floats) -> Floats:
    """(order - 1, 3): the mean log-likelihood's derivative by each discount."""
    count, *fans, total = found
    known = total > 0
    scale = np.where(known, 1.0 / np.maximum(total, 1.0), 0.0)
    taken = np.concatenate([np.zeros((len(discounts), 1), np.float32), discounts], axis=1)
    kinds = np.minimum(count, 3).astype(np.int64)
    kept = (count - np.take_along_axis(taken, kinds, axis=1)) * scale
    weights = np.where(known, sum(d[:, None] * fan for d, fan in zip(discounts.T, fans, strict=True)) * scale, 1.0)
    below = [bases]
    for k in range(len(discounts)):
        below.append(kept[k] + weights[k] * below[k])
    outer = 1.0 / (below[-1] * len(bases))
    slope = np.empty_like(discounts)
    for k in reversed(range(len(discounts))):
        for n, fan in enumerate(fans):
            slope[k, n] = (outer * scale[k] * (fan[k] * below[k] - (kinds[k] == n + 1))).sum()
        outer = outer * weights[k]
    return slope


def _densified(trie: Trie, table: Table, limit: int) -> Table:
    """The table with whole rows for the longest contexts of which `limit` probabilities hold all."""
    for k in range(1, trie.order):
        size = len(trie.symbols[k])
        if size * trie.vocab_size > limit:
            break
        rows = table.dense[trie.suffixes[k]] if k > 1 else np.tile(table.unigram, (size, 1))
        _interpolate(trie, table, k, np.arange(size), rows)
        table = replace(table, dense=rows, dense_length=k)
    return table


def _interpolate(trie: Trie, table: Table, k: int, contexts: Ints, rows: Floats) -> None:
    """Take `rows` (M, V), in place, from contexts of k - 1 tokens to `contexts` (M,) of k; -1 leaves a row alone."""
    where = np.flatnonzero(contexts >= 0)
    known = contexts[where]
    weights = np.ones(len(rows), np.float32)
    weights[where] = table.backoffs[k][known]
    rows *= weights[:, None]
    first = trie.firsts[k][known]
    fans = trie.firsts[k][known + 1] - first
    grams = np.arange(int(fans.sum())) + np.repeat(first - (np.cumsum(fans) - fans), fans)
    flat = np.repeat(where * trie.vocab_size, fans) + trie.symbols[k + 1][grams]
    rows.reshape(-1)[flat] += table.shares[k + 1][grams]


def _rows(trie: Trie, table: Table, contexts: Contexts) -> Floats:
    """(M, V) log-probabilities after contexts of M positions."""
    rows = np.tile(table.unigram, (len(contexts[0]), 1))
    d = table.dense_length
    if d:
        known = contexts[d] >= 0
        rows[known] = table.dense[contexts[d][known]]
    for k in range(1, trie.order):
        left = contexts[k] if k > d else np.where(contexts[d] < 0, contexts[k], -1)
        if (left >= 0).any():
            _interpolate(trie, table, k, left, rows)
    return np.log(rows, out=rows)


class NgramPrior:
    """Log-probabilities of the next token from counts of the training text; `trie` and `table` hold the counts."""

    def __init__(
        self, tokens: Tokens, sample: Ints, vocab_size: int, order: int, folds: int, discounts: Floats | None = None
    ) -> None:
        """Count `sample`, a part of the training text `tokens` or all of it; `discounts` None fits them."""
        self.vocab_size = vocab_size
        self.folds = folds
        self._tokens = tokens
        self._sample = sample
        self._text_size = len(tokens)
        self.trie = _build_trie(sample, vocab_size, order)
        self.order = self.trie.order
        self._discounts = _fit_discounts(self.trie, folds) if discounts is None else discounts
        self.table = _build_table(self.trie, range(0), self._discounts)
        self._fold_tables: list[Table] = []

    @classmethod
    def fit(
        cls, tokens: Tokens, vocab_size: int, order: int | None = None, folds: int = 9, limit: int | None = None
    ) -> NgramPrior:
        """Count the training tokens (N,), kept as they are, or `limit` of them, at most FIT_LIMIT; `order` None chooses
        one that the alphabet can fill. It becomes less where there would be too many n-grams."""
        limit = FIT_LIMIT if limit is None else min(limit, FIT_LIMIT)
        if len(tokens) == 0:
            raise ValueError("an n-gram prior needs at least one token of text.")
        order = order or default_order(vocab_size)
        folds = max(2, min(folds, len(tokens)))
        edges = _edges(len(tokens), folds)
        piece = min(len(tokens), limit) // folds
        whole = len(tokens) <= limit
        sample = tokens if whole else np.concatenate([tokens[a : a + piece] for a in edges[:-1]])
        return cls(tokens, sample.astype(np.int64), vocab_size, order, folds)

    def rows(self, windows: Ints) -> Floats:
        """(B, T, V): log-probabilities after windows[b, : t + 1], for windows (B, T) with nothing before them."""
        contexts = self._contexts(windows)
        flat = [ids.reshape(-1) for ids in contexts]
        step = max(1, CHUNK_LIMIT // self.vocab_size)
        rows = np.empty((windows.size, self.vocab_size), np.float32)
        for start in range(0, windows.size, step):
            chunk = [ids[start : start + step] for ids in flat]
            rows[start : start + step] = _rows(self.trie, self.table, chunk)
        return rows.reshape(*windows.shape, self.vocab_size)

    def losses(self, windows: Ints, targets: Ints) -> npt.NDArray[np.float64]:
        """Return (B, T): nats for targets (B, T), each after windows[b, : t + 1]; faster than whole rows."""
        contexts = self._contexts(windows)
        probabilities = self.table.unigram[targets].astype(np.float64)
        for k in range(1, self.order):
            grams = self.trie.extend(k, contexts[k], targets)
            shares = np.where(grams >= 0, self.table.shares[k + 1][grams], 0.0)
            longer = self.table.backoffs[k][contexts[k]] * probabilities + shares
            probabilities = np.where(contexts[k] >= 0, longer, probabilities)
        return -np.log(probabilities)

    def training_rows(self, starts: Ints, length: int) -> Floats:
        """(B, T, V): rows for the training windows of `length` tokens at `starts`, from the other folds' counts.

        Like validation windows they see nothing before their start.
        """
        self.prepare_training()
        windows = self._tokens[starts[:, None] + np.arange(length)].astype(np.int64)
        targets = starts[:, None] + np.arange(1, length + 1)
        fold = np.searchsorted(_edges(len(self._tokens), self.folds)[1:-1], targets % len(self._tokens), side="right")
        contexts = self._training_contexts(windows, targets)
        rows = np.empty((*windows.shape, self.vocab_size), np.float32)
        for f in np.unique(fold):
            here = fold == f
            rows[here] = _rows(self.trie, self._fold_tables[f], [ids[here] for ids in contexts])
        return rows

    def prepare_training(self) -> None:
        """Count the text without each fold; done once, on first use if need be."""
        if self._fold_tables:
            return
        if len(self._tokens) != self._text_size:
            raise ValueError("this prior counted a sample of a longer text: load it with the whole text to train on it")
        ranges = _held_out_ranges(len(self._sample), self.folds)
        with ThreadPoolExecutor(2) as threads:
            build = partial(_build_table, self.trie, discounts=self._discounts)
            self._fold_tables = list(threads.map(build, ranges))

    def next_row(self, context: Sequence[int]) -> Floats:
        """(V,): log-probabilities of the token after `context`."""
        cursor = self.cursor(1)
        row = np.log(self.table.unigram)
        for token in context[-(self.order - 1) :]:
            row = cursor.advance(np.array([token]))[0]
        return row

    def cursor(self, batch_size: int) -> NgramCursor:
        """A reader of `batch_size` texts, a token of each at a time."""
        return NgramCursor(self.trie, self.table, batch_size)

    @cached_property
    def pieces(self) -> CopiedPieces:
        """The pieces of the text counted, to find what was copied from it; made on first use."""
        is_whole = len(self._sample) == self._text_size
        return CopiedPieces([self._sample] if is_whole else np.array_split(self._sample, self.folds))

    def running_loss(self, tokens: Ints, start: int) -> float:
        """Nats per token over tokens[start:], the context running on from the first token."""
        contexts = self._contexts(tokens[None, :-1])
        step = max(1, CHUNK_LIMIT // self.vocab_size)
        total = 0.0
        for a in range(max(start, 1), len(tokens), step):
            targets = tokens[a : a + step]
            rows = _rows(self.trie, self.table, [ids[0, a - 1 : a - 1 + len(targets)] for ids in contexts])
            total -= float(rows[np.arange(len(targets)), targets].sum(dtype=np.float64))
        return total / (len(tokens) - max(start, 1))

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """The tokens counted, compressed, and the settings: they define every row."""
        width = np.min_scalar_type(self.vocab_size - 1)
        packed = zlib.compress(self._sample.astype(width).tobytes(), 3)
        settings = [self.vocab_size, self.order, self.folds, width.itemsize, self._text_size]
        tokens = np.frombuffer(packed, np.uint8).copy()
        return {"tokens": tokens, "settings": np.array(settings, np.int64), "discounts": self._discounts}

    @classmethod
    def from_state(cls, state: dict[str, npt.NDArray[Any]], tokens: Tokens | None = None) -> NgramPrior:
        """The prior that `state` describes, counted anew.

        To train on, one that counted a sample needs `tokens`, the whole training text; to read and write, none does.
        Raises ValueError where a stranger's state describes none.
        """
        if state.keys() != {"settings", "tokens", "discounts"} or state["settings"].shape != (5,):
            raise ValueError("it is incomplete")
        vocab_size, order, folds, width, text_size = (int(n) for n in state["settings"])
        sample = _unpacked(state["tokens"], width)
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

    def _contexts(self, windows: Ints) -> Contexts:
        """For windows (B, T): contexts[k] (B, T), the k tokens up to each position, within its window."""
        contexts: Contexts = [np.zeros(windows.shape, np.int64)]
        for k in range(1, self.order):
            first = min(k - 1, 1)
            ids = np.full(windows.shape, -1, np.int64)
            shorter = contexts[k - 1][:, : windows.shape[1] - first]
            ids[:, first:] = self.trie.extend(k - 1, shorter, windows[:, first:])
            contexts.append(ids)
        return contexts

    def _training_contexts(self, windows: Ints, targets: Ints) -> Contexts:
        """`_contexts` of training windows (B, T): looked up by position where all of the text was counted."""
        if len(self._sample) != len(self._tokens):
            return self._contexts(windows)
        size, place = len(self._tokens), np.arange(1, windows.shape[1] + 1)
        contexts: Contexts = [np.zeros(windows.shape, np.int64)]
        for k in range(1, self.order):
            contexts.append(np.where(place >= k, self.trie.ids[k][(targets - k) % size], -1))
        return contexts


class NgramCursor:
    """Reads texts on from their beginning, one token of each at a time, for generation."""

    def __init__(self, trie: Trie, table: Table, batch_size: int) -> None:
        self.trie = trie
        self.table = table
        nothing = np.full(batch_size, -1, np.int64)
        self._contexts: Contexts = [np.zeros(batch_size, np.int64), *[nothing] * (trie.order - 1)]

    def advance(self, tokens: Ints) -> Floats:
        """(B, V): log-probabilities after one more token (B,) of each text."""
        longer = [self.trie.extend(k, self._contexts[k], tokens) for k in range(self.trie.order - 1)]
        self._contexts = [self._contexts[0], *longer]
        return _rows(self.trie, self.table, self._contexts)


def _unpacked(packed: npt.NDArray[Any], width: int) -> Ints:
    """The tokens that `NgramPrior.state` compressed, at most FIT_LIMIT of them. Raises ValueError."""
    if width not in (1, 2, 4):
        raise ValueError("its tokens have no width")
    reader = zlib.decompressobj()
    try:
        raw = reader.decompress(packed.tobytes(), FIT_LIMIT * width)
    except zlib.error as error:
        raise ValueError("its tokens are cut short or altered") from error
    if not reader.eof or not raw or len(raw) % width:
        raise ValueError("its tokens are cut short, or too many")
    tokens: Ints = np.frombuffer(raw, np.dtype(f"u{width}")).astype(np.int64)
    return tokens


def count_limit(max_seconds: float | None) -> int:
    """Return how many tokens a run with a time budget counts at most, so that counting takes a small part of it."""
    return FIT_LIMIT if max_seconds is None else min(FIT_LIMIT, max(MIN_COUNTED, int(COUNTED_PER_SECOND * max_seconds)))


def counting_seconds(config: RunConfig, n_tokens: int) -> float:
    """Return about how long counting takes for a training text of `n_tokens`."""
    counted = min(n_tokens, count_limit(config.train.max_seconds)) if config.model.ngram_order else 0
    return counted * SECONDS_PER_TOKEN


def default_order(vocab_size: int) -> int:
    """The longest n-gram worth counting: the larger the alphabet, the sooner all n-grams are new."""
    return 7 if vocab_size <= SMALL_ALPHABET else 5 if vocab_size <= 1000 else 4


def capped_order(order: int, vocab_size: int) -> int:
    """`order`, or less where the alphabet is large."""
    return order if vocab_size <= SMALL_ALPHABET else min(order, default_order(vocab_size))


def _edges(size: int, folds: int) -> list[int]:
    """Where `folds` contiguous folds of `size` tokens begin and end."""
    return [size * f // folds for f in range(folds + 1)]
