"""Data parallelism over the CPU's cores: each core computes the gradients of its own sequences from start to end.

PyTorch itself splits every single operation among the cores, so that they wait for each other thousands of times per
second; for the small models of this program, splitting the batch is a fifth to a third faster. The replicas share their
parameters, and each has its own dropout. Sums are always made in the same order, so equal runs are equal to the bit for
equal numbers of replicas. On a GPU there is one replica.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

from tui_gpt.config import Precision
from tui_gpt.errors import DeviceMemoryError, is_out_of_memory
from tui_gpt.models.dropout import Dropout
from tui_gpt.training.batches import Batch
from tui_gpt.training.compute.device import fix_thread_count, release_memory, using_cores
from tui_gpt.training.compute.precision import autocast, float32_products

Item = TypeVar("Item")
Result = TypeVar("Result")


class Replicas:
    """Replicas of one model that compute in parallel: the first in the calling thread, each other one in its own."""

    def __init__(
        self,
        models: Sequence[nn.Module],
        device: torch.device,
        cores: int = 1,
        most_windows: int | None = None,
        networks: int = 1,
        precision: Precision = "fp32",
    ) -> None:
        """`cores` is how many cores each thread may use. A pass of a replica has at most `most_windows` windows, and at
        least one for each of its `networks`."""
        self.models = models
        self.cores = cores
        self._device = device
        self.most_windows = most_windows
        """Windows in one pass of a replica, at most; None for any number."""
        self._networks = networks
        self.precision = precision
        self._parameters = [parameter for parameter in models[0].parameters() if parameter.requires_grad]
        self._generators = {
            module.generator for model in models for module in model.modules() if isinstance(module, Dropout)
        }
        self.reduced_to: int | None = None
        """Windows in one pass at most, since memory ran out or `limit_windows` was called."""
        helpers = len(models) - 1
        self._threads = ThreadPoolExecutor(helpers, "replica", _use_cores, (cores,)) if helpers else None

    def close(self) -> None:
        """End the threads."""
        if self._threads is not None:
            self._threads.shutdown()

    def limit_windows(self, most: int) -> None:
        """Process at most `most` windows in one pass of a replica."""
        self.reduced_to = self.most_windows = min(most, self.most_windows or most)

    def gradients(self, batch: Batch, *, parallel: bool = True) -> tuple[Tensor, list[Tensor]]:
        """Return the mean loss over the batch, detached, and its gradient for each parameter.

        `parallel=False` runs the replicas sequentially in this thread, with the same result. Where the device's memory
        runs out, the batch is repeated in passes of half the size, with the same random numbers. Raises
        DeviceMemoryError where the smallest pass does not fit.
        """
        states = [(generator, generator.get_state()) for generator in self._generators]
        while True:
            try:
                return self._gradients(batch, parallel=parallel)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            # After the except clause, because its exception keeps the activations alive.
            self._halve_passes(batch)
            for generator, state in states:
                generator.set_state(state)

    def _halve_passes(self, batch: Batch) -> None:
        windows = math.ceil(len(batch.inputs) / len(self.models))
        windows = min(windows, self.most_windows or windows)
        if windows <= self._networks:
            raise DeviceMemoryError(_too_little_memory(batch.inputs.shape[1], self._device))
        self.limit_windows(max(self._networks, windows // 2))
        release_memory(self._device)

    def _gradients(self, batch: Batch, *, parallel: bool) -> tuple[Tensor, list[Tensor]]:
        pieces = batch.split(len(self.models))
        work = partial(self._gradients_of, len(batch.inputs))
        if parallel:
            results = self.each(work, pieces)
        else:
            with using_cores(self.cores):
                results = [work(replica, piece) for replica, piece in zip(self.models, pieces, strict=False)]
        losses, gradients = zip(*results, strict=True)
        return torch.stack(losses).sum(), [_sum_in_place(parts) for parts in zip(*gradients, strict=True)]

    def loss(self, batch: Batch) -> float:
        """Return the mean loss over a small batch, in training mode, computed by the first replica alone."""
        with torch.no_grad(), using_cores(self.cores), float32_products(self.precision):
            return float(self.loss_of(self.models[0], batch))

    def passes_of(self, piece: Batch) -> list[Batch]:
        """Return the windows that a replica computes in the parts that it passes through the model one by one."""
        windows = len(piece.inputs)
        return piece.passes(math.ceil(windows / (self.most_windows or windows)), self._networks)

    def _gradients_of(self, whole: int, model: nn.Module, piece: Batch) -> tuple[Tensor, Sequence[Tensor]]:
        """Return what a piece of a batch of `whole` windows adds to the loss and to the gradients."""
        passes = self.passes_of(piece)
        loss, gradients = self._gradients_in_one_pass(whole, model, passes[0])
        for one in passes[1:]:
            more_loss, more = self._gradients_in_one_pass(whole, model, one)
            loss, gradients = loss + more_loss, [_sum_in_place(pair) for pair in zip(gradients, more, strict=True)]
        return loss, gradients

    def _gradients_in_one_pass(self, whole: int, model: nn.Module, batch: Batch) -> tuple[Tensor, Sequence[Tensor]]:
        with float32_products(self.precision):
            loss = self.loss_of(model, batch) * (len(batch.inputs) / whole)
            gradients = torch.autograd.grad(loss, self._parameters, allow_unused=True, materialize_grads=True)
        return loss.detach(), gradients

    def loss_of(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the mean loss of a replica, or of what wraps it, over a batch."""
        moved = batch.to(self._device)
        with autocast(self.precision, self._device):
            loss: Tensor = model(moved.inputs, moved.targets, moved.prior)[1]
        return loss

    def each(self, work: Callable[[nn.Module, Item], Result], items: Sequence[Item]) -> list[Result]:
        """Apply `work` to each (replica, item) pair in parallel; no more items than replicas."""
        return self.run_parallel([partial(work, *pair) for pair in zip(self.models, items, strict=False)])

    def run_parallel(self, jobs: Sequence[Callable[[], Result]]) -> list[Result]:
        """Return the results of independent jobs, no more than there are replicas, each run in its own thread."""
        if self._threads is None or len(jobs) < 2:
            return [job() for job in jobs]
        others = [self._threads.submit(job) for job in jobs[1:]]
        try:
            with using_cores(self.cores):
                first = jobs[0]()
        finally:
            wait(others)
        return [first, *(other.result() for other in others)]


def _use_cores(count: int) -> None:
    fix_thread_count()
    torch.set_num_threads(count)


def _sum_in_place(parts: tuple[Tensor, ...]) -> Tensor:
    """Return the sum, which is written into the first part."""
    total = parts[0]
    for part in parts[1:]:
        total.add_(part)
    return total


def _too_little_memory(length: int, device: torch.device) -> str:
    remedy = "choose a smaller --block-size, --n-embd or --n-layer"
    return (
        f"the memory of {device.type} ran out with a single window of {length:,} characters: {remedy}"
        f"{'' if device.type == 'cpu' else ', or --device cpu'}; what was saved is kept"
    )


def share_parameters(model: nn.Module, replica: nn.Module) -> None:
    """Replace the parameters and buffers of `replica`, of the same class and shape, by those of `model`."""
    for (_, source), (_, target) in zip(model.named_modules(), replica.named_modules(), strict=True):
        for name, parameter in source.named_parameters(recurse=False):
            target.register_parameter(name, parameter)
        for name, buffer in source.named_buffers(recurse=False):
            setattr(target, name, buffer)
