"""Copies of tensors in the computer's memory, which a GPU makes while Python and later steps continue.

The copies are queued behind the step that was made and before the next one, so they hold the values of this moment.
They are in page-locked memory. The first access, usually by the thread that writes a checkpoint, waits for all of
them.
"""

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor


class PendingCopies(Mapping[str, Tensor]):
    """Copies that may still be on their way."""

    def __init__(self, copies: Mapping[str, Tensor], wait: Callable[[], object]) -> None:
        """`wait` returns when all `copies` are complete; it may be called again, by any thread."""
        self._copies = copies
        self._wait = wait

    def __getitem__(self, name: str) -> Tensor:
        self._wait()
        return self._copies[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._copies)

    def __len__(self) -> int:
        return len(self._copies)


def copied(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return copies of tensors on the CPU; those of tensors on a CUDA device are made in the background."""
    if not any(tensor.is_cuda for tensor in tensors.values()):
        return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}
    copies = {name: _queued_copy(tensor.detach()) for name, tensor in tensors.items()}
    done = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
    done.record()
    return PendingCopies(copies, done.synchronize)


def _queued_copy(tensor: Tensor) -> Tensor:
    if not tensor.is_cuda:
        return tensor.clone()
    return torch.empty_like(tensor, device="cpu", pin_memory=True).copy_(tensor, non_blocking=True)
