"""The discounts: a maximum of the likelihood of text that was not counted."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.prior.kneser_ney import TOKENS, VOCAB
from tui_gpt.prior.discounts import LIMITS, _gradient, _Sample, _sample, fit_discounts
from tui_gpt.prior.folds import fold_ranges, held_out_ranges
from tui_gpt.prior.trie import build_trie


def in_double(samples: Sequence[_Sample]) -> _Sample:
    """Return the samples as one, in double precision."""
    arrays: Any = (np.concatenate(parts, axis=-1).astype(np.float64) for parts in zip(*samples, strict=True))
    return _Sample(*arrays)


def sample() -> _Sample:
    """Return a sample from one fold."""
    trie = build_trie(np.tile(TOKENS, 3), VOCAB, 4)
    size = len(trie.ids[1])
    fold, held_out = fold_ranges(size, 3)[1], held_out_ranges(size, 3)[1]
    return in_double([_sample(trie, held_out, np.arange(fold.start, fold.stop))])


def log_likelihood(sample: _Sample, discounts: np.ndarray) -> float:
    """Return the mean log-probability of the tokens, order by order as the formula is written."""
    probs = sample.unigram
    for k, discount in enumerate(discounts):
        taken = np.array([0.0, *discount])[np.minimum(sample.counts[k], 3).astype(int)]
        backoff_mass = discount @ sample.n_continuations[:, k]
        longer = (sample.counts[k] - taken + backoff_mass * probs) / np.maximum(sample.totals[k], 1)
        probs = np.where(sample.totals[k] > 0, longer, probs)
    return float(np.log(probs).mean())


def test_the_gradient_agrees_with_finite_differences() -> None:
    data = sample()
    discounts = np.array([[0.5, 0.9, 1.1], [0.7, 1.2, 1.6], [0.8, 1.5, 2.0]])
    gradient = _gradient(data, discounts)
    for index in np.ndindex(discounts.shape):
        step = np.zeros_like(discounts)
        step[index] = 1e-6
        difference = (log_likelihood(data, discounts + step) - log_likelihood(data, discounts - step)) / 2e-6
        np.testing.assert_allclose(gradient[index], difference, rtol=1e-4, atol=1e-8)


def test_fitted_discounts_are_within_their_limits_and_better_than_any_fixed_fraction() -> None:
    trie = build_trie(np.tile(TOKENS, 3), VOCAB, 4)
    discounts = fit_discounts(trie, folds=3)
    assert discounts.shape == (5, 4)
    assert not discounts[:2].any()
    assert not discounts[:, 0].any()
    assert (discounts[2:, 1:] > 0).all()
    assert (discounts[2:, 1:] < LIMITS).all()
    size = len(trie.ids[1])
    samples = [
        _sample(trie, held_out, np.arange(fold.start, fold.stop))
        for fold, held_out in zip(fold_ranges(size, 3), held_out_ranges(size, 3), strict=True)
    ]
    whole = in_double(samples)
    fitted = log_likelihood(whole, discounts[2:, 1:].astype(np.float64))
    for fraction in (0.1, 0.3, 0.5, 0.7, 0.9):
        assert fitted > log_likelihood(whole, np.tile(fraction * LIMITS, (3, 1)).astype(np.float64))
