"""Aborts a step early: a step of `classic` takes half a minute on a laptop, and a signal should not wait for it.

Hooks check the `Control` between the model's blocks, in the forward and in the backward pass. An aborted step has
changed nothing but gradients and random generators, so the caller can restore them. Small models pay a few microseconds
per step.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from torch import Tensor, nn

from tui_gpt.control import Control


class StepAbortedError(Exception):
    """The step was aborted because `Control.stop` was called."""


@contextmanager
def abort_on_stop(models: Sequence[nn.Module], control: Control) -> Iterator[None]:
    """Within the block, have passes of these models raise StepAbortedError once `control` is asked to stop."""
    check = partial(_check_stop, control)
    handles = [block.register_forward_hook(check) for model in models for block in blocks_of(model)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def blocks_of(model: nn.Module) -> Iterator[nn.Module]:
    """Yield the transformer blocks of a model, or of all members of an ensemble."""
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and name.endswith("blocks"):
            yield from module


def _check_stop(control: Control, _block: nn.Module, _inputs: object, output: Tensor) -> None:
    _raise_if_stopped(control)
    if output.requires_grad:
        output.register_hook(lambda _gradient: _raise_if_stopped(control))  # type: ignore[no-untyped-call]


def _raise_if_stopped(control: Control) -> None:
    if control.stop_requested:
        raise StepAbortedError
