"""Weights in eight bits: a quarter of the size, for a checkpoint that is shared and not trained further.

Each row of a matrix is stored as integers from -127 to 127 with its own scale, so rows of small weights keep their
precision; vectors are stored in half precision. Reading a checkpoint restores single precision.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = Mapping[str, npt.NDArray[Any]]

LARGEST = 127
INT8, SCALES = ".eight_bit", ".row_factors"
"""Suffixes of the names of a matrix's two arrays."""


def quantized(weights: Arrays, exact: Collection[str]) -> dict[str, npt.NDArray[Any]]:
    """Return the weights in eight bits; those in `exact` and integers stay as they are."""
    kept: dict[str, npt.NDArray[Any]] = {}
    for name, array in weights.items():
        if name in exact or array.dtype.kind != "f":
            kept[name] = array
        elif array.ndim < 2:
            kept[name] = array.astype(np.float16)
        else:
            scales = np.abs(array).max(axis=-1, keepdims=True) / np.float32(LARGEST)
            kept[name + INT8] = np.rint(array / np.maximum(scales, np.float32(1e-30))).astype(np.int8)
            kept[name + SCALES] = scales
    return kept


def dequantized(arrays: Arrays) -> dict[str, npt.NDArray[Any]]:
    """Return quantized arrays in single precision, others as they are.

    Raises ValueError if the scales of a matrix are missing or have the wrong shape.
    """
    weights: dict[str, npt.NDArray[Any]] = {}
    for name, array in arrays.items():
        if name.endswith(INT8):
            matrix = name.removesuffix(INT8)
            scales = arrays.get(matrix + SCALES)
            if scales is None or scales.shape != (*array.shape[:-1], 1) or scales.dtype.kind != "f":
                raise ValueError(f"{matrix!r} has no scales of its shape")
            weights[matrix] = array.astype(np.float32) * scales.astype(np.float32)
        elif not name.endswith(SCALES):
            weights[name] = array
    return weights
