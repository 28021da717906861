"""Open damaged files: a few hundred in `test_fuzz`, many thousands in `benchmarks/torture.py`.

A damaged file is refused with one line (a TuiGptError) or tolerated; nothing else is
raised, and nothing on the disk changes.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import torch

from tests.storage.helpers import mutations
from tui_gpt.config import resolve
from tui_gpt.errors import TuiGptError
from tui_gpt.events import Evaluated, Progress, Saved, Started
from tui_gpt.storage.manifest import MANIFEST_FILE, CheckpointInfo
from tui_gpt.storage.runs import Run, RunStore
from tui_gpt.training.checkpoints.tensors import read_checkpoint, write_checkpoint


def healthy_run(root: Path) -> Run:
    """Create a small run with a log and both checkpoints."""
    run = RunStore(root).create(resolve("bigram"), "fuzzed")
    run.record(
        Started(step=0, max_iters=9, parameters=9, device="cpu", train_tokens=9, val_tokens=2, preset="b", seed=1)
    )
    for step in range(1, 6):
        run.record(
            Progress(
                step=step, loss=2.5, learning_rate=1e-3, grad_norm=1.0, tokens_per_second=9.5, elapsed_seconds=step / 2
            )
        )
    run.record(
        Evaluated(
            step=5,
            train_loss=2.4,
            val_loss=2.5,
            bits_per_char=3.6,
            bits_per_byte=3.6,
            is_best=True,
            val_tokens=1000,
            is_estimate=False,
        )
    )
    run.record(Saved(step=5, path="last"))
    info = CheckpointInfo(
        config=run.config,
        tokenizer={"type": "character", "characters": "abc"},
        vocab_size=3,
        step=5,
        max_iters=9,
        val_loss=2.5,
    )
    for which in ("best", "last"):
        write_checkpoint(run.path / which, info, {"table": torch.rand(3, 3)}, {"moments": torch.rand(3, 3)})
    return run


def open_everything(run: Run) -> None:
    """Do everything that the interfaces do with a run of another process; each call may raise a TuiGptError."""
    steps: list[Callable[[], object]] = [
        run.summary,
        lambda: run.config,
        lambda: list(run.events()),
        lambda: read_checkpoint(run.require_checkpoint("last"), training=True),
        lambda: read_checkpoint(run.path / "last", training=True),
        lambda: read_checkpoint(run.path / "best"),
    ]
    for step in steps:
        try:
            step()
        except TuiGptError as error:
            if "\n" in str(error):
                raise AssertionError(f"more than one line: {error}") from error


def listing(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def restate(folder: Path) -> None:
    """Make the digests of a manifest agree with its files again, as a forger would."""
    record = json.loads((folder / MANIFEST_FILE).read_text())
    for name in record["files"]:
        data = (folder / name).read_bytes()
        record["files"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / MANIFEST_FILE).write_text(json.dumps(record))


def open_mutated(root: Path, name: str, count: int, seed: int, *, forged: bool = False) -> int:
    """Open a run `count` times with its file `name` damaged in different ways; return how many were opened or refused.

    With `forged`, the digests of a checkpoint are made to agree with the damage.
    """
    run = healthy_run(root)
    good = (run.path / name).read_bytes()
    for data in mutations(good, count, seed):
        (run.path / name).write_bytes(data)
        if forged:
            restate((run.path / name).parent)
        before = listing(root)
        open_everything(run)
        if listing(root) != before:
            raise AssertionError(f"opening a run with a damaged {name} changed the disk")
    shutil.rmtree(root)
    return count
