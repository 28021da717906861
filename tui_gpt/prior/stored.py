"""Store and load the n-gram prior in a checkpoint: arrays among the model's weights, with a prefix."""

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tui_gpt.errors import CheckpointError
from tui_gpt.prior.ngram import NgramPrior, Tokens
from tui_gpt.storage.checkpoint import PRIOR_PREFIX

_Value = TypeVar("_Value")


def prior_arrays(prior: NgramPrior | None) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of the prior for a checkpoint; empty for None."""
    if prior is None:
        return {}
    return {PRIOR_PREFIX + name: np.ascontiguousarray(array) for name, array in prior.state().items()}


def without_prior(weights: Mapping[str, _Value]) -> dict[str, _Value]:
    """Return the model's weights without the arrays of the prior."""
    return {name: value for name, value in weights.items() if not name.startswith(PRIOR_PREFIX)}


def read_prior(
    arrays: Mapping[str, npt.NDArray[Any]], vocab_size: int, order: int, tokens: Tokens | None = None
) -> NgramPrior | None:
    """Return the prior among a checkpoint's arrays, for a model of this alphabet and order; None if `order` is 0.

    `tokens` is the training text, needed to train further. Raises CheckpointError if the prior is damaged or
    does not fit.
    """
    state = {name.removeprefix(PRIOR_PREFIX): a for name, a in arrays.items() if name.startswith(PRIOR_PREFIX)}
    try:
        prior = NgramPrior.from_state(state, tokens) if state else None
    except ValueError as error:
        raise CheckpointError(f"the checkpoint's n-gram prior is damaged: {error}: take another checkpoint") from error
    if (prior and (prior.vocab_size, prior.order)) != ((vocab_size, order) if order else None):
        raise CheckpointError("the checkpoint's n-gram prior does not fit its model: take another checkpoint")
    return prior
