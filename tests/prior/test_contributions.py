"""What the n-grams of each order contribute adds up to the prior."""

import numpy as np

from tui_gpt.prior.contributions import order_contributions
from tui_gpt.prior.ngram import NgramPrior


def test_the_contributions_of_all_orders_are_the_priors_probabilities() -> None:
    """After seen and unseen contexts, shorter and longer than the order; the text is random, so orders differ."""
    tokens = np.random.default_rng(1).integers(0, 6, 400)
    prior = NgramPrior.fit(tokens, 6, 5)
    for text in (tokens[:1], tokens[10:13], tokens[50:90], np.array([0, 1, 2, 3, 4, 5, 0, 1])):
        found = order_contributions(prior, text)
        np.testing.assert_allclose(np.log(found.probs.sum(axis=0)), prior.rows(text[None])[0, -1], atol=1e-5)
        assert len(found.probs) == found.context_length + 1 <= min(5, len(text) + 1)


def test_the_longest_context_is_the_longest_end_that_was_counted() -> None:
    prior = NgramPrior.fit(np.array([0, 1, 2, 3] * 20), 6, 4)
    assert order_contributions(prior, np.array([1, 2, 3])).context_length == 3
    assert order_contributions(prior, np.array([3, 2, 3])).context_length == 2
    assert order_contributions(prior, np.array([2, 5])).context_length == 0
