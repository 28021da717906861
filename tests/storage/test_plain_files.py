"""Nothing but regular files is opened."""

import os
from pathlib import Path

import pytest

from tui_gpt.storage.files import atomic_write
from tui_gpt.storage.plain_files import UnusableFileError, open_plain, read_json_object, read_plain_file


def test_only_plain_files_of_the_expected_size_are_read(tmp_path: Path) -> None:
    plain, link, pipe = tmp_path / "plain", tmp_path / "link", tmp_path / "pipe"
    plain.write_bytes(b"12345")
    assert read_plain_file(plain, 5) == b"12345"
    with pytest.raises(UnusableFileError, match="more than the 4 expected"):
        read_plain_file(plain, 4)
    link.symlink_to(plain)
    with pytest.raises(UnusableFileError, match="is a link"):
        read_plain_file(link, 5)
    with pytest.raises(UnusableFileError, match="not a plain file"):
        read_plain_file(tmp_path, 5)
    if hasattr(os, "mkfifo"):
        os.mkfifo(pipe)
        with pytest.raises(UnusableFileError, match="not a plain file"):
            read_plain_file(pipe, 5)


def test_a_file_that_is_exchanged_after_the_first_check_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check before the opening is not relied on."""
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    os.mkfifo(tmp_path / "pipe")
    regular = (tmp_path / "precious").lstat()
    monkeypatch.setattr(Path, "lstat", lambda _: regular)
    for flags in (os.O_RDONLY, os.O_RDWR):
        with pytest.raises(OSError, match=r"Too many levels of symbolic links|loop"):
            open_plain(tmp_path / "link", flags)
        with pytest.raises(UnusableFileError):
            open_plain(tmp_path / "pipe", flags)


def test_a_file_with_a_hard_link_may_be_read_but_not_written_in_place(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"12345")
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    assert read_plain_file(tmp_path / "two", 5) == b"12345"
    for flags in (os.O_RDWR, os.O_WRONLY | os.O_APPEND, os.O_RDWR | os.O_CREAT):
        with pytest.raises(UnusableFileError, match="a second name"):
            open_plain(tmp_path / "two", flags)
    atomic_write(tmp_path / "two", b"new")
    assert (tmp_path / "one").read_bytes() == b"12345"


def test_a_device_is_refused_before_it_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a tape rewinds it."""
    opened: list[object] = []
    monkeypatch.setattr(os, "open", lambda *arguments: opened.append(arguments))
    with pytest.raises(UnusableFileError, match="not a plain file"):
        open_plain(Path(os.devnull), os.O_RDONLY)
    assert opened == []


@pytest.mark.parametrize(
    "text", [b"[]", b"{", b"\xff", b'{"a": NaN}', b'{"a": ' + b"9" * 5_000 + b"}", b'{"a":' * 100_000]
)
def test_a_file_that_is_not_a_json_object_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "x.json").write_bytes(text)
    with pytest.raises(ValueError, match=r"\w"):
        read_json_object(tmp_path / "x.json", 1 << 20)
