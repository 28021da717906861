"""The state that rank 0 sends to the others: at the start all that a checkpoint holds, after a roll-back the tensors.

It is data as in a checkpoint, JSON and safetensors. The text is not part of it: every machine reads its own copy, whose
digest must be the same.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from tui_gpt.records import read_record
from tui_gpt.storage import messages
from tui_gpt.storage.manifest import CheckpointInfo
from tui_gpt.training.checkpoints.copies import Tensors
from tui_gpt.training.checkpoints.tensors import Checkpoint, arrays_of, tensors_of
from tui_gpt.training.distributed.orders import Link

_TRAINING = "training."
_WEIGHTS = "weights."


def send_start(link: Link, name: str, checkpoint: Checkpoint) -> None:
    """Send a run's name and state from rank 0. Raises RankLostError."""
    record: dict[str, Any] = {"name": name, "info": dataclasses.asdict(checkpoint.info)}
    link.broadcast(json.dumps(record).encode())
    send_tensors(link, checkpoint.weights, checkpoint.training or {})


def receive_start(link: Link) -> tuple[str, Checkpoint]:
    """Return the run's name and state that rank 0 sends. Raises RankLostError."""
    record = json.loads(link.broadcast(None))
    return record["name"], Checkpoint(read_record(CheckpointInfo, record["info"]), *receive_tensors(link))


def send_tensors(link: Link, weights: Tensors, training: Tensors) -> None:
    """Send weights, and the state of optimizers and generators, from rank 0. Raises RankLostError."""
    tensors = {**_prefixed(_WEIGHTS, weights), **_prefixed(_TRAINING, training)}
    link.broadcast(messages.to_bytes(arrays_of(tensors)))


def receive_tensors(link: Link) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return what `send_tensors` sends. Raises RankLostError."""
    tensors = tensors_of(messages.from_bytes(link.broadcast(None)))
    return _with_prefix(_WEIGHTS, tensors), _with_prefix(_TRAINING, tensors)


def _prefixed(prefix: str, tensors: Tensors) -> dict[str, Tensor]:
    return {prefix + name: tensor.contiguous() for name, tensor in tensors.items()}


def _with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
