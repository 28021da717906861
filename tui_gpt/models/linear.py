"""A linear layer that multiplies with oneDNN where that is faster than PyTorch's choice.

PyTorch leaves single-precision products to Intel's MKL, which on AMD's processors uses half the width of AVX-512
(112 of 250 GFLOP/s of one Zen 5 core). oneDNN uses all of it and is as accurate, but PyTorch calls it for half
precision only, or from compiled code; `_onednn_linear` calls the operator that compiled code calls. Without that
operator, on another device, on another processor or with few rows, this is `nn.Linear`.
"""

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

MIN_ROWS = 256
"""Rows below which PyTorch's choice multiplies: oneDNN generates code for every new shape."""
MIN_MATRIX_SIZE = 64 * 64
"""Entries of a matrix below which a stack of them is multiplied by PyTorch's choice, all in one call."""


class Linear(nn.Linear):
    """`nn.Linear` with the same parameters, names and values, up to rounding."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (..., N) for x (..., K)."""
        return linear(x, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x weightᵀ + bias, (..., N) for (..., K) and (N, K); differentiable like `F.linear`."""
    if x.numel() >= MIN_ROWS * x.shape[-1] and _is_cpu_float(x) and uses_onednn():
        y: Tensor = _OneDnnLinear.apply(x, weight, bias)  # type: ignore[no-untyped-call]  # torch's apply is untyped
        return y
    return F.linear(x, weight, bias)


def batched_matmul_nt(left: Tensor, right: Tensor) -> Tensor:
    """Return left rightᵀ for stacks of matrices, (N, M, L) for (N, M, K) and (N, L, K); not differentiable."""
    is_large = left.shape[-2:].numel() >= MIN_MATRIX_SIZE
    if is_large and _is_cpu_float(left) and uses_onednn():
        return torch.stack([_onednn_linear(one, other) for one, other in zip(left, right, strict=True)])
    return torch.bmm(left, right.mT)


def _is_cpu_float(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")


def uses_onednn() -> bool:
    """Return whether oneDNN multiplies: the processor has AVX-512, and the result is as accurate as MKL's."""
    return _check_onednn()


@cache
def _check_onednn() -> bool:
    if torch.backends.cpu.get_cpu_capability() != "AVX512" or not _has_onednn():
        return False
    x, weight = torch.linspace(-1, 1, 512).view(32, 16), torch.linspace(1, -1, 128).view(8, 16)
    try:
        return torch.allclose(_onednn_linear(x, weight), x @ weight.T, rtol=1e-5, atol=1e-5)
    except (AttributeError, RuntimeError):
        return False


def _has_onednn() -> bool:
    return bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]  # torch's own is untyped


def _onednn_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x weightᵀ + bias, (..., N) for (..., K) and (N, K) of any strides."""
    if torch.compiler.is_compiling():
        y: Tensor = torch.ops.tui_gpt.onednn_linear(x, weight, bias)
        return y
    return _call_onednn(x, weight, bias)


def _call_onednn(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    y: Tensor = torch.ops.mkldnn._linear_pointwise.default(x, weight, bias, "none", [], "")
    return y


@cache
def register_onednn_op() -> None:
    """Register the product as an operator of our own, as torch.compile takes PyTorch's for frozen weights only."""
    torch.compiler.assume_constant_result(uses_onednn)  # type: ignore[no-untyped-call]  # torch's own is untyped
    operator = torch.library.custom_op("tui_gpt::onednn_linear", _call_onednn, mutates_args=())
    operator.register_fake(lambda x, weight, _bias=None: x.new_empty(*x.shape[:-1], len(weight)))


class _OneDnnLinear(Function):
    """`_onednn_linear` with its gradients, which are such products too."""

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
        x_gradient = _onednn_linear(gradient, weight.T).view(x.shape) if ctx.needs_input_grad[0] else None
        weight_gradient = _onednn_linear(gradient.T, rows.T)  # in this order it has the strides that AdamW needs
        return x_gradient, weight_gradient, gradient.sum(0) if ctx.has_bias else None
