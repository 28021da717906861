"""Checkpoints for the tests of runs."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from tui_gpt.config import resolve
from tui_gpt.events import SettingValue
from tui_gpt.storage.manifest import MANIFEST_FILE, MODEL_FILE, CheckpointInfo, FileRecord, Manifest

NANO = resolve("nano")


def fake_checkpoint(
    folder: Path, step: int = 5, *, model: bytes = b"weights", extra: Mapping[str, SettingValue] | None = None
) -> Path:
    """Create a checkpoint whose tensors are never read."""
    info = CheckpointInfo(
        config=NANO,
        tokenizer={"type": "character", "characters": "ab"},
        vocab_size=2,
        step=step,
        max_iters=200,
        val_loss=1.5,
        best_val_loss=1.25,
        corpus_digest="x",
        extra=extra or {},
    )
    folder.mkdir(parents=True)
    (folder / MODEL_FILE).write_bytes(model)
    record = FileRecord(len(model), hashlib.sha256(model).hexdigest())
    (folder / MANIFEST_FILE).write_bytes(Manifest(info, {MODEL_FILE: record}).to_json())
    return folder
