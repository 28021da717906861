"""Reading a folder: which files, in which order, and what is left out."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.text.helpers import write
from tui_gpt.errors import CorpusError
from tui_gpt.text import folder as folder_module
from tui_gpt.text.corpora import load, read_corpus


def refusal(spec: str) -> str:
    """Return the one line that describes why a text cannot be used."""
    with pytest.raises(CorpusError) as caught:
        read_corpus(spec)
    assert "\n" not in str(caught.value)
    assert ": " in str(caught.value)
    return str(caught.value)


def test_a_folder_is_read_as_its_text_files_in_order_of_name(tmp_path: Path) -> None:
    folder = tmp_path / "My Plays"
    write(folder / "b.txt", "two")
    write(folder / "a.md", "\ufeffone\r\n")
    write(folder / "deep" / "c.txt", "three\n")
    write(folder / ".hidden", "no")
    write(folder / ".git" / "config", "no")
    write(folder / "cover.png", b"\x89PNG\0\0\0")
    write(folder / "empty.txt", "")
    text = load(read_corpus(str(folder)))
    assert text.text == "one\ntwo\nthree\n"
    assert text.name == "my-plays"
    assert text.notes == ("left out 1 binary file: cover.png",)
    assert text.source == str(folder)


def test_links_and_special_files_are_left_out_with_a_note(tmp_path: Path) -> None:
    write(tmp_path / "plays" / "a.txt", "fine\n")
    write(tmp_path / "elsewhere" / "b.txt", "not ours\n")
    (tmp_path / "plays" / "file").symlink_to(tmp_path / "elsewhere" / "b.txt")
    (tmp_path / "plays" / "folder").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "plays" / "pipe")
    text = load(read_corpus(str(tmp_path / "plays")))
    assert text.text == "fine\n"
    assert text.notes == ("left out 2 symbolic links: file, folder", "left out 1 special file: pipe")


def test_an_unreadable_subfolder_is_left_out_with_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "plays" / "a.txt", "fine\n")
    write(tmp_path / "plays" / "locked" / "b.txt", "secret\n")
    scandir = os.scandir

    def guarded(place: str) -> Any:
        if Path(place).name == "locked":
            raise PermissionError(13, "Permission denied", str(place))
        return scandir(place)

    monkeypatch.setattr("os.scandir", guarded)
    assert read_corpus(str(tmp_path / "plays")).notes == ("left out 1 unreadable folder: locked",)


def test_files_that_are_not_utf8_are_left_out_with_a_note(tmp_path: Path) -> None:
    write(tmp_path / "plays" / "a.txt", "fine\n")
    for number in range(7):
        write(tmp_path / "plays" / f"b{number}.txt", b"caf\xe9\n")
    text = load(read_corpus(str(tmp_path / "plays")))
    assert text.text == "fine\n"
    (note,) = text.notes
    assert note.startswith("left out 7 files that are not UTF-8: b0.txt, b1.txt, b2.txt, b3.txt, b4.txt, …; b0.txt is")
    (tmp_path / "plays" / "a.txt").unlink()
    assert "holds no text (left out 7 files that are not UTF-8: b0.txt" in refusal(str(tmp_path / "plays"))


def test_a_folder_without_text_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "pictures" / "a.png", b"\x89PNG\0\0\0")
    assert "holds no text" in refusal(str(tmp_path / "pictures"))


def test_a_folder_of_too_many_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "FILES_LIMIT", 2)
    for name in "abc":
        write(tmp_path / "many" / name, "x")
    assert "more than 2 files: name a smaller folder" in refusal(str(tmp_path / "many"))
