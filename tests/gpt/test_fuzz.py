"""Damaged files are refused with one line or tolerated, and never changed; see `fuzzing`."""

from pathlib import Path

import pytest

from tests.gpt.fuzzing import open_mutated


@pytest.mark.parametrize(
    "name",
    ["run.json", "events.jsonl", "last/checkpoint.json", "last/model.safetensors", "last/training.safetensors"],
)
def test_damaged_files_are_one_line_or_tolerated(tmp_path: Path, name: str) -> None:
    assert open_mutated(tmp_path / "runs", name, count=120, seed=1) == 120


@pytest.mark.parametrize("name", ["last/model.safetensors", "last/training.safetensors"])
def test_forged_tensors_are_one_line_or_tolerated(tmp_path: Path, name: str) -> None:
    """A stranger's file may be damaged on purpose, with digests that agree."""
    assert open_mutated(tmp_path / "runs", name, count=120, seed=2, forged=True) == 120
