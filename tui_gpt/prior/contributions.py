"""What the n-grams of each order contribute to one prediction of the prior.

Interpolated smoothing gives each order what the longer ones leave: an n-gram's discounted probability counts with the
product of the back-off weights of all longer contexts that were found (see table.py). So the contributions of all
orders add up to the prior's probabilities.
"""

from dataclasses import dataclass

import numpy as np

from tui_gpt.prior.ngram import NgramPrior
from tui_gpt.prior.table import Floats
from tui_gpt.prior.trie import Ints


@dataclass(frozen=True)
class OrderContributions:
    """The contributions to the distribution of the next token after one text."""

    context_length: int
    """Tokens of the longest end of the text that was counted; the longest n-grams used have one token more."""
    probs: Floats
    """(K, V) for K = context_length + 1 orders: row k is the part of each token's probability that comes from n-grams
    of k + 1 tokens. Row 0 includes the uniform distribution that the counts of single tokens are smoothed with. The sum
    of the rows is the prior's distribution."""


def order_contributions(prior: NgramPrior, tokens: Ints) -> OrderContributions:
    """Return the contributions after `tokens` (T,), the end of a text."""
    trie, table = prior.trie, prior.table
    found = [int(ids[0, -1]) for ids in trie.contexts(tokens[None, -prior.order :])]
    longest = max(k for k, gram in enumerate(found) if gram >= 0)
    probs = np.zeros((longest + 1, prior.vocab_size), np.float32)
    probs[0] = table.unigram
    for k in range(1, longest + 1):
        if found[k] >= 0:
            grams = slice(trie.firsts[k][found[k]], trie.firsts[k][found[k] + 1])
            probs *= table.backoffs[k][found[k]]
            probs[k, trie.symbols[k + 1][grams]] = table.discounted_probs[k + 1][grams]
    return OrderContributions(longest, probs)
