"""Events and checkpoints for the tests of runs."""

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path

from tui_gpt.config import resolve
from tui_gpt.events import Evaluated, Finished, Progress, SettingValue, Started
from tui_gpt.storage.manifest import MANIFEST_FILE, MODEL_FILE, CheckpointInfo, FileRecord, Manifest

NANO = resolve("nano")


def progress(step: int) -> Progress:
    return Progress(step=step, loss=2.5, learning_rate=1e-3, grad_norm=1.0, tokens_per_second=1e4, elapsed_seconds=0.5)


def estimated(step: int, loss: float) -> Evaluated:
    return dataclasses.replace(evaluated(step, loss), val_tokens=80, is_estimate=True)


def evaluated(step: int, loss: float) -> Evaluated:
    return Evaluated(
        step=step,
        train_loss=loss,
        val_loss=loss,
        bits_per_char=loss / 0.6931,
        is_best=True,
        val_tokens=1000,
        is_estimate=False,
    )


def started(max_iters: int = 100) -> Started:
    sizes = {"parameters": 1, "train_tokens": 9, "val_tokens": 1}
    return Started(step=0, max_iters=max_iters, device="cpu", preset="nano", seed=1, **sizes)


def finished(step: int) -> Finished:
    return Finished(step=step, reason="completed", best_val_loss=1.5, elapsed_seconds=1.0)


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
