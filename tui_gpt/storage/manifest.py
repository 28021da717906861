"""What a checkpoint folder says of itself in `checkpoint.json`: all that a list of runs shows, without torch.

The manifest also holds size and SHA-256 of the folder's other files, so that a checkpoint can tell whether it is whole.
It is data alone: reading one can fail, with one line, and do nothing else. Tensors are `gpt.checkpoint`'s business.
"""

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from tui_gpt.config import RunConfig, checked_setting, setting_types
from tui_gpt.errors import CheckpointError, ConfigError, IncompatibleError
from tui_gpt.events import SettingValue
from tui_gpt.storage.files import candidates, is_folder, is_regular, read_json_object

FORMAT_VERSION = 1
MANIFEST_FILE = "checkpoint.json"
MODEL_FILE = "model.safetensors"
TRAINING_FILE = "training.safetensors"
MANIFEST_LIMIT = 16 << 20
"""Bytes; an alphabet of all of Unicode needs 13 MB."""
TENSORS_LIMIT = 16 << 30
"""Bytes of one file of tensors."""

_LOOKS = 3
"""A writer may rename what is looked for from one name to the next."""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, kw_only=True)
class CheckpointInfo:
    """Everything about a checkpoint but its tensors. Losses are in nats per character."""

    config: RunConfig
    tokenizer: Mapping[str, str]
    """What `CharTokenizer.to_dict` wrote."""
    vocab_size: int
    step: int
    max_iters: int
    elapsed_seconds: float = 0.0
    """Seconds of training so far, pauses left out."""
    train_loss: float | None = None
    val_loss: float | None = None
    best_val_loss: float | None = None
    corpus_digest: str = ""
    """Of the text, its validation text included, see `splitting.Split.digest`."""
    created: str = field(default_factory=_now)
    """ISO 8601, UTC."""
    extra: Mapping[str, SettingValue] = field(default_factory=dict)
    """Whatever else the trainer wants to find again."""
    format_version: int = FORMAT_VERSION

    @property
    def val_tokens(self) -> int:
        """Validation characters that `val_loss` was measured on; 0 where that is not known."""
        return self._count("val_tokens")

    @property
    def best_tokens(self) -> int:
        """Validation characters that `best_val_loss` was measured on; 0 where that is not known."""
        return self._count("best_tokens")

    @property
    def val_is_estimate(self) -> bool:
        """Whether `val_loss` was measured on a smaller part than the loss of record is."""
        return self.val_tokens < self._count("record_tokens")

    @property
    def best_is_estimate(self) -> bool:
        """Whether `best_val_loss` was measured on a smaller part than the loss of record is."""
        return self.best_tokens < self._count("record_tokens")

    def _count(self, name: str) -> int:
        value = self.extra.get(name)
        return value if type(value) is int else 0

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        fields = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        parts = {"config": self.config.to_dict(), "tokenizer": dict(self.tokenizer), "extra": dict(self.extra)}
        return {**fields, **parts}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """The info that `to_dict` took apart. Raises ConfigError on anything else."""
        hints = setting_types(cls)
        if record.keys() != hints.keys():
            raise ConfigError(f"{min(record.keys() ^ hints.keys())!r} is missing or unknown")
        config = RunConfig.from_dict(_mapping("config", record["config"]))
        tokenizer, extra = _tokenizer(record["tokenizer"]), _extra(record["extra"])
        plain = record.keys() - {"config", "tokenizer", "extra"}
        values: dict[str, Any] = {name: checked_setting(name, record[name], hints[name]) for name in plain}
        for name in ("vocab_size", "step", "max_iters", "elapsed_seconds"):
            if values[name] < 0:
                raise ConfigError(f"{name} is below zero")
        return cls(config=config, tokenizer=tokenizer, extra=extra, **values)


