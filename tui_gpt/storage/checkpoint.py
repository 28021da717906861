"""Checkpoints: a folder of tensors (safetensors) and one JSON file, committed whole or not at all.

A checkpoint is data, never code: nothing here unpickles. What is read is first compared with the size and SHA-256 that
`checkpoint.json` states, so damage is found before a tensor exists; and weights that are not finite are neither written
nor read, so a run that diverged cannot spoil its last good checkpoint. Where a checkpoint stands is `files.candidates`'
business, what it says of itself `manifest`'s.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from tui_gpt.errors import CheckpointError, DivergedError
from tui_gpt.storage.files import ensure_free_space, write_synced
from tui_gpt.storage.folders import commit_folder, commit_target
from tui_gpt.storage.manifest import (
    MANIFEST_FILE,
    MODEL_FILE,
    TENSORS_LIMIT,
    TRAINING_FILE,
    CheckpointInfo,
    FileRecord,
    Manifest,
    damaged,
    newest_whole,
    read_manifest,
)
from tui_gpt.storage.plain_files import read_plain_file
from tui_gpt.storage.quantize import dequantized
from tui_gpt.text.tokenizer import CharTokenizer

_TYPE_NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_WEIGHT_TYPES = _TYPE_NAMES.keys() - {torch.float64, torch.bool}
_READ_ATTEMPTS = 20
"""A reader may meet a writer that commits the next checkpoint to the same place."""


@dataclass(frozen=True)
class Checkpoint:
    """What `read_checkpoint` found."""

    info: CheckpointInfo
    weights: dict[str, Tensor]
    training: dict[str, Tensor] | None
    """Optimizer and generators, where asked for and there."""


def write_checkpoint(
    target: Path,
    info: CheckpointInfo,
    weights: Mapping[str, Tensor],
    training: Mapping[str, Tensor] | None = None,
) -> None:
    """Commit a checkpoint to the folder `target`; at every instant the previous one or this one is whole.

    The tensors must not change meanwhile. Raises DivergedError when a weight is not finite, StorageError; the previous
    checkpoint then stays.
    """
    name = _not_finite(weights)
    if name is not None:
        raise DivergedError(f"the weights are not finite at step {info.step:,} ({name}): the last good ones are kept")
    parts = {MODEL_FILE: weights} | ({TRAINING_FILE: training} if training is not None else {})
    ensure_free_space(target, sum(tensor.nbytes for tensors in parts.values() for tensor in tensors.values()))

    def fill(folder: Path) -> None:
        files = {name: _write_tensors(folder / name, tensors) for name, tensors in parts.items()}
        write_synced(folder / MANIFEST_FILE, [Manifest(info, files).to_json()])

    commit_folder(target, fill)


def _write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> FileRecord:
    """Write the safetensors format: length of the header, header, the tensors' bytes.

    The library's own `save` copies everything while it holds the interpreter's lock, 0.1 s for `classic`; this goes
    straight from the tensors to the disk, so training goes on beside it.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    ordered = sorted(plain.items(), key=lambda item: (-item[1].itemsize, item[0]))
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, tensor in ordered:
        start, end = end, end + tensor.nbytes
        header[name] = {"dtype": _TYPE_NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode("ascii")
    text += b" " * (-len(text) % 8)
    pieces: list[bytes | memoryview] = [
        len(text).to_bytes(8, "little"),
        text,
        *(_bytes_of(tensor) for _, tensor in ordered),
    ]
    return FileRecord(*write_synced(path, pieces))


def _bytes_of(tensor: Tensor) -> memoryview:
    return tensor.flatten().view(torch.uint8).numpy().data


def _not_finite(weights: Mapping[str, Tensor]) -> str | None:
    """The name of a tensor that holds NaN or infinity."""
    return next((name for name, tensor in weights.items() if not _is_finite(tensor.detach().cpu())), None)


def _is_finite(tensor: Tensor) -> bool:
    """Adds up in numpy first: torch would do it, and more, on all cores, and stop the training beside it."""
    if not tensor.is_floating_point():
        return True
    if tensor.dtype is torch.float32:
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(np.add.reduce(tensor.numpy(), axis=None)):
                return True
    return bool(torch.isfinite(tensor).all())  # a sum may overflow though its terms are finite


def read_checkpoint(folder: Path, *, training: bool = False) -> Checkpoint:
    """Read and check the checkpoint in `folder`; what only training needs where asked for.

    Where a writer has just replaced it, the newer one is read.
    Raises CheckpointError when it is damaged in any way, IncompatibleError when a newer program wrote it.
    """
    for _ in range(_READ_ATTEMPTS):
        place = folder if os.path.lexists(folder) else newest_whole(commit_target(folder)) or folder
        before = _identity(place)
        try:
            return _read(place, training)
        except CheckpointError:
            if before is not None and _identity(place) == before:
                raise
    return _read(folder, training)


def _identity(folder: Path) -> tuple[int, int] | None:
    """What tells a folder from another one that took its name."""
    try:
        status = folder.lstat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _read(folder: Path, training: bool) -> Checkpoint:
    manifest = read_manifest(folder)
    if CharTokenizer.from_dict(manifest.info.tokenizer).vocab_size != manifest.info.vocab_size:
        raise damaged(folder, "vocab_size does not fit the tokenizer")
    stored = _read_tensors(folder, MODEL_FILE, manifest.files[MODEL_FILE])
    _check_types(folder, stored, _WEIGHT_TYPES)
    try:
        weights = dequantized(stored)
    except ValueError as error:
        raise damaged(folder, str(error)) from error
    _check_weights(folder, manifest.info, weights)
    record = manifest.files.get(TRAINING_FILE)
    if not training or record is None:
        return Checkpoint(manifest.info, weights, None)
    state = _read_tensors(folder, TRAINING_FILE, record)
    _check_types(folder, state, _TYPE_NAMES.keys())
    return Checkpoint(manifest.info, weights, state)


def _read_tensors(folder: Path, name: str, record: FileRecord) -> dict[str, Tensor]:
    data = _read_file(folder, name, record)
    try:
        return safetensors.torch.load(data)
    except (SafetensorError, ValueError, TypeError, KeyError, RuntimeError, OverflowError, MemoryError) as error:
        raise damaged(folder, f"{name} holds no tensors ({str(error).splitlines()[0]})") from error


def _read_file(folder: Path, name: str, record: FileRecord) -> bytes:
    try:
        data = read_plain_file(folder / name, min(record.size, TENSORS_LIMIT))
    except FileNotFoundError:
        raise damaged(folder, f"{name} is missing") from None
    except OSError as error:
        raise damaged(folder, f"{name} cannot be read ({error.strerror})") from error
    if len(data) != record.size:
        raise damaged(folder, f"{name} is cut short ({len(data):,} of {record.size:,} bytes)")
    if hashlib.sha256(data).hexdigest() != record.sha256:
        raise damaged(folder, f"{name} is altered (its SHA-256 differs)")
    return data


def _check_weights(folder: Path, info: CheckpointInfo, weights: Mapping[str, Tensor]) -> None:
    """Finite, and at least as many as the blocks' matrices: nobody shall build a model that is only claimed."""
    name = _not_finite(weights)
    if name is not None:
        raise damaged(folder, f"the weights {name!r} are not finite")
    shape = info.config.model
    if shape.networks * shape.n_layer * shape.n_embd**2 > sum(tensor.numel() for tensor in weights.values()):
        raise damaged(folder, "it holds fewer weights than the model it describes")


def _check_types(folder: Path, tensors: Mapping[str, Tensor], allowed: Set[torch.dtype]) -> None:
    for name, tensor in tensors.items():
        if tensor.dtype not in allowed:
            raise damaged(folder, f"{name!r} has the unexpected type {tensor.dtype}")
