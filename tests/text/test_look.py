"""The first look at a path that is being typed."""

import errno
import os
from pathlib import Path

import pytest

from tests.text.helpers import write
from tui_gpt.errors import CorpusError
from tui_gpt.text import look as look_module
from tui_gpt.text import reading
from tui_gpt.text.look import look


def test_a_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = write(tmp_path / "poem.txt", "abba\n" * 400)
    monkeypatch.delattr(Path, "open")
    assert look(spec) == "a file of 2.00 kB"
    assert look("tinyshakespeare") == "a file of 1.12 MB"


def test_a_folder_is_counted_without_what_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "plays" / "a.txt", "to be\n")
    write(tmp_path / "plays" / "acts" / "b.txt", "or not\n")
    write(tmp_path / "plays" / ".git" / "c.txt", "hidden\n")
    write(tmp_path / "plays" / ".d.txt", "hidden\n")
    (tmp_path / "plays" / "up").symlink_to(tmp_path)
    assert look(str(tmp_path / "plays")) == (
        "a folder of 2 files, 13 B\nnot counted: hidden and special files, symbolic links"
    )


def test_a_folder_is_counted_within_a_budget_of_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_module, "ENTRIES_LIMIT", 3)
    for name in "abcde":
        write(tmp_path / name, "x")
    words = look(str(tmp_path))
    assert words.startswith("a folder of at least 3 files, 3 B\ncounting stopped after 3 entries\n")


def test_a_folder_is_counted_within_a_budget_of_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_module, "SECONDS_LIMIT", 0.0)
    write(tmp_path / "a", "x")
    assert "counting stopped after 0 entries" in look(str(tmp_path))


def test_an_outdated_look_stops(tmp_path: Path) -> None:
    for name in "abcde":
        write(tmp_path / name, "x")
    answers = iter([False, True])
    assert look(str(tmp_path), lambda: next(answers)) == ""


def test_an_unreadable_folder_inside_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "plays" / "locked" / "a.txt", "text\n")
    scandir = os.scandir

    def guarded(place: str) -> object:
        if place.endswith("locked"):
            raise PermissionError(errno.EACCES, "Permission denied", place)
        return scandir(place)

    monkeypatch.setattr("os.scandir", guarded)
    assert "not counted: what is in unreadable folders (1)" in look(str(tmp_path / "plays"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes are files of POSIX systems")
def test_streams_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for spec in ("-", str(tmp_path / "pipe"), "/dev/zero"):
        with pytest.raises(CorpusError, match="which the app does not read"):
            look(spec)


def test_what_cannot_be_added_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = write(tmp_path / "poem.txt", "abba\n")
    with pytest.raises(CorpusError, match=r"there is no file.*did you mean .*poem\.txt"):
        look(str(tmp_path / "poen.txt"))
    with pytest.raises(CorpusError, match="cannot be read"):
        look("a\0b")
    with monkeypatch.context() as patch:
        patch.setattr("os.access", lambda *_: False)
        with pytest.raises(CorpusError, match="cannot be read: check its permissions"):
            look(spec)
    monkeypatch.setattr(reading, "SIZE_LIMIT", 4)
    with pytest.raises(CorpusError, match="is larger than"):
        look(spec)
