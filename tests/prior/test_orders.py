"""Losses of n-gram models of each order."""

import math

import pytest

from tests.text.helpers import text_of
from tui_gpt.prior import orders
from tui_gpt.text.dataset import Corpus

SENTENCES = "".join(f"the cat number {n % 7} sat on the mat, and the dog slept.\n" for n in range(60))


def test_longer_contexts_predict_a_repetitive_text_better() -> None:
    corpus = Corpus.build(text_of(SENTENCES), 1)
    losses = dict(orders.losses_by_order(corpus))
    assert list(losses) == [1, 2, 3, 4, 5, 6, 7]
    assert math.log(corpus.tokenizer.vocab_size) > losses[1] > losses[2] > losses[4] > 0
    assert losses[3] == orders.validation_loss(corpus, 3)


def test_the_loss_of_single_characters_is_their_cross_entropy() -> None:
    """Within the smoothing: half a count is taken from each character and shared out."""
    corpus = Corpus.build(text_of("ab" * 500), 1)
    assert orders.validation_loss(corpus, 1) == pytest.approx(math.log(2), abs=1e-3)


def test_a_long_text_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = Corpus.build(text_of(SENTENCES), 1)
    assert not orders.is_sampled(corpus)
    whole = orders.validation_loss(corpus, 3)
    monkeypatch.setattr(orders, "MIN_COUNTED", len(corpus.train) // 2)
    assert orders.is_sampled(corpus)
    assert orders.validation_loss(corpus, 3) != whole
