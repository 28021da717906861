"""The figures of a text before it is trained on."""

import errno
from pathlib import Path

import pytest

from tests.text.helpers import write
from tui_gpt.errors import CorpusError
from tui_gpt.text import report as report_module
from tui_gpt.text.report import frequencies, inspect


def test_a_file_is_counted_and_split(tmp_path: Path) -> None:
    report, text = inspect(write(tmp_path / "poem.txt", "abba\n" * 20))
    assert (report.name, report.size, report.characters, report.lines) == ("poem", 100, 100, 20)
    assert (report.train, report.validation, report.is_sample) == (90, 10, False)
    assert report.frequencies == (("a", 40), ("b", 40), ("\n", 20))
    assert report.preview == text.text


def test_characters_beyond_ascii_are_counted() -> None:
    assert frequencies("aé😀é") == (("é", 2), ("a", 1), ("😀", 1))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"abc\n", "UTF-8: only ASCII characters, which are the same in it"),
        ("é\n".encode(), "UTF-8: every byte sequence in it is valid"),
        (b"\xef\xbb\xbfabc\n", "UTF-8: it begins with that byte order mark, which is left out"),
        (
            b"a\r\nb\r\nc\r",
            "the same in it; line ends \\r\\n are read as \\n (2); line ends \\r are read as \\n (1)",
        ),
    ],
)
def test_the_encoding_is_explained(tmp_path: Path, data: bytes, words: str) -> None:
    report, _ = inspect(write(tmp_path / "text.txt", data))
    assert words in report.encoding


def test_a_text_in_another_encoding_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="could be WINDOWS-1252"):
        inspect(write(tmp_path / "text.txt", "Le café est fermé.\n".encode("cp1252")))


def test_what_is_left_out_of_a_folder_is_noted(tmp_path: Path) -> None:
    write(tmp_path / "plays" / "a.txt", "to be\n")
    write(tmp_path / "plays" / "b.txt", "or not\n")
    write(tmp_path / "plays" / "cover.png", b"\x89PNG\0\0\0")
    report, _ = inspect(str(tmp_path / "plays"))
    assert report.notes == ("left out 1 binary file: cover.png",)
    assert report.size is None
    assert report.encoding == "UTF-8: valid in each of its files (2)"


@pytest.mark.parametrize(
    ("content", "read"), [("one\ntwo\nthree\n", "one\ntwo\n"), ("abcdefghijklmn", "abcdefghij"), ("aé" * 9, "aéaéaéa")]
)
def test_only_the_beginning_of_a_large_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, read: str
) -> None:
    """Up to the end of a line, or at least of a character."""
    monkeypatch.setattr(report_module, "SAMPLE_BYTES", 10)
    report, text = inspect(write(tmp_path / "large.txt", content))
    assert report.is_sample
    assert text.text == read
    assert report.size == len(content.encode())


def test_an_unreadable_large_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    spec = write(tmp_path / "large.txt", "abcdefghijklmn")
    monkeypatch.setattr(report_module, "SAMPLE_BYTES", 10)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CorpusError, match=r"cannot be read \(Permission denied\)"):
        inspect(spec)


@pytest.mark.parametrize("spec", ["-", "/dev/null"])
def test_a_stream_is_not_read(spec: str) -> None:
    with pytest.raises(CorpusError, match="which the app does not read"):
        inspect(spec)


def test_a_built_in_text_is_known_by_name() -> None:
    report, _ = inspect("tinyshakespeare")
    assert (report.characters, len(report.frequencies)) == (1_115_394, 65)


def test_a_missing_text_is_refused() -> None:
    with pytest.raises(CorpusError, match="there is no file"):
        inspect("/no/such/file.txt")
