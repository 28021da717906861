"""The n-gram prior against a slow, readable one, and against leaks."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from tui_gpt.prior import ngram
from tui_gpt.prior.ngram import NgramPrior

TEXT = (
    "the cat sat on the mat and the rat sat on the cat; then the cat ate the rat that sat on the mat. "
    "a bat and a cat and a rat met at the mat, and that was that! "
)


def tokens_of(text: str) -> Any:
    return np.array([sorted(set(text)).index(character) for character in text])


TOKENS = tokens_of(TEXT)
VOCAB = int(TOKENS.max()) + 1


class SlowKneserNey:
    """Modified Kneser-Ney as the paper writes it, for one context at a time; the text is a ring."""

    def __init__(self, tokens: Any, vocab_size: int, order: int, held_out: set[int], discounts: Any):
        self.vocab_size, self.order, self.discounts = vocab_size, order, discounts
        size = len(tokens)
        ends = [end for end in range(size) if end not in held_out]
        grams = [tuple(int(tokens[(end - j) % size]) for j in reversed(range(order))) for end in ends]
        self.counts = {order: Counter(grams)}
        for k in range(order - 1, 0, -1):
            self.counts[k] = Counter(gram[1:] for gram in self.counts[k + 1])

    def probabilities(self, context: tuple[int, ...]) -> Any:
        """(V,) after `context`, which is shorter than `order`."""
        counts = self.counts[len(context) + 1]
        row = np.array([counts[(*context, w)] for w in range(self.vocab_size)], float)
        if not context:
            kept = np.maximum(row - 0.5, 0) / row.sum()
            return kept + (1 - kept.sum()) / self.vocab_size
        shorter = self.probabilities(context[1:])
        if row.sum() == 0:
            return shorter
        taken = self.discounts[len(context) + 1][np.minimum(row, 3).astype(int)]
        return (row - taken) / row.sum() + taken.sum() / row.sum() * shorter


def test_rows_are_those_of_a_slow_kneser_ney() -> None:
    """Every window position agrees with the paper's recursion, contexts cut at the window's start."""
    prior = NgramPrior.fit(TOKENS, VOCAB, order=4, folds=3)
    slow = SlowKneserNey(TOKENS, VOCAB, 4, set(), prior.state()["discounts"])
    windows = np.stack([TOKENS[3:19], TOKENS[::-1][:16], np.arange(16) % VOCAB])
    rows = prior.rows(windows)
    for b, window in enumerate(windows):
        for t in range(16):
            context = tuple(int(token) for token in window[max(0, t - 2) : t + 1])
            np.testing.assert_allclose(np.exp(rows[b, t]), slow.probabilities(context), rtol=1e-4)


def test_training_rows_are_those_of_a_prior_that_never_saw_the_fold_and_its_margins() -> None:
    """Cross-fitting: a target's row comes from the counts of the text that is not near it."""
    prior = NgramPrior.fit(TOKENS, VOCAB, order=4, folds=3)
    starts, length = np.array([0, 40, len(TOKENS) - 31]), 30
    rows = prior.training_rows(starts, length)
    size = len(TOKENS)
    margin = int(size * ngram.MARGIN)
    for b, start in enumerate(starts):
        for t in range(length):
            fold = sum(start + t + 1 >= size * f // 3 for f in (1, 2))
            held_out = range(size * fold // 3 - margin, size * (fold + 1) // 3 + margin)
            slow = SlowKneserNey(TOKENS, VOCAB, 4, {p % size for p in held_out}, prior.state()["discounts"])
            context = tuple(int(token) for token in TOKENS[start + max(0, t - 2) : start + t + 1])
            expected = np.log(slow.probabilities(context))
            np.testing.assert_allclose(rows[b, t], expected, atol=1e-4)


def test_training_rows_do_not_know_the_text_they_predict() -> None:
    """A passage that occurs once is a surprise to its own training rows, and none to the plain rows."""
    rng = np.random.default_rng(0)
    text = np.concatenate([np.tile(TOKENS, 8), rng.permutation(VOCAB), np.tile(TOKENS, 8)])
    start = len(TOKENS) * 8
    prior = NgramPrior.fit(text, VOCAB, order=5, folds=4)
    window, targets = text[start : start + VOCAB - 1], text[start + 1 : start + VOCAB]
    at = np.arange(3, VOCAB - 1), targets[3:]
    known = -prior.rows(window[None])[0][at].mean()
    surprised = -prior.training_rows(np.array([start]), VOCAB - 1)[0][at].mean()
    assert surprised > known + 1.0


def test_every_row_sums_to_one_whatever_the_context() -> None:
    prior = NgramPrior.fit(TOKENS, VOCAB, order=6, folds=5)
    windows = np.random.default_rng(0).integers(0, VOCAB, (5, 40))
    np.testing.assert_allclose(np.exp(prior.rows(windows)).sum(-1), 1.0, rtol=1e-4)
    starts = np.arange(0, len(TOKENS) - 41, 17)
    np.testing.assert_allclose(np.exp(prior.training_rows(starts, 40)).sum(-1), 1.0, rtol=5e-3)


def test_a_character_that_never_occurs_keeps_a_probability() -> None:
    prior = NgramPrior.fit(TOKENS, VOCAB + 3, order=4)
    rows = prior.rows(np.array([[0, VOCAB + 2, 5, VOCAB + 1]]))
    assert np.isfinite(rows).all()
    np.testing.assert_allclose(np.exp(rows).sum(-1), 1.0, rtol=1e-4)


def test_dense_and_sparse_rows_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables of whole rows are a shortcut, not another distribution."""
    windows = np.random.default_rng(1).integers(0, VOCAB, (3, 30))
    dense = NgramPrior.fit(TOKENS, VOCAB, order=5).rows(windows)
    monkeypatch.setattr(ngram._build_table, "__defaults__", (0,))
    np.testing.assert_allclose(NgramPrior.fit(TOKENS, VOCAB, order=5).rows(windows), dense, atol=1e-5)


def test_a_cursor_and_next_row_read_on_as_windows_do() -> None:
    prior = NgramPrior.fit(TOKENS, VOCAB, order=5)
    windows = np.stack([TOKENS[:25], TOKENS[30:55]])
    rows, cursor = prior.rows(windows), prior.cursor(2)
    for t in range(25):
        np.testing.assert_allclose(cursor.advance(windows[:, t]), rows[:, t], atol=1e-5)
    np.testing.assert_allclose(prior.next_row(list(windows[0])), rows[0, -1], atol=1e-5)
    np.testing.assert_allclose(np.exp(prior.next_row([])).sum(), 1.0, rtol=1e-5)


def test_running_loss_is_the_mean_surprise_of_the_rows() -> None:
    prior = NgramPrior.fit(TOKENS[:120], VOCAB, order=4)
    rows = prior.rows(TOKENS[None, :-1])[0]
    expected = -rows[np.arange(119, len(TOKENS) - 1), TOKENS[120:]].mean()
    assert prior.running_loss(TOKENS, 120) == pytest.approx(expected, rel=1e-5)


def test_a_state_makes_the_same_prior_again_for_use_and_for_training() -> None:
    """A checkpoint's prior is the prior, to the last bit."""
    prior = NgramPrior.fit(TOKENS, VOCAB, order=5, folds=4)
    state = prior.state()
    assert all(isinstance(array, np.ndarray) and array.dtype != object for array in state.values())
    again = NgramPrior.from_state(state)
    windows, starts = TOKENS[None, :60], np.array([7, 90])
    np.testing.assert_array_equal(again.rows(windows), prior.rows(windows))
    np.testing.assert_array_equal(again.training_rows(starts, 30), prior.training_rows(starts, 30))


def test_a_kilobyte_and_even_one_character_will_do() -> None:
    for text in ("to be or not to be, " * 50, "ab", "a"):
        tokens = tokens_of(text)
        prior = NgramPrior.fit(tokens, max(2, int(tokens.max()) + 1))
        assert np.isfinite(prior.rows(tokens[None, :20])).all()
        assert np.isfinite(prior.training_rows(np.array([0]), max(1, min(8, len(tokens) - 1)))).all()


def test_thousands_of_distinct_characters_fit() -> None:
    """Keys do not overflow and rows stay distributions with a vocabulary of 6,000."""
    rng = np.random.default_rng(0)
    tokens = (rng.pareto(1.0, 30_000) * 20).astype(np.int64) % 6000
    prior = NgramPrior.fit(tokens, 6000)
    np.testing.assert_allclose(np.exp(prior.rows(tokens[None, :50])).sum(-1), 1.0, rtol=1e-3)
    np.testing.assert_allclose(np.exp(prior.training_rows(np.array([5]), 50)).sum(-1), 1.0, rtol=1e-3)


def test_a_text_of_which_nothing_comes_again_gets_a_shorter_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = np.random.default_rng(1).integers(200, size=3_000)
    assert NgramPrior.fit(tokens, 200, order=7).order == 7
    monkeypatch.setattr(ngram, "NODE_LIMIT", 6_500)
    prior = NgramPrior.fit(tokens, 200, order=7)
    assert prior.order == 3
    np.testing.assert_allclose(np.exp(prior.rows(tokens[None, :20])).sum(-1), 1.0, rtol=1e-3)
    assert NgramPrior.from_state(prior.state()).order == 3
    monkeypatch.setattr(ngram, "NODE_LIMIT", 4_000)
    with pytest.raises(ValueError, match="too many n-grams"):
        NgramPrior.from_state(prior.state())


def test_the_same_is_counted_of_a_text_in_the_fewest_bytes() -> None:
    wide, narrow = (NgramPrior.fit(TOKENS.astype(kind), VOCAB, order=4) for kind in (np.int64, np.uint8))
    windows, starts = TOKENS[None, :60], np.array([7, 90])
    np.testing.assert_array_equal(wide.rows(windows), narrow.rows(windows))
    np.testing.assert_array_equal(wide.training_rows(starts, 30), narrow.training_rows(starts, 30))


def test_a_long_text_is_sampled_and_still_cross_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit a piece of each fold is counted, so memory does not grow with the text."""
    monkeypatch.setattr(ngram, "FIT_LIMIT", 300)
    text = np.tile(TOKENS, 10)
    prior = NgramPrior.fit(text, VOCAB, order=4, folds=3)
    starts = np.array([0, 700, len(text) - 21])
    rows = prior.training_rows(starts, 20)
    assert np.isfinite(rows).all()
    again = NgramPrior.from_state(prior.state())
    np.testing.assert_array_equal(again.rows(TOKENS[None]), prior.rows(TOKENS[None]))
    with pytest.raises(ValueError, match="whole text"):
        again.training_rows(starts, 20)
    np.testing.assert_array_equal(NgramPrior.from_state(prior.state(), text).training_rows(starts, 20), rows)


@pytest.mark.parametrize("order", [1, 2, 12])
def test_any_order_will_do(order: int) -> None:
    prior = NgramPrior.fit(TOKENS, VOCAB, order=order)
    np.testing.assert_allclose(np.exp(prior.rows(TOKENS[None, :40])).sum(-1), 1.0, rtol=1e-4)
    assert np.isfinite(prior.training_rows(np.array([3]), 40)).all()
    np.testing.assert_allclose(prior.next_row(list(TOKENS[:9])), prior.rows(TOKENS[None, :9])[0, -1], atol=1e-5)


def test_no_text_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="at least one token"):
        NgramPrior.fit(np.zeros(0, np.int64), 5)
