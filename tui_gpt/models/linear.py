"""The linear layer, multiplied by the quicker of the two libraries that come with PyTorch.

PyTorch leaves single-precision products to Intel's MKL, which on AMD's processors uses half the width of AVX-512
(112 of 250 GFLOP/s of one Zen 5 core). oneDNN uses all of it and is as exact, but PyTorch calls it for half precision
only, or when its compiler says so; `_onednn_linear` is the operator that the compiler calls. Where it is missing, on
another device, another processor or too few rows to pay for it, this is `nn.Linear` and nothing else.
"""

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

LEAST_ROWS = 256
"""Positions below which a product goes to PyTorch's own choice: oneDNN prepares code for every new shape."""
LEAST_ENTRIES = 64 * 64
"""Entries of a matrix below which a stack of them is multiplied by PyTorch's own choice, all in one call."""


class Linear(nn.Linear):
    """`nn.Linear`: the same parameters, names and values, up to rounding."""

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x weightᵀ + bias, (..., K) and (N, K) to (..., N), differentiable like `F.linear`."""
    if _is_worth_it(x) and is_quick_product_available():
        return _QuickLinear.apply(x, weight, bias)  # type: ignore[no-any-return, no-untyped-call]
    return F.linear(x, weight, bias)


def batched_matmul_nt(left: Tensor, right: Tensor) -> Tensor:
    """Each left rightᵀ of two stacks of matrices, (N, M, K) and (N, L, K) to (N, M, L); not differentiable."""
    is_large = left.shape[-2:].numel() >= LEAST_ENTRIES
    if is_large and left.device.type == "cpu" and left.dtype == torch.float32 and is_quick_product_available():
        return torch.stack([_onednn_linear(one, other) for one, other in zip(left, right, strict=True)])
    return torch.bmm(left, right.mT)


def _is_worth_it(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.float32 and x.numel() >= LEAST_ROWS * x.shape[-1]


def is_quick_product_available() -> bool:
    """Whether oneDNN multiplies here, as exactly as MKL; asked of the processor and tried once."""
    return _found_quick_product()


@cache
def _found_quick_product() -> bool:
    if torch.backends.cpu.get_cpu_capability() != "AVX512" or not _has_onednn():
        return False
    x, weight = torch.linspace(-1, 1, 512).view(32, 16), torch.linspace(1, -1, 128).view(8, 16)
    try:
        return torch.allclose(_onednn_linear(x, weight), x @ weight.T, rtol=1e-5, atol=1e-5)
    except (AttributeError, RuntimeError):
        return False


def _has_onednn() -> bool:
    return bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]


def _onednn_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x weightᵀ + bias; (..., K) and (N, K) give (..., N), whatever the strides."""
    if torch.compiler.is_compiling():
        return torch.ops.tui_gpt.quick_product(x, weight, bias)  # type: ignore[no-any-return]
    return _onednn_product(x, weight, bias)


def _onednn_product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise.default(x, weight, bias, "none", [], "")  # type: ignore[no-any-return]


@cache
def register_onednn_op() -> None:
    """Make them an operator of our own: PyTorch's compiler knows theirs, but only for weights that never change."""
    torch.compiler.assume_constant_result(is_quick_product_available)  # type: ignore[no-untyped-call]
    operator = torch.library.custom_op("tui_gpt::quick_product", _onednn_product, mutates_args=())
    operator.register_fake(lambda x, weight, _bias=None: x.new_empty(*x.shape[:-1], len(weight)))


class _QuickLinear(Function):
    """`_onednn_linear` and its derivatives, which are such products too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.has_bias = bias is not None
        return _onednn_linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None]:
        x, weight = ctx.saved_tensors
        rows = x.reshape(-1, x.shape[-1])
        gradient = gradient.reshape(-1, gradient.shape[-1]).contiguous()
        of_x = _onednn_linear(gradient, weight.T).view(x.shape) if ctx.needs_input_grad[0] else None
        of_weight = _onednn_linear(gradient.T, rows.T)  # in this order: fused AdamW wants the weight's own strides
        return of_x, of_weight, gradient.sum(0) if ctx.has_bias else None
