"""`--compile`: compiles the blocks of a model with `torch.compile`, for training.

It needs a C++ compiler (on a GPU: Triton) and takes from ten seconds to a minute. On a CPU most of a step is matrix
products, so it gains or loses little; therefore it is off by default, compared with the plain blocks on one batch, and
undone where it fails or its gradients differ. Evaluation and generation, whose shapes vary, are not compiled.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, cast

import torch
from torch import Tensor, nn

from tui_gpt.config import Precision
from tui_gpt.control import Control
from tui_gpt.models import linear
from tui_gpt.models.dropout import Dropout
from tui_gpt.training.batches import Batch
from tui_gpt.training.checkpoints.copies import copied_generators, restore_generators
from tui_gpt.training.compute.interruption import StepAbortedError, abort_on_stop, blocks_of
from tui_gpt.training.compute.replicas import Replicas

TRIAL_STD = 0.02
"""Standard deviation of the values that parameters of zeros have during the trial."""
SHAPES = 8
"""Batch shapes per replica; PyTorch runs a block uncompiled for more of them."""
MAX_DIFFERENCES: Mapping[Precision, float] = MappingProxyType({"fp32": 1e-2, "tf32": 1e-2, "bf16": 1e-1})
"""Allowed distance of compiled and plain gradients, relative to their norm; 1e-6 is usual in fp32. In bf16 the compiled
code rounds less often, and bf16 itself is about 2e-2 off."""
_Function = Callable[..., Any]


def compile_blocks(replicas: Replicas, batch: Batch) -> str:
    """Compile the blocks of all replicas for training; return why they stay uncompiled, empty if they do not.

    `batch` is for the trial, which draws from the replicas' generators. Raises StepAbortedError.
    """
    changed = [module for replica in replicas.models for module in (*blocks_of(replica), *_dropouts(replica))]
    problem = "the trial was aborted"
    try:
        with warnings.catch_warnings(action="ignore"):  # the compiler's own, which the user cannot act on
            problem = _trial_problem(replicas, batch)
    except StepAbortedError:
        raise
    except Exception as error:  # the compiler can raise anything
        problem = _first_line(error)
    finally:
        if problem:
            for module in changed:
                module.__dict__.pop("forward", None)
    return problem


def compile_if_possible(
    replicas: Replicas, batch: Batch, generators: Mapping[str, torch.Generator], control: Control
) -> str:
    """Call `compile_blocks` and leave the random generators as they were; a request to stop ends the trial.

    Return why the blocks were not compiled; empty if they were, or if the trial was ended.
    """
    states = copied_generators(generators)
    try:
        with abort_on_stop(replicas.models, control):
            return compile_blocks(replicas, batch)
    except StepAbortedError:
        return ""
    finally:
        restore_generators(generators, states)


def _trial_problem(replicas: Replicas, batch: Batch) -> str:
    generators = [module.generator for replica in replicas.models for module in _dropouts(replica)]
    states = [generator.get_state() for generator in generators]
    with _random_zeros(replicas.models[0]):
        _, plain = replicas.gradients(batch)
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)
        _compile(replicas)
        _, compiled = replicas.gradients(batch, parallel=False)  # the compiler is not thread-safe
    difference = _norm([one - other for one, other in zip(plain, compiled, strict=True)]) / _norm(plain)
    return "" if difference <= MAX_DIFFERENCES[replicas.precision] else f"its gradients are {difference:.0%} off"


@contextmanager
def _random_zeros(model: nn.Module) -> Iterator[None]:
    """Set parameters of zeros to random values within the block: the zero-initialised projections of new blocks would
    hide any difference."""
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


def _compile(replicas: Replicas) -> None:
    import torch._dynamo.config as dynamo
    import torch._inductor.config as inductor

    inductor.compile_threads = 1  # more would fork, which is unsafe in a process with threads
    dynamo.recompile_limit = max(dynamo.recompile_limit, SHAPES * len(replicas.models))
    linear.register_onednn_op()
    for replica in replicas.models:
        for dropout in _dropouts(replica):
            plain = cast("_Function", torch.compiler.disable(dropout.forward))  # type: ignore[no-untyped-call]
            dropout.forward = plain  # type: ignore[method-assign]  # of this instance alone
        for block in blocks_of(replica):
            block.forward = _in_training(block, block.forward)


def _in_training(block: nn.Module, plain: _Function) -> _Function:
    """Return a function that runs compiled in training steps, and plain otherwise."""
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
