"""The activation of models from GPT-2's family, which NumPy does not have."""

import numpy as np

from tui_gpt.generation.weights import Floats

_SLOPE = 0.3275911
_COEFFICIENTS = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)


def gelu(x: Floats) -> Floats:
    """Return x times the probability that a normal variable is below x, of any shape (Hendrycks and Gimpel 2016)."""
    return np.asarray(x * (1 + erf(x * np.float32(0.5**0.5))) / 2, np.float32)


def erf(x: Floats) -> Floats:
    """Return the error function within 1e-6, of any shape (Abramowitz and Stegun 1964, 7.1.26)."""
    t = 1 / (1 + np.float32(_SLOPE) * np.abs(x))
    polynomial = np.zeros_like(t)
    for coefficient in reversed(_COEFFICIENTS):
        polynomial = (polynomial + np.float32(coefficient)) * t
    return np.asarray(np.copysign(1 - polynomial * np.exp(-x * x), x), np.float32)
