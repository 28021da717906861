"""Damaged files are refused with one line or tolerated, and never changed; see `fuzzing`."""

from pathlib import Path

import pytest

from tests.storage.fuzzing import healthy_run, open_mutated
from tui_gpt.errors import StorageError
from tui_gpt.storage.manifest import read_info
from tui_gpt.training.replay import cut_log

COUNTS = pytest.mark.parametrize("count", [30, pytest.param(120, marks=pytest.mark.slow)])


@COUNTS
@pytest.mark.parametrize(
    "name",
    ["run.json", "events.jsonl", "last/checkpoint.json", "last/model.safetensors", "last/training.safetensors"],
)
def test_damaged_files_are_one_line_or_tolerated(tmp_path: Path, name: str, count: int) -> None:
    assert open_mutated(tmp_path / "runs", name, count, seed=1) == count


@COUNTS
@pytest.mark.parametrize("name", ["last/model.safetensors", "last/training.safetensors"])
def test_forged_tensors_are_one_line_or_tolerated(tmp_path: Path, name: str, count: int) -> None:
    """A stranger's file may be damaged on purpose, with digests that agree."""
    assert open_mutated(tmp_path / "runs", name, count, seed=2, forged=True) == count


def test_saved_changes_that_cannot_be_read_are_kept(tmp_path: Path) -> None:
    """They are the user's requests to the run after its last checkpoint."""
    run = healthy_run(tmp_path / "runs")
    (tmp_path / "notes.txt").write_text("precious")
    (run.path / "changes.jsonl").symlink_to(tmp_path / "notes.txt")
    log = run.log.path.read_bytes()
    with pytest.raises(StorageError, match=r"changes\.jsonl: it is a link, not a plain file: move it away"):
        cut_log(run, read_info(run.path / "last"))
    assert (run.path / "changes.jsonl").is_symlink()
    assert run.log.path.read_bytes() == log
