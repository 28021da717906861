"""Reading files and stdin: what is too large, closed or unreadable."""

import io
from pathlib import Path

import pytest

from tests.text.helpers import write
from tui_gpt.errors import CorpusError
from tui_gpt.text import reading
from tui_gpt.text.reading import read_stdin, read_text


def refusal(place: str, limit: int | None = None) -> str:
    """Return why `place` cannot be read."""
    with pytest.raises(CorpusError) as caught:
        read_text(place, limit)
    return str(caught.value)


def pipe(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """Make `data` come from stdin."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_a_file_and_stdin_are_read_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"\xef\xbb\xbfone\r\ntwo\n"
    pipe(monkeypatch, content)
    assert read_text(write(tmp_path / "a.txt", content)) == read_text("-") == "one\ntwo\n"


def test_a_text_that_is_not_utf8_is_refused_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = write(tmp_path / "a.txt", b"\x00\x01\x02" * 9)
    reason = "100% of it are control characters"
    assert refusal(place) == f"{place} is not a text ({reason}): choose a plain text file in UTF-8"
    pipe(monkeypatch, b"caf\xe9\n")
    assert refusal("-").startswith("stdin is not UTF-8 (line 1, byte 4 is 0xe9)")


@pytest.mark.parametrize("place", ["", "\0", "a" * 5_000, "/no/such/file", "/", "~no-such-user/x"])
def test_a_place_that_cannot_be_read_is_refused_in_one_line(place: str) -> None:
    message = refusal(place)
    assert message.startswith(f"{place} cannot be read (")
    assert message.endswith("): name a text file")


def test_the_limit_is_checked_before_the_text_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cut at the limit may be in the middle of a character."""
    assert "is larger than 0 MB: choose a smaller part of it" in refusal(write(tmp_path / "a.txt", "é" * 9), limit=11)
    assert read_text(str(tmp_path / "a.txt"), limit=18) == "é" * 9
    pipe(monkeypatch, "é".encode() * 9)
    assert refusal("-", limit=11).startswith("stdin is larger than 0 MB")


def test_a_closed_stdin_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(CorpusError, match="stdin is closed: pipe a text into it"):
        read_stdin()


def test_an_unreadable_stdin_is_refused() -> None:
    class Broken(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(CorpusError, match=r"stdin cannot be read \(Input/output error\)"):
        read_stdin(Broken())


def test_a_file_of_a_terabyte_is_refused_without_being_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Unread(io.FileIO):
        def read(self, *_: object) -> bytes:
            raise AssertionError("it was read")

    with (tmp_path / "huge.txt").open("wb") as file:
        file.truncate(1 << 40)
    monkeypatch.setattr(Path, "open", lambda path, mode: Unread(path, mode))
    assert refusal(str(tmp_path / "huge.txt")).endswith("is larger than 2 GB: choose a smaller part of it")
    assert reading.SIZE_LIMIT == 2 << 30
