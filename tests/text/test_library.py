"""Texts that have a name."""

import io
from pathlib import Path

import pytest

from tests.text.helpers import write
from tui_gpt.errors import CorpusError, UsageError
from tui_gpt.storage import paths
from tui_gpt.text.corpora import add_corpus, read_corpus
from tui_gpt.text.library import list_corpora


def test_an_added_text_is_found_by_name_from_anywhere(tmp_path: Path) -> None:
    spec = write(tmp_path / "The Time Machine.txt", b"\xef\xbb\xbfThe Time Traveller\r\n")
    entry = add_corpus(spec)
    assert (entry.name, entry.built_in) == ("the-time-machine", False)
    Path(spec).unlink()
    text = read_corpus("the-time-machine")
    assert (text.text, text.source) == ("The Time Traveller\n", "the-time-machine")
    assert [item.name for item in list_corpora()] == ["tinyshakespeare", "the-time-machine"]


def test_a_name_can_be_added_again_for_the_same_text_only(tmp_path: Path) -> None:
    add_corpus(write(tmp_path / "a.txt", "one\n"), "book")
    add_corpus(write(tmp_path / "b.txt", "one\r\n"), "book")
    with pytest.raises(CorpusError, match="another text is already named 'book'"):
        add_corpus(write(tmp_path / "c.txt", "two\n"), "book")
    with pytest.raises(CorpusError, match="another text is already named 'tinyshakespeare'"):
        add_corpus(write(tmp_path / "c.txt", "two\n"), "tinyshakespeare")


@pytest.mark.parametrize("name", ["../x", "/etc/x", "..", "", "a/b", ".x"])
def test_an_invalid_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a name"):
        add_corpus(write(tmp_path / "a.txt", "one"), name)
    assert not paths.corpora_dir().exists()


def test_adding_stdin_stores_one_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"piped\n")))
    assert add_corpus("-", "mine").name == "mine"
    assert [path.name for path in paths.corpora_dir().iterdir()] == ["mine.txt"]


def test_a_file_that_does_not_have_a_valid_name_is_not_listed() -> None:
    for name in ("good.txt", ".hidden.txt", "two words.txt", "other.md", "tinyshakespeare.txt"):
        write(paths.corpora_dir() / name, "text")
    (paths.corpora_dir() / "folder.txt").mkdir()
    assert [(entry.name, entry.built_in) for entry in list_corpora()] == [("tinyshakespeare", True), ("good", False)]
