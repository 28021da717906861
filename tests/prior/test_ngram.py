"""The n-gram prior against a slow one, and against training text that leaks into its own rows."""

import numpy as np
import pytest

from tests.prior.kneser_ney import TOKENS, VOCAB, SlowKneserNey, tokens_of
from tui_gpt.prior import ngram, table, trie
from tui_gpt.prior.folds import MARGIN
from tui_gpt.prior.ngram import NgramPrior


def test_rows_agree_with_the_slow_model() -> None:
    """At every position of a window, with contexts cut at the window's start."""
    prior = NgramPrior.fit(TOKENS, VOCAB, order=4, folds=3)
    slow = SlowKneserNey(TOKENS, VOCAB, 4, set(), prior.state()["discounts"])
    windows = np.stack([TOKENS[3:19], TOKENS[::-1][:16], np.arange(16) % VOCAB])
    rows = prior.rows(windows)
    for b, window in enumerate(windows):
        for t in range(16):
            context = tuple(int(token) for token in window[max(0, t - 2) : t + 1])
            np.testing.assert_allclose(np.exp(rows[b, t]), slow.probs(context), rtol=1e-4)


def test_training_rows_are_those_of_a_prior_that_did_not_count_the_fold_and_its_margins() -> None:
    prior = NgramPrior.fit(TOKENS, VOCAB, order=4, folds=3)
    starts, length = np.array([0, 40, len(TOKENS) - 31]), 30
    rows = prior.training_rows(starts, length)
    size = len(TOKENS)
    margin = int(size * MARGIN)
    for b, start in enumerate(starts):
        for t in range(length):
            fold = sum(start + t + 1 >= size * f // 3 for f in (1, 2))
            held_out = range(size * fold // 3 - margin, size * (fold + 1) // 3 + margin)
            slow = SlowKneserNey(TOKENS, VOCAB, 4, {p % size for p in held_out}, prior.state()["discounts"])
            context = tuple(int(token) for token in TOKENS[start + max(0, t - 2) : start + t + 1])
            np.testing.assert_allclose(rows[b, t], np.log(slow.probs(context)), atol=1e-4)


def test_training_rows_do_not_leak_the_text_they_predict() -> None:
    """A passage that occurs once has a high loss under its training rows and a low one under the plain rows."""
    rng = np.random.default_rng(0)
    text = np.concatenate([np.tile(TOKENS, 8), rng.permutation(VOCAB), np.tile(TOKENS, 8)])
    start = len(TOKENS) * 8
    prior = NgramPrior.fit(text, VOCAB, order=5, folds=4)
    window, targets = text[start : start + VOCAB - 1], text[start + 1 : start + VOCAB]
    at = np.arange(3, VOCAB - 1), targets[3:]
    counted = -prior.rows(window[None])[0][at].mean()
    held_out = -prior.training_rows(np.array([start]), VOCAB - 1)[0][at].mean()
    assert held_out > counted + 1.0


def test_probabilities_sum_to_one_after_any_context() -> None:
    prior = NgramPrior.fit(TOKENS, VOCAB, order=6, folds=5)
    windows = np.random.default_rng(0).integers(0, VOCAB, (5, 40))
    np.testing.assert_allclose(np.exp(prior.rows(windows)).sum(-1), 1.0, rtol=1e-4)
    starts = np.arange(0, len(TOKENS) - 41, 17)
    np.testing.assert_allclose(np.exp(prior.training_rows(starts, 40)).sum(-1), 1.0, rtol=5e-3)


def test_a_token_that_never_occurs_has_a_probability() -> None:
    prior = NgramPrior.fit(TOKENS, VOCAB + 3, order=4)
    rows = prior.rows(np.array([[0, VOCAB + 2, 5, VOCAB + 1]]))
    assert np.isfinite(rows).all()
    np.testing.assert_allclose(np.exp(rows).sum(-1), 1.0, rtol=1e-4)


def test_rows_do_not_depend_on_which_contexts_have_dense_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = np.random.default_rng(1).integers(0, VOCAB, (3, 30))
    dense = NgramPrior.fit(TOKENS, VOCAB, order=5)
    monkeypatch.setattr(table.build_table, "__defaults__", (0,))
    sparse = NgramPrior.fit(TOKENS, VOCAB, order=5)
    assert dense.table.dense_length > sparse.table.dense_length == 0
    np.testing.assert_allclose(sparse.rows(windows), dense.rows(windows), atol=1e-5)


def test_rows_do_not_depend_on_how_many_are_computed_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    prior = NgramPrior.fit(TOKENS, VOCAB, order=4)
    windows = TOKENS[:60].reshape(4, 15)
    rows = prior.rows(windows)
    monkeypatch.setattr(ngram, "CHUNK_LIMIT", 7 * VOCAB)
    np.testing.assert_array_equal(prior.rows(windows), rows)


def test_losses_are_those_of_the_rows() -> None:
    prior = NgramPrior.fit(TOKENS[:120], VOCAB, order=4)
    windows, targets = TOKENS[None, :-1], TOKENS[None, 1:]
    expected = -np.take_along_axis(prior.rows(windows), targets[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(prior.losses(windows, targets), expected, rtol=1e-5, atol=1e-6)


def test_a_cursor_gives_the_rows_of_a_window() -> None:
    prior = NgramPrior.fit(TOKENS, VOCAB, order=5)
    windows = np.stack([TOKENS[:25], TOKENS[30:55]])
    rows, cursor = prior.rows(windows), prior.cursor(2)
    for t in range(25):
        np.testing.assert_allclose(cursor.advance(windows[:, t]), rows[:, t], atol=1e-5)


def test_a_restored_prior_has_the_same_rows_to_the_bit() -> None:
    prior = NgramPrior.fit(TOKENS, VOCAB, order=5, folds=4)
    state = prior.state()
    assert all(isinstance(array, np.ndarray) and array.dtype != object for array in state.values())
    restored = NgramPrior.from_state(state)
    windows, starts = TOKENS[None, :60], np.array([7, 90])
    np.testing.assert_array_equal(restored.rows(windows), prior.rows(windows))
    np.testing.assert_array_equal(restored.training_rows(starts, 30), prior.training_rows(starts, 30))


@pytest.mark.parametrize("text", ["to be or not to be, " * 50, "ab", "a"], ids=["kilobyte", "two", "one"])
def test_a_short_text_is_enough(text: str) -> None:
    tokens = tokens_of(text)
    prior = NgramPrior.fit(tokens, max(2, int(tokens.max()) + 1))
    assert np.isfinite(prior.rows(tokens[None, :20])).all()
    assert np.isfinite(prior.training_rows(np.array([0]), max(1, min(8, len(tokens) - 1)))).all()


def test_a_vocabulary_of_thousands_overflows_no_keys() -> None:
    rng = np.random.default_rng(0)
    tokens = (rng.pareto(1.0, 30_000) * 20).astype(np.int64) % 6000
    prior = NgramPrior.fit(tokens, 6000)
    np.testing.assert_allclose(np.exp(prior.rows(tokens[None, :50])).sum(-1), 1.0, rtol=1e-3)
    np.testing.assert_allclose(np.exp(prior.training_rows(np.array([5]), 50)).sum(-1), 1.0, rtol=1e-3)


def test_a_text_with_too_many_distinct_ngrams_gets_a_lower_order(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = np.random.default_rng(1).integers(200, size=3_000)
    assert NgramPrior.fit(tokens, 200, order=7).order == 7
    monkeypatch.setattr(trie, "NODE_LIMIT", 6_500)
    prior = NgramPrior.fit(tokens, 200, order=7)
    assert prior.order == 3
    np.testing.assert_allclose(np.exp(prior.rows(tokens[None, :20])).sum(-1), 1.0, rtol=1e-3)
    assert NgramPrior.from_state(prior.state()).order == 3
    monkeypatch.setattr(trie, "NODE_LIMIT", 4_000)
    with pytest.raises(ValueError, match="too many n-grams"):
        NgramPrior.from_state(prior.state())


def test_rows_do_not_depend_on_the_integer_type_of_the_text() -> None:
    wide, narrow = (NgramPrior.fit(TOKENS.astype(kind), VOCAB, order=4) for kind in (np.int64, np.uint8))
    windows, starts = TOKENS[None, :60], np.array([7, 90])
    np.testing.assert_array_equal(wide.rows(windows), narrow.rows(windows))
    np.testing.assert_array_equal(wide.training_rows(starts, 30), narrow.training_rows(starts, 30))


def test_a_long_text_is_sampled_and_still_cross_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece of each fold is counted, so memory does not grow with the text."""
    monkeypatch.setattr(ngram, "FIT_LIMIT", 300)
    text = np.tile(TOKENS, 10)
    prior = NgramPrior.fit(text, VOCAB, order=4, folds=3)
    starts = np.array([0, 700, len(text) - 21])
    rows = prior.training_rows(starts, 20)
    assert np.isfinite(rows).all()
    restored = NgramPrior.from_state(prior.state())
    np.testing.assert_array_equal(restored.rows(TOKENS[None]), prior.rows(TOKENS[None]))
    with pytest.raises(ValueError, match="whole text"):
        restored.training_rows(starts, 20)
    np.testing.assert_array_equal(NgramPrior.from_state(prior.state(), text).training_rows(starts, 20), rows)


@pytest.mark.parametrize("order", [1, 2, 12])
def test_any_order_works(order: int) -> None:
    prior = NgramPrior.fit(TOKENS, VOCAB, order=order)
    rows, cursor = prior.rows(TOKENS[None, :40]), prior.cursor(1)
    np.testing.assert_allclose(np.exp(rows).sum(-1), 1.0, rtol=1e-4)
    assert np.isfinite(prior.training_rows(np.array([3]), 40)).all()
    for t in range(9):
        np.testing.assert_allclose(cursor.advance(TOKENS[t : t + 1]), rows[:, t], atol=1e-5)


def test_an_empty_text_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one token"):
        NgramPrior.fit(np.zeros(0, np.int64), 5)
