"""The n-gram prior in a checkpoint: its arrays among the model's weights, under names with a prefix of their own."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from tui_gpt.errors import CheckpointError
from tui_gpt.prior.ngram import NgramPrior

PRIOR_PREFIX = "prior."


def prior_tensors(prior: NgramPrior | None) -> dict[str, Tensor]:
    """Return the tensors that a checkpoint stores of the prior; none without one."""
    if prior is None:
        return {}
    arrays = prior.state().items()
    return {PRIOR_PREFIX + name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays}


def split_prior(
    tensors: Mapping[str, Tensor], tokens: np.ndarray | None = None
) -> tuple[dict[str, Tensor], NgramPrior | None]:
    """Split a checkpoint's tensors into the model's weights and the prior, if there is one.

    `tokens` is the training text, needed to train further. Raises CheckpointError where the prior is damaged.
    """
    weights = {name: tensor for name, tensor in tensors.items() if not name.startswith(PRIOR_PREFIX)}
    state = {
        name.removeprefix(PRIOR_PREFIX): tensor.numpy()
        for name, tensor in tensors.items()
        if name.startswith(PRIOR_PREFIX)
    }
    try:
        return weights, NgramPrior.from_state(state, tokens) if state else None
    except ValueError as error:
        raise CheckpointError(f"the checkpoint's n-gram prior is damaged: {error}: take another checkpoint") from error
