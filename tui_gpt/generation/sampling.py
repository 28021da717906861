"""Sampling from logits: temperature, top-k, top-p, min-p and the draw, as pure functions of NumPy arrays.

Every function takes logits or probabilities of shape (..., V), one row or a batch. Among equally likely characters the
lower id comes first, so equal inputs always give equal text.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from tui_gpt.config import SampleConfig

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]


def softmax(logits: Floats) -> Floats:
    """Return probabilities (..., V)."""
    exponentials = np.exp(logits - logits.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)  # type: ignore[no-any-return]


def log_softmax(logits: Floats) -> Floats:
    """Return log-probabilities (..., V)."""
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))  # type: ignore[no-any-return]


def keep_top_k(probabilities: Floats, k: int) -> Floats:
    """Return the probabilities with all but the k most likely set to zero; 0 keeps all (Fan et al. 2018).

    The result is not normalised.
    """
    if not 0 < k < probabilities.shape[-1]:
        return probabilities
    dropped = np.argsort(-probabilities, axis=-1, kind="stable")[..., k:]
    return _without(probabilities, dropped)


def keep_top_p(probabilities: Floats, p: float) -> Floats:
    """Keep the smallest set of most likely characters with at least the fraction p of the total (Holtzman et al. 2020).

    The others become zero. The result is not normalised.
    """
    if p >= 1:
        return probabilities
    order = np.argsort(-probabilities, axis=-1, kind="stable")
    held = np.cumsum(np.take_along_axis(probabilities, order, -1), axis=-1, dtype=np.float64)
    enough = (held < p * held[..., -1:]).sum(-1, keepdims=True)
    kept = np.zeros(probabilities.shape, bool)
    np.put_along_axis(kept, order, np.arange(order.shape[-1]) <= enough, -1)
    return np.where(kept, probabilities, 0)


def keep_min_p(probabilities: Floats, fraction: float) -> Floats:
    """Keep the characters with at least `fraction` of the highest probability (Nguyen et al. 2024); 0 keeps all.

    The others become zero. The result is not normalised.
    """
    if fraction <= 0:
        return probabilities
    return np.where(probabilities >= fraction * probabilities.max(-1, keepdims=True), probabilities, 0)


def filtered(logits: Floats, config: SampleConfig) -> Floats:
    """Apply the temperature, then top_k, top_p and min_p in turn; return probabilities, not normalised."""
    probabilities = softmax(logits.astype(np.float64) / config.temperature)
    probabilities = keep_top_k(probabilities, config.top_k)
    probabilities = keep_top_p(probabilities, config.top_p)
    return keep_min_p(probabilities, config.min_p)


def filtered_probabilities(probabilities: Floats, config: SampleConfig) -> Floats:
    """Return the distribution (..., V) that tokens are drawn from, given the model's own; it adds up to 1."""
    logits = np.log(np.maximum(probabilities.astype(np.float64), np.finfo(np.float64).tiny))
    kept = filtered(logits, config) if config.temperature else keep_top_k(softmax(logits), 1)
    return np.asarray(kept / kept.sum(-1, keepdims=True))


def draw(probabilities: Floats, uniforms: Floats) -> Ints:
    """Draw one id (...) from each distribution (..., V), normalised or not, by inverting its cumulative sum.

    `uniforms` (...) are in [0, 1).
    """
    held = np.cumsum(probabilities, axis=-1, dtype=np.float64)
    return np.asarray(np.argmax(held > uniforms[..., None] * held[..., -1:], axis=-1))


def choose(logits: Floats, config: SampleConfig, uniforms: Floats) -> Ints:
    """Return the next ids (...) for `logits` (..., V); temperature 0 takes the most likely, whatever the filters."""
    if config.temperature == 0:
        return np.asarray(np.argmax(logits, axis=-1))
    return draw(filtered(logits, config), uniforms)


def _without(probabilities: Floats, dropped: Ints) -> Floats:
    kept = probabilities.copy()
    np.put_along_axis(kept, dropped, 0, -1)
    return kept
