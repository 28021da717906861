"""`--compile`: the blocks of a model as one program each, made by PyTorch's compiler, for training.

It needs a C++ compiler (on a GPU: Triton) and takes from ten seconds to a minute. On a CPU, where most of a step is
matrix products already, it wins little or loses some; so it is asked for, tried on one batch beside the plain blocks,
and left where it fails or computes something else. Evaluation and writing, whose shapes vary, stay plain.
"""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tui_gpt.gpt import classic, linear, modern
from tui_gpt.gpt.batches import Batch
from tui_gpt.gpt.interruption import StepAbandonedError
from tui_gpt.gpt.shards import Shards

LARGEST_DIFFERENCE = 1e-2
"""Between gradients of compiled and plain blocks, as a share of their norm; 1e-6 is usual."""
_Function = Callable[..., Any]


def compile_blocks(shards: Shards, batch: Batch) -> str:
    """Let the blocks of all replicas run compiled in training; empty, or the reason why they stay as they were.

    `batch` is for the trial, which draws from the replicas' generators. Raises StepAbandonedError.
    """
    blocks = [block for replica in shards.replicas for block in _blocks(replica)]
    try:
        with warnings.catch_warnings(action="ignore"):  # the compiler's, about its own affairs
            problem = _tried(shards, batch, blocks)
    except StepAbandonedError:
        raise
    except Exception as error:  # whatever the compiler, the C++ compiler or the system says
        problem = _first_line(error)
    if problem:
        _take_back(blocks)
    return problem


def _tried(shards: Shards, batch: Batch, blocks: list[nn.Module]) -> str:
    generators = [module.generator for replica in shards.replicas for module in _dropouts(replica)]
    states = [generator.get_state() for generator in generators]
    _, plain = shards.gradients(batch)
    for generator, state in zip(generators, states, strict=True):
        generator.set_state(state)
    _compile(shards, blocks)
    _, compiled = shards.gradients(batch)
    difference = _norm([one - other for one, other in zip(plain, compiled, strict=True)]) / _norm(plain)
    return "" if difference <= LARGEST_DIFFERENCE else f"its gradients are {difference:.0%} off"


def _compile(shards: Shards, blocks: list[nn.Module]) -> None:
    import torch._inductor.config as inductor

    inductor.compile_threads = 1  # others would be processes, which must not be forked from a process with threads
    linear.let_the_compiler_call_quick_products()
    for replica in shards.replicas:
        for dropout in _dropouts(replica):
            dropout.forward = torch.compiler.disable(dropout.forward)  # type: ignore[method-assign, no-untyped-call]  # this one's only
    for block in blocks:
        block.forward = _in_training(block, block.forward)


def _in_training(block: nn.Module, plain: _Function) -> _Function:
    """What calls the compiled function while the block is trained, else the plain one."""
    compiled: _Function = torch.compile(plain, dynamic=False)

    def forward(*inputs: Any) -> Any:
        return compiled(*inputs) if block.training else plain(*inputs)

    return forward


def _take_back(blocks: list[nn.Module]) -> None:
    for block in blocks:
        block.__dict__.pop("forward", None)


def _blocks(model: nn.Module) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, classic.Block | modern.Block)]


def _dropouts(model: nn.Module) -> list[classic.Dropout]:
    return [module for module in model.modules() if isinstance(module, classic.Dropout)]


def _norm(tensors: list[Tensor]) -> float:
    return float(nn.utils.get_total_norm(tensors))


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
