"""Prepares the next batch in another thread, and in page-locked memory, while a GPU computes the step before it.

A copy from page-locked memory to the GPU does not wait for what the GPU computes. Batches are functions of their
number, so a batch that was prepared and not asked for is dropped without a trace.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from tui_gpt.training.batches import Batch
from tui_gpt.training.compute.device import use_device


class Prefetcher:
    """The training batches of a run, one of them prepared ahead."""

    def __init__(self, prepare: Callable[[int], Batch], device: torch.device) -> None:
        """`prepare` returns the batch of a number; it is called in another thread as well."""
        self._prepare = prepare
        self._thread = ThreadPoolExecutor(1, "prefetch", use_device, (device,))
        self._next: tuple[int, Future[Batch]] | None = None

    def training(self, number: int) -> Batch:
        """Return batch `number`, and begin to prepare the one after it."""
        ahead, self._next = self._next, None
        batch = ahead[1].result() if ahead is not None and ahead[0] == number else self._prepare(number)
        self._next = number + 1, self._thread.submit(self._prepare, number + 1)
        return batch

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()
