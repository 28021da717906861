"""A linear layer after a layer norm needs no bias of its own."""

import numpy as np
import pytest

from tui_gpt.storage.folding import fold_bias


@pytest.mark.parametrize("outputs", [3, 8, 40])
def test_the_folded_layers_compute_the_same_with_any_number_of_outputs(outputs: int) -> None:
    """Also with more outputs than inputs, where no shift of the norm alone can yield the bias."""
    draw = np.random.default_rng(outputs)
    weight, bias = draw.normal(size=(outputs, 8)), 3 * draw.normal(size=outputs)
    gain, shift = draw.normal(size=8), draw.normal(size=8)
    x = draw.normal(size=(50, 8))
    normal = (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)
    expected = (normal * gain + shift) @ weight.T + bias
    folded = fold_bias(weight, bias, gain, shift)
    assert folded.weight.dtype == folded.gain.dtype == folded.shift.dtype == np.float32
    np.testing.assert_allclose((normal * folded.gain + folded.shift) @ folded.weight.T, expected, atol=1e-5)
