"""Files that are written atomically and durably, and disk errors with a remedy."""

import errno
import os
from pathlib import Path

import pytest

from tui_gpt.errors import StorageError
from tui_gpt.storage import files
from tui_gpt.storage.files import atomic_write, ensure_folder, ensure_free_space, write_synced


def test_an_atomic_write_creates_its_folder_and_leaves_only_the_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "state.json"
    atomic_write(path, b"1")
    atomic_write(path, b"2")
    assert path.read_bytes() == b"2"
    assert [item.name for item in path.parent.iterdir()] == ["state.json"]


def test_an_atomic_write_that_fails_keeps_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    atomic_write(path, b"old")

    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError, match="the disk is full: free some space"):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["state.json"]


def test_the_names_of_new_folders_are_forced_to_the_disk_from_the_top(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(files, "sync_folder", synced.append)
    ensure_folder(tmp_path / "a" / "b" / "c")
    assert synced == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    ensure_folder(tmp_path / "a" / "b" / "c")
    assert len(synced) == 3
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        ensure_folder(tmp_path / "file" / "x")


def test_writing_returns_size_and_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK", 3)
    size, digest = write_synced(tmp_path / "x", [b"hello ", memoryview(b"world"), b""])
    assert (tmp_path / "x").read_bytes() == b"hello world"
    assert (size, digest) == (11, "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9")


def test_a_disk_without_space_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    ensure_free_space(tmp_path / "not" / "there" / "yet", 1)
    with pytest.raises(StorageError, match=r"MB free and [\d,]+ MB are needed: free some space"):
        ensure_free_space(tmp_path / "not" / "there" / "yet", 1 << 60)


def test_a_new_file_does_not_replace_anything(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("precious", "link"):
        with pytest.raises(OSError, match=r"exists|link"):
            write_synced(tmp_path / name, [b"new"])
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (tmp_path / "elsewhere").exists()
