"""Move the bias of a linear layer into the layer norm before it, for programs whose linear layer has none.

A normalised vector sums to zero, so a constant may be added to each row of the weights that it is multiplied with. That
constant is chosen such that a shift of the norm by 1 yields the bias, for any weights.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class FoldedLinear:
    """A linear layer without a bias, and the layer norm before it."""

    weight: npt.NDArray[np.float32]
    """(out, in)."""
    gain: npt.NDArray[np.float32]
    """(in,): the norm's weight."""
    shift: npt.NDArray[np.float32]
    """(in,): the norm's bias."""


def fold_bias(weight: Floats, bias: Floats, gain: Floats, shift: Floats) -> FoldedLinear:
    """Return the layers that compute weight (gain n + shift) + bias for every normalised n (in,).

    `weight` is (out, in), `bias` (out,), `gain` and `shift` (in,). Exact but for rounding to single precision.
    """
    weight = weight.astype(np.float64)
    scaled = weight * gain
    constant = (weight @ shift + bias - scaled.sum(axis=1)) / len(gain)
    ones = np.ones(len(gain), np.float32)
    return FoldedLinear((scaled + constant[:, None]).astype(np.float32), ones, ones)