def _mapping(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{name} holds no settings")
    return value


def _tokenizer(value: Any) -> dict[str, str]:
    return {
        name: checked_setting(f"tokenizer {name}", item, str) for name, item in _mapping("tokenizer", value).items()
    }


def _extra(value: Any) -> dict[str, SettingValue]:
    return {name: checked_setting(name, item, SettingValue) for name, item in _mapping("extra", value).items()}


@dataclass(frozen=True)
class FileRecord:
    """One file of a checkpoint folder, as it was written."""

    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The whole of `checkpoint.json`."""

    info: CheckpointInfo
    files: Mapping[str, FileRecord]

    def to_json(self) -> bytes:
        """The file's content. Raises ValueError when a loss is not finite."""
        files = {name: dataclasses.asdict(record) for name, record in self.files.items()}
        return json.dumps({**self.info.to_dict(), "files": files}, indent=1, allow_nan=False).encode("ascii")


def damaged(folder: Path, reason: str) -> CheckpointError:
    """The error for a checkpoint that cannot be trusted."""
    return CheckpointError(
        f"the checkpoint {folder} is damaged: {reason}: take the run's other checkpoint (@best or @last) or a copy"
    )


def read_manifest(folder: Path) -> Manifest:
    """Read and check `checkpoint.json`; the other files are not looked at, and a link to a folder is not followed.

    Raises CheckpointError when it is missing or damaged, IncompatibleError when a newer program wrote it.
    """
    if folder.is_symlink():
        raise damaged(folder, "it is a link, not a folder")
    try:
        record = read_json_object(folder / MANIFEST_FILE, MANIFEST_LIMIT)
    except FileNotFoundError:
        raise CheckpointError(f"{folder} is no checkpoint: it holds no {MANIFEST_FILE}: name another folder") from None
    except OSError as error:
        raise damaged(folder, f"{MANIFEST_FILE} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise damaged(folder, f"{MANIFEST_FILE} is cut short or altered ({error})") from error
    version = record.get("format_version")
    if type(version) is int and version > FORMAT_VERSION:
        raise IncompatibleError(
            f"{folder} was written by a newer tui-gpt (format {version}, this one reads {FORMAT_VERSION}): "
            "upgrade with `pip install --upgrade tui-gpt`"
        )
    try:
        return _manifest(record)
    except ConfigError as error:
        raise damaged(folder, f"{MANIFEST_FILE} is altered ({error})") from error


def _manifest(record: dict[str, Any]) -> Manifest:
    if record.get("format_version") != FORMAT_VERSION:
        raise ConfigError("it names no known format_version")
    files = _mapping("files", record.pop("files", None))
    if MODEL_FILE not in files or not files.keys() <= {MODEL_FILE, TRAINING_FILE}:
        raise ConfigError("it names other files than a checkpoint has")
    return Manifest(CheckpointInfo.from_dict(record), {name: _file_record(files[name]) for name in files})


def _file_record(value: Any) -> FileRecord:
    record = _mapping("files", value)
    size, sha256 = record.get("size"), record.get("sha256")
    if type(size) is not int or not 0 <= size <= TENSORS_LIMIT:
        raise ConfigError("a file's size is out of range")
    if not isinstance(sha256, str) or not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ConfigError("a file's SHA-256 is missing")
    return FileRecord(size, sha256)


def read_info(folder: Path) -> CheckpointInfo:
    """What the checkpoint in `folder` says of itself. Raises like `read_manifest`."""
    return read_manifest(folder).info


def is_whole(folder: Path) -> bool:
    """Whether a checkpoint stands there with all its files at their sizes; digests are checked by who reads them."""
    if not is_folder(folder):
        return False
    try:
        files = read_manifest(folder).files
    except IncompatibleError:
        return True
    except CheckpointError:
        return False
    return all(is_regular(folder / name, record.size) for name, record in files.items())


def newest_whole(target: Path) -> Path | None:
    """Where the newest whole checkpoint committed to `target` stands, also after a crash in the middle of a commit."""
    places = candidates(target) * _LOOKS
    return next((folder for folder in places if is_whole(folder)), None)
