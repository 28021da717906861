"""The mean cross-entropy of a model over a sequence of batches, in nats per character.

The validation split is always measured in the same way: non-overlapping windows of block_size, no context before a
window, dropout off. That is harder than overlapping windows, and the same for every model. The loss of record is that
of the whole split, or of 120,000 evenly spread characters of a longer one.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from tui_gpt.control import Control
from tui_gpt.training.batches import Batch
from tui_gpt.training.compute.interruption import StepAbortedError, abort_on_stop
from tui_gpt.training.compute.replicas import Replicas


@dataclass(frozen=True)
class Measured:
    """The result of a measurement."""

    loss: float
    """Nats per character."""
    tokens: int
    """Number of characters over which `loss` is averaged."""


def mean_loss(
    replicas: Replicas,
    batches: Iterable[Batch],
    device: torch.device,
    control: Control,
    is_enough: Callable[[int], bool] = lambda _: False,
) -> Measured | None:
    """Return the mean loss over all targets, with dropout off; None if `control` requests a stop meanwhile.

    `is_enough` is called with the number of characters measured so far, and ends the measurement when true.
    """
    total, count = 0.0, 0
    summed_loss = partial(_summed_loss, device)
    try:
        with abort_on_stop(replicas.models, control):
            for group in _grouped(batches, len(replicas.models)):
                if control.stop_requested:
                    return None
                total += sum(replicas.each(summed_loss, group))
                count += sum(batch.targets.numel() for batch in group)
                if is_enough(count):
                    break
    except StepAbortedError:
        return None
    return Measured(total / max(count, 1), count)


def _summed_loss(device: torch.device, model: nn.Module, batch: Batch) -> float:
    """Return the sum of the losses of all targets, with dropout off."""
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            moved = batch.to(device)
            _, loss = model(moved.inputs, moved.targets, moved.prior)
            return float(loss) * batch.targets.numel()
    finally:
        model.train(was_training)


def _grouped(batches: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    """Yield consecutive batches in lists of `size`; the last list may be shorter."""
    group: list[Batch] = []
    for batch in batches:
        group.append(batch)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
