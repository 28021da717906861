"""Divide the log-probability of a token among the parts that add to the logits.

A part's share is the mean, over all orders in which the parts can be added to the logits, of how much adding it raises
the log-probability of the token (Shapley 1953). The first sum is empty and predicts all V tokens alike, so the shares
of all parts add up to exactly log p - log(1 / V).

A share is about the logits alone: the network also reads the prior and the matches as inputs, and what it makes of
them is in its own term.
"""

import math
from collections.abc import Iterator, Mapping
from itertools import chain, combinations

import numpy as np
import numpy.typing as npt

from tui_gpt.generation.decoder import LogitTerms, PartName
from tui_gpt.generation.sampling import log_softmax

Probs = npt.NDArray[np.float64]


def shares_of(terms: LogitTerms) -> Mapping[PartName, Probs]:
    """Return the share (V,) of each part in every token's log-probability, in nats, for the terms (M, V) of the logits
    of M networks, whose probabilities are averaged."""
    names = tuple(terms)
    log_probs = {chosen: mixed_log_probs(terms, chosen) for chosen in _subsets(names)}
    return {name: _share(name, names, log_probs) for name in names}


def mixed_log_probs(terms: LogitTerms, chosen: tuple[PartName, ...]) -> Probs:
    """Return the log-probabilities (V,) that the networks would give on average if only the `chosen` parts added to the
    logits."""
    nothing = np.zeros(next(iter(terms.values())).shape)
    each = log_softmax(sum((terms[name] for name in chosen), nothing))
    return np.asarray(np.logaddexp.reduce(each, axis=0) - math.log(len(each)))


def _share(name: PartName, names: tuple[PartName, ...], log_probs: Mapping[tuple[PartName, ...], Probs]) -> Probs:
    others = tuple(other for other in names if other != name)
    share = np.zeros_like(log_probs[()])
    for before in _subsets(others):
        after = tuple(other for other in names if other in before or other == name)
        orders = math.factorial(len(before)) * math.factorial(len(others) - len(before))
        share += orders / math.factorial(len(names)) * (log_probs[after] - log_probs[before])
    return share


def _subsets(names: tuple[PartName, ...]) -> Iterator[tuple[PartName, ...]]:
    return chain.from_iterable(combinations(names, size) for size in range(len(names) + 1))
