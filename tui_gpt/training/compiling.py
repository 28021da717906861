"""`--compile`: the blocks of a model as one program each, made by PyTorch's compiler, for training.

It needs a C++ compiler (on a GPU: Triton) and takes from ten seconds to a minute. On a CPU, where most of a step is
matrix products already, it wins little or loses some; so it is asked for, tried on one batch beside the plain blocks,
and left where it fails or computes something else. Evaluation and writing, whose shapes vary, stay plain.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

from tui_gpt.models import linear
from tui_gpt.models.dropout import Dropout
from tui_gpt.training.batches import Batch
from tui_gpt.training.interruption import StepAbortedError, blocks_of
from tui_gpt.training.replicas import Shards

TRIAL_STD = 0.02
"""Of parameters that are zero, during the trial."""
SHAPES = 8
"""Of batches, for each replica; beyond them PyTorch would leave a block uncompiled."""
LARGEST_DIFFERENCE = 1e-2
"""Between gradients of compiled and plain blocks, as a share of their norm; 1e-6 is usual."""
_Function = Callable[..., Any]


def compile_blocks(shards: Shards, batch: Batch) -> str:
    """Let the blocks of all replicas run compiled in training; empty, or the reason why they stay as they were.

    `batch` is for the trial, which draws from the replicas' generators. Raises StepAbortedError.
    """
    changed = [module for replica in shards.replicas for module in (*blocks_of(replica), *_dropouts(replica))]
    problem = "the trial was left"
    try:
        with warnings.catch_warnings(action="ignore"):  # the compiler's, about its own affairs
            problem = _tried(shards, batch)
    except StepAbortedError:
        raise
    except Exception as error:  # whatever the compiler, the C++ compiler or the system says
        problem = _first_line(error)
    finally:
        if problem:
            for module in changed:
                module.__dict__.pop("forward", None)
    return problem


def _tried(shards: Shards, batch: Batch) -> str:
    generators = [module.generator for replica in shards.replicas for module in _dropouts(replica)]
    states = [generator.get_state() for generator in generators]
    with _nothing_zero(shards.replicas[0]):
        _, plain = shards.gradients(batch)
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)
        _compile(shards)
        _, compiled = shards.gradients(batch, at_once=False)  # the compiler is for one thread at a time
    difference = _norm([one - other for one, other in zip(plain, compiled, strict=True)]) / _norm(plain)
    return "" if difference <= LARGEST_DIFFERENCE else f"its gradients are {difference:.0%} off"


@contextmanager
def _nothing_zero(model: nn.Module) -> Iterator[None]:
    """Give parameters that are all zero other values for a while: fresh blocks add nothing to the stream, whatever they
    compute."""
    random = torch.Generator().manual_seed(0)
    zeros = [parameter for parameter in model.parameters() if not parameter.any()]
    with torch.no_grad():
        for parameter in zeros:
            parameter.copy_(torch.randn(parameter.shape, generator=random) * TRIAL_STD)
        try:
            with torch.enable_grad():
                yield
        finally:
            for parameter in zeros:
                parameter.zero_()


def _compile(shards: Shards) -> None:
    import torch._dynamo.config as dynamo
    import torch._inductor.config as inductor

    inductor.compile_threads = 1  # others would be processes, which must not be forked from a process with threads
    dynamo.recompile_limit = max(dynamo.recompile_limit, SHAPES * len(shards.replicas))
    linear.register_onednn_op()
    for replica in shards.replicas:
        for dropout in _dropouts(replica):
            plain = cast("_Function", torch.compiler.disable(dropout.forward))  # type: ignore[no-untyped-call]
            dropout.forward = plain  # type: ignore[method-assign]  # of this one alone
        for block in blocks_of(replica):
            block.forward = _in_training(block, block.forward)


def _in_training(block: nn.Module, plain: _Function) -> _Function:
    """Return what calls the compiled function for a step of training, else the plain one."""
    compiled: _Function = torch.compile(plain, dynamic=False)

    def forward(*inputs: Any) -> Any:
        return compiled(*inputs) if block.training and torch.is_grad_enabled() else plain(*inputs)

    return forward


def _dropouts(model: nn.Module) -> list[Dropout]:
    return [module for module in model.modules() if isinstance(module, Dropout)]


def _norm(tensors: list[Tensor]) -> float:
    return float(nn.utils.get_total_norm(tensors))


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
