"""Fit the discounts of modified Kneser-Ney smoothing to text that was not counted.

Chen and Goodman's closed form assumes that n-grams recur independently; in books they come in bursts, and the discounts
that predict *other* text best are larger. So they maximise the likelihood of some folds of the text under the counts of
the rest, by gradient ascent.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tui_gpt.prior.folds import fold_ranges, held_out_ranges
from tui_gpt.prior.table import Floats, unigram_probs
from tui_gpt.prior.trie import Ints, Trie, kneser_ney_counts

SAMPLE_SIZE = 20_000
"""Positions, evenly spaced over the folds used, whose likelihood is maximised."""
FOLDS_USED = 3
"""Folds that the sample is taken from; nine predict no better and take twice as long."""
LIMITS = np.array([1.0, 2.0, 3.0], np.float32)
"""Upper bounds of the discounts of counts 1, 2, and 3 or more: no more than the count itself."""


class _Sample(NamedTuple):
    """Counts at M positions, from the text outside their folds, for K = order - 1 orders from 2 on."""

    counts: Floats
    """(K, M): of the n-gram that ends at each position."""
    n_continuations: Floats
    """(3, K, M): how many n-grams that extend the same context have a count of 1, of 2, and of 3 or more."""
    totals: Floats
    """(K, M): the sum of their counts."""
    unigram: Floats
    """(M,): the probability of the token without context."""


def fit_discounts(trie: Trie, folds: int) -> Floats:
    """Return (order + 1, 4): the discounts by the n-gram's length and its count 0, 1, 2, and 3 or more."""
    size = len(trie.longest)
    every = max(1, folds // FOLDS_USED)
    pairs = list(zip(fold_ranges(size, folds), held_out_ranges(size, folds), strict=True))[every // 2 :: every]
    step = max(1, sum(len(fold) for fold, _ in pairs) // SAMPLE_SIZE)
    samples = [_sample(trie, held_out, np.arange(fold.start, fold.stop, step)) for fold, held_out in pairs]
    return _fit_by_adam(_Sample(*(np.concatenate(arrays, axis=-1) for arrays in zip(*samples, strict=True))))


def _sample(trie: Trie, held_out: range, positions: Ints) -> _Sample:
    """Return the counts outside `held_out` at `positions` (M,)."""
    counts = kneser_ney_counts(trie, held_out)
    shape = (trie.order - 1, len(positions))
    sample = _Sample(
        counts=np.empty(shape, np.float32),
        n_continuations=np.empty((3, *shape), np.float32),
        totals=np.empty(shape, np.float32),
        unigram=unigram_probs(trie, counts[1])[trie.symbols[1][trie.ids[1][positions]]],
    )
    for k in range(2, trie.order + 1):
        firsts = trie.firsts[k - 1][:-1]
        begins = (positions - (k - 1)) % len(trie.ids[k])
        context = trie.ids[k - 1][begins]
        sample.counts[k - 2] = counts[k][trie.ids[k][begins]]
        sample.totals[k - 2] = np.add.reduceat(counts[k], firsts)[context]
        for n, has_count in enumerate((counts[k] == 1, counts[k] == 2, counts[k] > 2)):
            sample.n_continuations[n, k - 2] = np.add.reduceat(has_count, firsts, dtype=np.int64)[context]
    return sample


def _fit_by_adam(sample: _Sample, steps: int = 100) -> Floats:
    """Return (order + 1, 4): the discounts under which the sample is likeliest.

    A discount is a fraction of its limit, given by the sigmoid of a logit; Adam (Kingma and Ba 2015) with a linearly
    decaying learning rate fits the logits.
    """
    logits = np.full((len(sample.counts), 3), 0.5, np.float32)
    mean, square = np.zeros_like(logits), np.zeros_like(logits)
    for step in range(1, steps + 1):
        fractions = np.float32(1.0) / (np.float32(1.0) + np.exp(-logits))
        gradient = _gradient(sample, fractions * LIMITS) * LIMITS * fractions * (1.0 - fractions)
        mean += 0.1 * (gradient - mean)
        square += 0.05 * (gradient * gradient - square)
        learning_rate = 0.3 * (1 - step / (steps + 1)) / np.sqrt(square / (1 - 0.95**step) + 1e-16)
        logits += learning_rate * mean / (1 - 0.9**step)
    discounts = np.zeros((len(logits) + 2, 4), np.float32)
    discounts[2:, 1:] = LIMITS / (1.0 + np.exp(-logits))
    return discounts


def _gradient(sample: _Sample, discounts: Floats) -> Floats:
    """Return (K, 3): the derivative of the sample's mean log-likelihood with respect to `discounts` (K, 3)."""
    counts, n_continuations, totals, unigram = sample
    is_known = totals > 0
    scale = np.where(is_known, 1.0 / np.maximum(totals, 1.0), 0.0)
    discount_of_count = np.concatenate([np.zeros((len(discounts), 1), np.float32), discounts], axis=1)
    count_bins = np.minimum(counts, 3).astype(np.int64)
    discounted_probs = (counts - np.take_along_axis(discount_of_count, count_bins, axis=1)) * scale
    discounted = sum(d[:, None] * n for d, n in zip(discounts.T, n_continuations, strict=True))
    backoffs = np.where(is_known, discounted * scale, 1.0)
    probs = [unigram]  # of the sample's tokens after contexts of 0, 1, ... tokens
    for k in range(len(discounts)):
        probs.append(discounted_probs[k] + backoffs[k] * probs[k])
    upstream = 1.0 / (probs[-1] * len(unigram))
    gradient = np.empty_like(discounts)
    for k in reversed(range(len(discounts))):
        for n, continuations in enumerate(n_continuations):
            gradient[k, n] = (upstream * scale[k] * (continuations[k] * probs[k] - (count_bins[k] == n + 1))).sum()
        upstream = upstream * backoffs[k]
    return gradient
