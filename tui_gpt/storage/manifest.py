"""Read and write `checkpoint.json`, the description of a checkpoint without its tensors.

It holds everything that a list of runs shows, so the list needs no torch, and the size and SHA-256 of the checkpoint's
other files, so that a damaged checkpoint is recognised. The tensors are read and written in `checkpoint`.
"""

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from tui_gpt.config import RunConfig
from tui_gpt.errors import CheckpointError, ConfigError, IncompatibleError
from tui_gpt.events import SettingValue
from tui_gpt.metrics import ASCII_CHARACTER, TokenSize
from tui_gpt.records import check_value, read_record
from tui_gpt.storage.folders import candidates
from tui_gpt.storage.plain_files import is_folder, is_regular, read_json_object

FORMAT_VERSION = 2
MANIFEST_FILE = "checkpoint.json"
MODEL_FILE = "model.safetensors"
TRAINING_FILE = "training.safetensors"
MANIFEST_LIMIT = 16 << 20
"""Bytes; a vocabulary of all of Unicode needs 13 MB."""
TENSORS_LIMIT = 16 << 30
"""Bytes of one file of tensors."""

_SEARCHES = 3
"""A writer may rename the folders while they are looked for."""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, kw_only=True)
class CheckpointInfo:
    """A checkpoint without its tensors. Losses are in nats per token."""

    config: RunConfig
    tokenizer: Mapping[str, str]
    """As written by `Tokenizer.to_dict`."""
    vocab_size: int
    step: int
    max_iters: int
    elapsed_seconds: float = 0.0
    """Seconds of training so far, without pauses."""
    train_loss: float | None = None
    val_loss: float | None = None
    best_val_loss: float | None = None
    corpus_digest: str = ""
    """Digest of the training and validation text, see `text.split.Split.digest`."""
    token_size: TokenSize = ASCII_CHARACTER
    """Of the validation text; it converts losses to bits per character and per byte."""
    created: str = field(default_factory=_now)
    """ISO 8601, UTC."""
    extra: Mapping[str, SettingValue] = field(default_factory=dict)
    """The rest of the trainer's scalar state."""
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        for name in ("vocab_size", "step", "max_iters", "elapsed_seconds"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is negative", name)
        if min(self.token_size.characters, self.token_size.bytes) <= 0:
            raise ConfigError("token_size is not positive", "token_size")

    @property
    def val_tokens(self) -> int:
        """Return the number of validation characters that `val_loss` was measured on, or 0 if unknown."""
        return self._count("val_tokens")

    @property
    def best_tokens(self) -> int:
        """Return the number of validation characters that `best_val_loss` was measured on, or 0 if unknown."""
        return self._count("best_tokens")

    @property
    def val_is_estimate(self) -> bool:
        """Return whether `val_loss` was measured on fewer characters than the loss of record."""
        return self.val_tokens < self._count("record_tokens")

    @property
    def best_is_estimate(self) -> bool:
        """Return whether `best_val_loss` was measured on fewer characters than the loss of record."""
        return self.best_tokens < self._count("record_tokens")

    def _count(self, name: str) -> int:
        value = self.extra.get(name)
        return value if type(value) is int else 0


@dataclass(frozen=True)
class FileRecord:
    """Size and digest of one file of a checkpoint."""

    size: int
    """Bytes."""
    sha256: str
    """Hexadecimal."""

    def __post_init__(self) -> None:
        if not 0 <= self.size <= TENSORS_LIMIT:
            raise ConfigError("a file's size is out of range")
        if not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ConfigError("a file's SHA-256 is invalid")


@dataclass(frozen=True)
class Manifest:
    """The content of `checkpoint.json`: the info, and the records of the checkpoint's other files."""

    info: CheckpointInfo
    files: Mapping[str, FileRecord]

    def to_json(self) -> bytes:
        """Return the content of the file. Raises ValueError when a loss is not finite."""
        record = dataclasses.asdict(self)
        return json.dumps({**record["info"], "files": record["files"]}, indent=1, allow_nan=False).encode("ascii")

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Self:
        """Inverse of `to_json`, after parsing. Raises ConfigError."""
        if record.get("format_version") != FORMAT_VERSION:
            raise ConfigError("it has no known format_version")
        files = check_value("files", record.pop("files", None), Mapping[str, FileRecord])
        if MODEL_FILE not in files or not files.keys() <= {MODEL_FILE, TRAINING_FILE}:
            raise ConfigError("it lists other files than a checkpoint has")
        return cls(read_record(CheckpointInfo, record), files)


def damaged(folder: Path, reason: str) -> CheckpointError:
    """Return the error for a checkpoint that is damaged."""
    return CheckpointError(
        f"the checkpoint {folder} is damaged: {reason}: take the run's other checkpoint (@best or @last) or a copy"
    )


def read_manifest(folder: Path) -> Manifest:
    """Read and check `checkpoint.json`, without looking at the other files or following a link to a folder.

    Raises CheckpointError when it is missing or damaged, IncompatibleError when a newer program wrote it.
    """
    if folder.is_symlink():
        raise damaged(folder, "it is a link, not a folder")
    try:
        record = read_json_object(folder / MANIFEST_FILE, MANIFEST_LIMIT)
    except FileNotFoundError:
        raise CheckpointError(f"{folder} is not a checkpoint: it has no {MANIFEST_FILE}: name another folder") from None
    except OSError as error:
        raise damaged(folder, f"{MANIFEST_FILE} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise damaged(folder, f"{MANIFEST_FILE} is cut short or altered ({error})") from error
    _refuse_newer(folder, record.get("format_version"))
    try:
        return Manifest.from_dict(record)
    except ConfigError as error:
        raise damaged(folder, f"{MANIFEST_FILE} is altered ({error})") from error


def _refuse_newer(folder: Path, version: Any) -> None:
    if type(version) is int and version > FORMAT_VERSION:
        raise IncompatibleError(
            f"{folder} was written by a newer tui-gpt (format {version}, this one reads {FORMAT_VERSION}): "
            "upgrade with `pip install --upgrade tui-gpt`"
        )


def read_info(folder: Path) -> CheckpointInfo:
    """Return the info of the checkpoint in `folder`. Raises like `read_manifest`."""
    return read_manifest(folder).info


def is_whole(folder: Path) -> bool:
    """Return whether a folder is a checkpoint whose files have their sizes; digests are verified on read."""
    if not is_folder(folder):
        return False
    try:
        files = read_manifest(folder).files
    except IncompatibleError:
        return True
    except CheckpointError:
        return False
    return all(is_regular(folder / name, record.size) for name, record in files.items())


def newest_complete(target: Path) -> Path | None:
    """Return the newest complete checkpoint committed to `target`, also after a crash in the middle of a commit."""
    folders = candidates(target) * _SEARCHES
    return next((folder for folder in folders if is_whole(folder)), None)
