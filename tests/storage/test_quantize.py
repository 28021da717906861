"""Weights in eight bits: close to what they were, and refused where they were tampered with."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tui_gpt.storage.quantize import INT8, SCALES, dequantized, quantized

Array = npt.NDArray[Any]


def weights() -> dict[str, Array]:
    generator = np.random.default_rng(1)
    matrix = generator.normal(size=(5, 40)) * np.array([[1e-4], [1.0], [30.0], [1.0], [0.0]])
    return {
        "matrix": matrix.astype(np.float32),
        "stack": generator.normal(size=(2, 3, 8)).astype(np.float32),
        "vector": generator.normal(size=7).astype(np.float32),
        "numbers": np.arange(9),
        "exact": generator.normal(size=(4, 4)).astype(np.float32),
    }


def test_no_weight_moves_by_more_than_half_a_step_of_its_row() -> None:
    before = weights()
    after = dequantized(quantized(before, {"exact"}))
    assert after.keys() == before.keys()
    for name in ("matrix", "stack"):
        step = np.abs(before[name]).max(axis=-1, keepdims=True) / 127
        assert (np.abs(after[name] - before[name]) <= 0.501 * step).all()
    np.testing.assert_allclose(after["vector"].astype(np.float32), before["vector"], rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(after["numbers"], before["numbers"])
    np.testing.assert_array_equal(after["exact"], before["exact"])


def test_what_was_never_quantized_stays_as_it_is() -> None:
    before = weights()
    assert all(dequantized(before)[name] is array for name, array in before.items())


@pytest.mark.parametrize("scales", [None, np.ones((3, 1)), np.ones(5), np.ones((5, 1), np.int32)])
def test_integers_without_scales_of_their_shape_are_refused(scales: Array | None) -> None:
    arrays = quantized({"matrix": weights()["matrix"]}, set())
    del arrays["matrix" + SCALES]
    assert set(arrays) == {"matrix" + INT8}
    if scales is not None:
        arrays["matrix" + SCALES] = scales
    with pytest.raises(ValueError, match="'matrix' has no scales of its shape"):
        dequantized(arrays)
