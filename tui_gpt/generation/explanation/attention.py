"""Where the newest position of a text looked."""

from dataclasses import dataclass

import numpy as np

from tui_gpt.generation.explanation.places import Place
from tui_gpt.generation.weights import Floats


@dataclass(frozen=True)
class Attention:
    """The attention weights of the newest token of a text, over itself and the tokens before it."""

    weights: Floats
    """(M, L, H, n): for each network, layer and head the weights of the last n tokens, which add up to 1. L is 0 for a
    model without blocks."""
    places: tuple[Place, ...]
    """Where each of the n tokens is in the text."""

    def mean(
        self, layer: int | None = None, head: int | None = None, member: int | None = None, *, skip_first: bool = False
    ) -> Floats:
        """Return (n,): the weights of one layer, head and network, all counted from 0, or their mean where it is None.

        `skip_first` sets the weight of the oldest of the n tokens to 0, and scales the others so that they add up to 1
        again; many heads rest on it. All are 0 without blocks, or if only that token is left. Raises IndexError.
        """
        chosen = self.weights
        for axis, index in enumerate((member, layer, head)):
            if index is not None:
                chosen = np.take(chosen, [index], axis=axis)
        if not chosen.size:
            return np.zeros(len(self.places), np.float32)
        mean = np.asarray(chosen.mean(axis=(0, 1, 2)))
        return _without_first(mean) if skip_first else mean


def _without_first(weights: Floats) -> Floats:
    rest = np.concatenate([np.zeros(1, np.float32), weights[1:]])
    total = rest.sum()
    return rest / total if total > 0 else rest
