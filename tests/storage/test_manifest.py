import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from tui_gpt.config import resolve
from tui_gpt.errors import CheckpointError, IncompatibleError
from tui_gpt.storage.folders import candidates
from tui_gpt.storage.manifest import (
    FORMAT_VERSION,
    MANIFEST_FILE,
    MODEL_FILE,
    CheckpointInfo,
    FileRecord,
    Manifest,
    is_whole,
    newest_complete,
    read_info,
    read_manifest,
)


def info(step: int = 3) -> CheckpointInfo:
    return CheckpointInfo(
        config=resolve("nano"),
        tokenizer={"type": "character", "characters": "ab"},
        vocab_size=2,
        step=step,
        max_iters=10,
        val_loss=1.5,
        extra={"bad_evaluations": 2, "note": "x", "ratio": 0.5, "flag": True, "nothing": None},
    )


def write(folder: Path, *, size: int = 4, **changes: Any) -> Path:
    """Create a checkpoint whose manifest was changed by hand; a change to `...` removes the key."""
    record = json.loads(Manifest(info(), {MODEL_FILE: FileRecord(4, "0" * 64)}).to_json())
    record = {name: value for name, value in {**record, **changes}.items() if value is not ...}
    folder.mkdir(parents=True)
    (folder / MANIFEST_FILE).write_text(json.dumps(record))
    (folder / MODEL_FILE).write_bytes(b"x" * size)
    return folder


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = write(tmp_path / "last", **json.loads(Manifest(info(), {MODEL_FILE: FileRecord(4, "0" * 64)}).to_json()))
    manifest = read_manifest(folder)
    assert manifest.info == dataclasses.replace(info(), created=manifest.info.created)
    assert manifest.files == {MODEL_FILE: FileRecord(4, "0" * 64)}
    assert is_whole(folder)


def test_a_loss_that_is_not_a_number_cannot_be_written() -> None:
    broken = CheckpointInfo(**{**vars(info()), "val_loss": float("nan")})
    with pytest.raises(ValueError, match="not JSON compliant"):
        Manifest(broken, {}).to_json()


def test_a_newer_format_asks_for_an_upgrade(tmp_path: Path) -> None:
    folder = write(tmp_path / "last", format_version=FORMAT_VERSION + 1, config=..., score=1)
    with pytest.raises(IncompatibleError, match=r"written by a newer tui-gpt .*: upgrade with"):
        read_info(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"format_version": FORMAT_VERSION - 1},
        {"format_version": True},
        {"format_version": "1"},
        {"step": -1},
        {"step": 1.5},
        {"step": ...},
        {"unexpected": 1},
        {"val_loss": "low"},
        {"config": {}},
        {"config": []},
        {"tokenizer": {"characters": 1}},
        {"extra": {"deep": {}}},
        {"files": {}},
        {"files": {MODEL_FILE: {"size": 1 << 60, "sha256": "0" * 64}}},
        {"files": {MODEL_FILE: {"size": 4, "sha256": "short"}}},
        {"files": {MODEL_FILE: {"size": 4, "sha256": "0" * 64}, "../../x": {"size": 4, "sha256": "0" * 64}}},
        {"files": {MODEL_FILE: [4]}},
    ],
)
def test_an_altered_manifest_is_a_one_line_error(tmp_path: Path, changes: dict[str, Any]) -> None:
    folder = write(tmp_path / "last", **changes)
    with pytest.raises(CheckpointError, match=r"is damaged: .*: take the run's other checkpoint") as caught:
        read_info(folder)
    assert "\n" not in str(caught.value)
    assert not is_whole(folder)


def test_a_folder_without_manifest_is_not_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        read_info(tmp_path)


def test_a_checkpoint_with_a_file_cut_short_or_missing_is_not_whole(tmp_path: Path) -> None:
    assert not is_whole(write(tmp_path / "short", size=3))
    folder = write(tmp_path / "missing")
    (folder / MODEL_FILE).unlink()
    assert not is_whole(folder)


def test_the_newest_complete_candidate_is_found(tmp_path: Path) -> None:
    """In the order new, final, previous; incomplete ones do not count."""
    new, target, old = candidates(tmp_path / "last")
    assert newest_complete(target) is None
    write(old)
    assert newest_complete(target) == old
    write(target)
    assert newest_complete(target) == target
    write(new, size=2)
    assert newest_complete(target) == target
    (new / MODEL_FILE).write_bytes(b"xxxx")
    assert newest_complete(target) == new
