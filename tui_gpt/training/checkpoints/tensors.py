"""Checkpoints as PyTorch tensors, which training reads and writes; storage/ knows arrays alone.

Arrays and tensors share their memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from tui_gpt.storage import checkpoint as stored
from tui_gpt.storage.manifest import CheckpointInfo


@dataclass(frozen=True)
class Checkpoint:
    """What `read_checkpoint` found."""

    info: CheckpointInfo
    weights: dict[str, Tensor]
    training: dict[str, Tensor] | None
    """The state of the optimizer and the random generators; None if it was not requested or not saved."""


def read_checkpoint(folder: Path, *, training: bool = False) -> Checkpoint:
    """See `storage.checkpoint.read_checkpoint`."""
    found = stored.read_checkpoint(folder, training=training)
    state = None if found.training is None else tensors_of(found.training)
    return Checkpoint(found.info, tensors_of(found.weights), state)


def write_checkpoint(
    target: Path, info: CheckpointInfo, weights: Mapping[str, Tensor], training: Mapping[str, Tensor] | None = None
) -> None:
    """See `storage.checkpoint.write_checkpoint`."""
    stored.write_checkpoint(target, info, arrays_of(weights), None if training is None else arrays_of(training))


def tensors_of(arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, Tensor]:
    """Return arrays as tensors on the CPU."""
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def arrays_of(tensors: Mapping[str, Tensor]) -> dict[str, npt.NDArray[Any]]:
    """Return tensors as arrays."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
