"""The precision of the matrix products in training: float32, TF32 or bfloat16.

Parameters, gradients, optimizer state, the loss and Muon's iterations are float32 in each of them, and so is every
evaluation: the loss of record is that of the weights, whatever trained them. `bf16` is PyTorch's autocast of the
forward pass, which the backward pass follows. `tf32` rounds the inputs of float32 products to 10 bits of mantissa.

`auto` is float32 on MPS and on a CPU, where a step in bfloat16 without hardware support takes several times as long. On
CUDA it is the fastest of those that the GPU has, measured by `budget/precision_trial.py`.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from tui_gpt.config import Precision, PrecisionName
from tui_gpt.errors import ConfigError
from tui_gpt.training.compute.capabilities import Capabilities

MIN_GAIN = 1.05
"""How much faster a less exact precision has to be; a difference below it may be noise."""


def possible_precisions(name: PrecisionName, capabilities: Capabilities) -> tuple[Precision, ...]:
    """Return the precisions that a setting allows on a device, the most exact one first.

    Raises ConfigError for one that the device lacks.
    """
    if name == "auto":
        return _automatic(capabilities)
    if name == "tf32" and not capabilities.has_tf32:
        raise ConfigError(f"{capabilities.name} has no TF32: use --precision auto or fp32", "precision")
    if name == "bf16" and capabilities.kind == "mps":
        raise ConfigError("bf16 is for CUDA and the CPU: use --precision auto or fp32 on mps", "precision")
    return (name,)


def _automatic(capabilities: Capabilities) -> tuple[Precision, ...]:
    if capabilities.kind != "cuda":
        return ("fp32",)
    found: list[Precision] = ["tf32" if capabilities.has_tf32 else "fp32"]
    return (*found, "bf16") if capabilities.has_bf16 else tuple(found)


def fastest(seconds: Mapping[Precision, float | None]) -> Precision:
    """Return the precision with the shortest step, given from the most to the least exact.

    None is the time of a step whose loss was not finite. A less exact one has to be faster by `MIN_GAIN`.
    """
    best: Precision = next(iter(seconds))
    for precision, taken in seconds.items():
        before = seconds[best]
        if taken is not None and (before is None or before >= taken * MIN_GAIN):
            best = precision
    return best


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return a context for the forward pass."""
    if precision != "bf16":
        return nullcontext()
    # A pass uses each parameter once, so a cache of converted ones would only cost memory.
    return torch.autocast(device.type, torch.bfloat16, cache_enabled=False)


@contextmanager
def float32_products(precision: Precision) -> Iterator[None]:
    """Within the block, which holds the forward and the backward pass, compute float32 products in TF32 if asked to.

    PyTorch has one such switch for the whole process; the optimizers run outside of the block.
    """
    if precision != "tf32":
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
