"""Weights in eight bits: a quarter of the size, for a checkpoint that is sent around and only read.

Every row of a matrix becomes whole numbers from -127 to 127 and one factor, so that a row of small weights keeps its
digits beside one of large weights; what is not a matrix becomes half precision. Training never sees any of it: a
checkpoint's reader makes single precision of it again.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = Mapping[str, npt.NDArray[Any]]

LARGEST = 127
NUMBERS, FACTORS = ".eight_bit", ".row_factors"
"""What is added to a matrix's name."""


def quantized(weights: Arrays, exact: Collection[str]) -> dict[str, npt.NDArray[Any]]:
    """Return the weights in eight bits, those in `exact` and whole numbers as they are."""
    kept: dict[str, npt.NDArray[Any]] = {}
    for name, array in weights.items():
        if name in exact or array.dtype.kind != "f":
            kept[name] = array
        elif array.ndim < 2:
            kept[name] = array.astype(np.float16)
        else:
            factors = np.abs(array).max(axis=-1, keepdims=True) / np.float32(LARGEST)
            kept[name + NUMBERS] = np.rint(array / np.maximum(factors, np.float32(1e-30))).astype(np.int8)
            kept[name + FACTORS] = factors
    return kept


def dequantized(arrays: Arrays) -> dict[str, npt.NDArray[Any]]:
    """Return what `quantized` made as single precision, other arrays as they are. Raises ValueError where a part is
    missing or does not fit."""
    weights: dict[str, npt.NDArray[Any]] = {}
    for name, array in arrays.items():
        if name.endswith(NUMBERS):
            whole = name.removesuffix(NUMBERS)
            factors = arrays.get(whole + FACTORS)
            if factors is None or factors.shape != (*array.shape[:-1], 1) or factors.dtype.kind != "f":
                raise ValueError(f"{whole!r} has no factors that fit")
            weights[whole] = array.astype(np.float32) * factors.astype(np.float32)
        elif not name.endswith(FACTORS):
            weights[name] = array
    return weights
