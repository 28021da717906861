"""Weights in eight bits: a quarter of the size, for a checkpoint that is sent around and only read.

Every row of a matrix becomes whole numbers from -127 to 127 and one factor, so that a row of small weights keeps its
digits beside one of large weights; what is not a matrix becomes half precision. Training never sees any of it: a
checkpoint's reader makes single precision of it again.
"""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

LARGEST = 127
NUMBERS, FACTORS = ".eight_bit", ".row_factors"
"""What is added to a matrix's name."""


def quantized(weights: Mapping[str, Tensor], exact: Collection[str]) -> dict[str, Tensor]:
    """The weights in eight bits, those in `exact` and whole numbers as they are."""
    kept: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if name in exact or not tensor.is_floating_point():
            kept[name] = tensor
        elif tensor.ndim < 2:
            kept[name] = tensor.half()
        else:
            factors = tensor.abs().amax(dim=-1, keepdim=True) / LARGEST
            kept[name + NUMBERS] = (tensor / factors.clamp(min=1e-30)).round().to(torch.int8)
            kept[name + FACTORS] = factors
    return kept


def dequantized(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `quantized` made, as single precision; other tensors as they are. Raises ValueError where a part is missing
    or does not fit."""
    weights: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name.endswith(NUMBERS):
            whole = name.removesuffix(NUMBERS)
            factors = tensors.get(whole + FACTORS)
            if factors is None or factors.shape != (*tensor.shape[:-1], 1) or not factors.is_floating_point():
                raise ValueError(f"{whole!r} has no factors that fit")
            weights[whole] = tensor.float() * factors
        elif not name.endswith(FACTORS):
            weights[name] = tensor
    return weights
