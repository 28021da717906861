"""A batch shared out among the CPU's cores: each core computes its own sequences, alone, from start to end.

PyTorch's own way is to share out every single operation, which makes the cores wait for each other thousands of times
a second; for the small models this program trains, whole shards are a fifth to a third faster. Each shard has a
replica of the model: the same parameters, a dropout of its own. Sums are always made in the same order, so equal runs
stay equal to the bit as long as the number of shards is the same. On a GPU there is one shard.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

from tui_gpt.gpt.batches import Batch

Item = TypeVar("Item")
Result = TypeVar("Result")


class Shards:
    """Replicas of one model that compute together: the first in the calling thread, each other in one of its own."""

    def __init__(self, replicas: Sequence[nn.Module], device: torch.device, cores: int = 1) -> None:
        """`cores` is how many each thread may use."""
        self.replicas = replicas
        self._device = device
        self._cores = cores
        self._parameters = [parameter for parameter in replicas[0].parameters() if parameter.requires_grad]
        helpers = len(replicas) - 1
        self._threads = ThreadPoolExecutor(helpers, "shard", _use_cores, (cores,)) if helpers else None

    def close(self) -> None:
        """End the threads."""
        if self._threads is not None:
            self._threads.shutdown()

    def gradients(self, batch: Batch) -> tuple[Tensor, list[Tensor]]:
        """The mean loss over the batch, detached, and its gradient for each parameter."""
        pieces = batch.split(len(self.replicas))
        shares = [len(piece.inputs) / len(batch.inputs) for piece in pieces]
        results = self.each(self._gradients_of, list(zip(pieces, shares, strict=True)))
        losses, gradients = zip(*results, strict=True)
        return torch.stack(losses).sum(), [_summed(parts) for parts in zip(*gradients, strict=True)]

    def _gradients_of(self, model: nn.Module, part: tuple[Batch, float]) -> tuple[Tensor, tuple[Tensor, ...]]:
        piece, share = part
        moved = piece.to(self._device)
        _, loss = model(moved.inputs, moved.targets, moved.prior)
        loss = loss * share
        gradients = torch.autograd.grad(loss, self._parameters, allow_unused=True, materialize_grads=True)
        return loss.detach(), gradients

    def each(self, work: Callable[[nn.Module, Item], Result], items: Sequence[Item]) -> list[Result]:
        """`work` on every item, with a replica that nobody else uses meanwhile; at most as many items as replicas."""
        if self._threads is None:
            return [work(self.replicas[0], item) for item in items]
        others = [
            self._threads.submit(work, replica, item)
            for replica, item in zip(self.replicas[1:], items[1:], strict=False)
        ]
        try:
            with _using_cores(self._cores):
                first = work(self.replicas[0], items[0])
        finally:
            wait(others)
        return [first, *(other.result() for other in others)]


@contextmanager
def _using_cores(count: int) -> Iterator[None]:
    """Let this thread use so many cores for a while."""
    before = torch.get_num_threads()
    if before == count:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _use_cores(count: int) -> None:
    torch.get_num_threads()  # a thread that never asked takes whatever any other thread sets last
    torch.set_num_threads(count)


def _summed(parts: tuple[Tensor, ...]) -> Tensor:
    """The sum, written into the first part."""
    total = parts[0]
    for part in parts[1:]:
        total.add_(part)
    return total


def share_parameters(model: nn.Module, replica: nn.Module) -> None:
    """Let `replica`, of the same class and shape, compute with the parameters and buffers of `model`."""
    for (_, source), (_, target) in zip(model.named_modules(), replica.named_modules(), strict=True):
        for name, parameter in source.named_parameters(recurse=False):
            target.register_parameter(name, parameter)
        for name, buffer in source.named_buffers(recurse=False):
            setattr(target, name, buffer)
