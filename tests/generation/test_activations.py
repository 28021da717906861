"""GELU and the error function in NumPy, against the standard library's."""

import math

import numpy as np

from tui_gpt.generation.activations import erf, gelu

X = np.linspace(-12, 12, 4_801, dtype=np.float32)


def test_the_error_function_is_that_of_the_standard_library() -> None:
    expected = np.array([math.erf(x) for x in X])
    assert np.abs(erf(X) - expected).max() < 1e-6


def test_gelu_is_exact_and_not_its_approximation_by_tanh() -> None:
    expected = np.array([x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in X])
    by_tanh = X * (1 + np.tanh(math.sqrt(2 / math.pi) * (X + 0.044715 * X**3))) / 2
    assert np.abs(gelu(X) - expected).max() < 2e-6
    assert np.abs(by_tanh - expected).max() > 1e-4
