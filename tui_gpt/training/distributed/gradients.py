"""The gradients of a step that all ranks compute together, by PyTorch's DistributedDataParallel (Li et al. 2020).

Each rank computes its share of the step's windows. Gradients are exchanged once per step, in the backward pass of the
last part; forward and backward passes of the others run in `no_sync`. The mean over the ranks, whose shares are equally
large, is the gradient over all windows.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from tui_gpt.errors import DeviceMemoryError, is_out_of_memory
from tui_gpt.training.batches import Batch, Batches
from tui_gpt.training.compute.device import sum_dtype, using_cores
from tui_gpt.training.compute.interruption import StepAbortedError
from tui_gpt.training.compute.precision import float32_products
from tui_gpt.training.compute.replicas import Replicas
from tui_gpt.training.distributed.group import lost_ranks_reported

_OPTION = "forward_sync_buffers"
_WITHOUT_BUFFERS: dict[str, Any] = {
    _OPTION if _OPTION in inspect.signature(DistributedDataParallel).parameters else "broadcast_buffers": False
}
"""Buffers are constants of the model and equal in all ranks; PyTorch 2.13 renamed the option."""

_NO_LIMIT = 2**31
_OUT_OF_MEMORY = (
    "the memory of {} ran out in one of several processes: resume the run in more of them, each of which has fewer "
    "windows then, or start another one with a smaller --batch-size"
)


class SharedGradients:
    """Computes this rank's share of every step; all ranks must call the same methods in the same order."""

    def __init__(self, replicas: Replicas, batches: Batches, device: torch.device, world: int) -> None:
        """`replicas` has one model. Raises RankLostError."""
        self._replicas = replicas
        self._batches = batches
        self._device = device
        self._world = world
        (model,) = replicas.models
        replicas.most_windows = _agreed(replicas.most_windows)
        with lost_ranks_reported():
            self._model = DistributedDataParallel(model, gradient_as_bucket_view=True, **_WITHOUT_BUFFERS)

    def accumulate(self, step: int, stop_is_agreed: Callable[[], bool]) -> Tensor:
        """Compute every parameter's gradient over the step's windows; return the mean loss, detached.

        `stop_is_agreed` is called between two parts of the step, in all ranks. Raises StepAbortedError if it returns
        true, RankLostError.
        """
        total = torch.zeros((), dtype=sum_dtype(self._device), device=self._device)
        for part, fraction, is_last in self._parts(step):
            with using_cores(self._replicas.cores), nullcontext() if is_last else self._model.no_sync():
                total += self._pass(part, fraction)
            if not is_last and stop_is_agreed():
                raise StepAbortedError
        with lost_ranks_reported():
            dist.all_reduce(total)
        return total / self._world

    def _parts(self, step: int) -> Iterator[tuple[Batch, float, bool]]:
        """Yield the parts of this rank's share, the fraction of its windows in each, and whether it is the last."""
        count = self._batches.per_step
        for number in range(count):
            batch = self._batches.training(step * count + number)
            parts = self._replicas.passes_of(batch)
            for place, part in enumerate(parts, 1):
                fraction = len(part.inputs) / len(batch.inputs) / count
                yield part, fraction, (number + 1, place) == (count, len(parts))

    def _pass(self, part: Batch, fraction: float) -> Tensor:
        try:
            with lost_ranks_reported(), float32_products(self._replicas.precision):
                loss = self._replicas.loss_of(self._model, part) * fraction
                loss.backward()  # type: ignore[no-untyped-call]  # of PyTorch
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise DeviceMemoryError(_OUT_OF_MEMORY.format(self._device.type)) from error
            raise
        return loss.detach()


def _agreed(most_windows: int | None) -> int | None:
    """Return the smallest limit of all ranks, so that they divide a batch into the same number of passes."""
    smallest = torch.tensor(_NO_LIMIT if most_windows is None else most_windows)
    with lost_ranks_reported():
        dist.all_reduce(smallest, dist.ReduceOp.MIN)
    return None if int(smallest) == _NO_LIMIT else int(smallest)
