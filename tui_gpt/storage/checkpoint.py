"""Checkpoints: a folder of arrays (safetensors) and one JSON file, committed atomically.

A checkpoint is data, never code: nothing here unpickles. The size and SHA-256 of each file are checked against
`checkpoint.json` before an array is created, so damage is found early. Weights that are not finite are neither written
nor read, so a run that diverged cannot overwrite its last good checkpoint. `folders.candidates` lists the possible
locations of a checkpoint, and `manifest` reads its description.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, deserialize

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
    newest_complete,
    read_manifest,
)
from tui_gpt.storage.plain_files import read_plain_file
from tui_gpt.storage.quantize import dequantized, quantized

Arrays = Mapping[str, npt.NDArray[Any]]

PRIOR_PREFIX = "prior."
"""The prefix of the names of the n-gram prior's arrays, among the model's weights."""

_TYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype(np.float64),
    "F32": np.dtype(np.float32),
    "F16": np.dtype(np.float16),
    "I64": np.dtype(np.int64),
    "I32": np.dtype(np.int32),
    "I16": np.dtype(np.int16),
    "I8": np.dtype(np.int8),
    "U8": np.dtype(np.uint8),
    "BOOL": np.dtype(np.bool_),
}
"""The types of stored arrays, by their names in the format."""
_TYPE_NAMES = {dtype: name for name, dtype in _TYPES.items()}
_WEIGHT_TYPES = _TYPES.keys() - {"F64", "BOOL"}
_READ_ATTEMPTS = 20
"""Reading is retried when a writer replaces the checkpoint meanwhile."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in memory."""

    info: CheckpointInfo
    weights: dict[str, npt.NDArray[Any]]
    training: dict[str, npt.NDArray[Any]] | None
    """The state of the optimizer and the random generators; None if it was not requested or not saved."""


def write_checkpoint(
    target: Path,
    info: CheckpointInfo,
    weights: Arrays,
    training: Arrays | None = None,
) -> None:
    """Commit a checkpoint to the folder `target`; at every instant the previous one or this one is complete.

    The arrays must not change meanwhile. Raises DivergedError if a weight is not finite, and StorageError; then the
    previous checkpoint stays.
    """
    name = _not_finite(weights)
    if name is not None:
        raise DivergedError(f"the weights are not finite at step {info.step:,} ({name}): the last good ones are kept")
    parts = {MODEL_FILE: weights} | ({TRAINING_FILE: training} if training is not None else {})
    ensure_free_space(target, sum(array.nbytes for arrays in parts.values() for array in arrays.values()))

    def fill(folder: Path) -> None:
        files = {name: write_arrays(folder / name, arrays) for name, arrays in parts.items()}
        write_synced(folder / MANIFEST_FILE, [Manifest(info, files).to_json()])

    commit_folder(target, fill)


def write_arrays(path: Path, arrays: Arrays) -> FileRecord:
    """Write the safetensors format: length of the header, header, the arrays' bytes.

    The library's own `save` copies everything while it holds the GIL, 0.1 s for `classic`; this writes the arrays
    directly to the disk, so training continues at the same time.
    """
    plain = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()}
    ordered = sorted(plain.items(), key=lambda item: (-item[1].itemsize, item[0]))
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, array in ordered:
        start, end = end, end + array.nbytes
        header[name] = {"dtype": _TYPE_NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode("ascii")
    text += b" " * (-len(text) % 8)
    pieces: list[bytes | memoryview] = [
        len(text).to_bytes(8, "little"),
        text,
        *(array.reshape(-1).view(np.uint8).data for _, array in ordered),
    ]
    return FileRecord(*write_synced(path, pieces))


def _not_finite(weights: Arrays) -> str | None:
    """Return the name of an array that contains NaN or infinity, if any."""
    return next((name for name, array in weights.items() if not _is_finite(array)), None)


def _is_finite(array: npt.NDArray[Any]) -> bool:
    if array.dtype.kind != "f":
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(np.add.reduce(array, axis=None)):
            return True
    return bool(np.isfinite(array).all())  # a sum may overflow though its terms are finite


def quantize_checkpoint(folder: Path) -> None:
    """Quantize the weights of the checkpoint in `folder` to eight bits; the prior stays exact.

    Raises CheckpointError, StorageError, and DivergedError if a weight is too large.
    """
    checkpoint = read_checkpoint(folder)
    prior = {name for name in checkpoint.weights if name.startswith(PRIOR_PREFIX)}
    write_checkpoint(folder, checkpoint.info, quantized(checkpoint.weights, prior))


def read_checkpoint(folder: Path, *, training: bool = False) -> Checkpoint:
    """Read and check the checkpoint in `folder`; `training` includes the state that only training needs.

    If a writer has just replaced it, the newer one is read.
    Raises CheckpointError if it is damaged in any way, IncompatibleError if a newer version wrote it.
    """
    for _ in range(_READ_ATTEMPTS):
        place = folder if os.path.lexists(folder) else newest_complete(commit_target(folder)) or folder
        before = _identity(place)
        try:
            return _read(place, training)
        except CheckpointError:
            if before is not None and _identity(place) == before:
                raise
    return _read(folder, training)


def _identity(folder: Path) -> tuple[int, int] | None:
    """Return what distinguishes a folder from another one that has replaced it; None if there is none."""
    try:
        status = folder.lstat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _read(folder: Path, training: bool) -> Checkpoint:
    manifest = read_manifest(folder)
    characters = manifest.info.tokenizer.get("characters")
    if characters is not None and len(characters) != manifest.info.vocab_size:
        raise damaged(folder, "vocab_size does not fit the tokenizer")
    stored = _read_arrays(folder, MODEL_FILE, manifest.files[MODEL_FILE], _WEIGHT_TYPES)
    try:
        weights = dequantized(stored)
    except ValueError as error:
        raise damaged(folder, str(error)) from error
    _check_weights(folder, manifest.info, weights)
    record = manifest.files.get(TRAINING_FILE)
    if not training or record is None:
        return Checkpoint(manifest.info, weights, None)
    return Checkpoint(manifest.info, weights, _read_arrays(folder, TRAINING_FILE, record, _TYPES.keys()))


def _read_arrays(folder: Path, name: str, record: FileRecord, allowed: Set[str]) -> dict[str, npt.NDArray[Any]]:
    data = _read_file(folder, name, record)
    stored: list[tuple[str, dict[str, Any]]]
    try:
        stored = deserialize(data)  # type: ignore[no-untyped-call]  # the library's own gap
    except (SafetensorError, ValueError, TypeError, KeyError, RuntimeError, OverflowError, MemoryError) as error:
        raise damaged(folder, f"{name} holds no tensors ({str(error).splitlines()[0]})") from error
    arrays: dict[str, npt.NDArray[Any]] = {}
    for key, tensor in stored:
        if tensor["dtype"] not in allowed:
            raise damaged(folder, f"{key!r} has the unexpected type {tensor['dtype']}")
        flat = np.frombuffer(tensor["data"], dtype=_TYPES[tensor["dtype"]])
        arrays[key] = flat.reshape(tensor["shape"])
    return arrays


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


def _check_weights(folder: Path, info: CheckpointInfo, weights: Arrays) -> None:
    """Refuse weights that are not finite, and a manifest that describes a larger model than the file contains."""
    name = _not_finite(weights)
    if name is not None:
        raise damaged(folder, f"the weights {name!r} are not finite")
    shape = info.config.model
    if shape.networks * shape.n_layer * shape.n_embd**2 > sum(array.size for array in weights.values()):
        raise damaged(folder, "it holds fewer weights than the model it describes")
