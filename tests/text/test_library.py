"""Texts that have a name."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.text.helpers import write
from tui_gpt.errors import CorpusError, NotFoundError, UsageError
from tui_gpt.storage import paths
from tui_gpt.text.corpora import add_corpus, add_file, add_pasted, load, read_corpus
from tui_gpt.text.library import free_name, list_corpora, remove_text, rename_text


def test_an_added_text_is_found_by_name_from_anywhere(tmp_path: Path) -> None:
    spec = write(tmp_path / "The Time Machine.txt", b"\xef\xbb\xbfThe Time Traveller\r\n")
    entry = add_corpus(spec)
    assert (entry.name, entry.built_in) == ("the-time-machine", False)
    Path(spec).unlink()
    text = load(read_corpus("the-time-machine"))
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


def test_an_added_text_is_renamed_and_removed(tmp_path: Path) -> None:
    add_corpus(write(tmp_path / "a.txt", "one\n"), "book")
    assert rename_text("book", "novel").name == "novel"
    assert load(read_corpus("novel")).text == "one\n"
    remove_text("novel")
    assert [item.name for item in list_corpora()] == ["tinyshakespeare"]


def test_a_name_is_not_taken_from_another_text(tmp_path: Path) -> None:
    add_corpus(write(tmp_path / "a.txt", "one\n"), "book")
    add_corpus(write(tmp_path / "b.txt", "two\n"), "novel")
    for taken in ("novel", "tinyshakespeare"):
        with pytest.raises(UsageError, match=f"there is a text '{taken}' already"):
            rename_text("book", taken)
    with pytest.raises(UsageError, match="cannot be a name"):
        rename_text("book", "../book")
    assert load(read_corpus("book")).text == "one\n"


@pytest.mark.parametrize("change", [remove_text, lambda name: rename_text(name, "other")])
def test_only_an_added_text_is_renamed_or_removed(change: Callable[[str], object]) -> None:
    with pytest.raises(UsageError, match="comes with the program"):
        change("tinyshakespeare")
    with pytest.raises(NotFoundError, match="there is no text 'gone'"):
        change("gone")


def test_a_dropped_file_gets_a_number_where_another_text_has_its_name(tmp_path: Path) -> None:
    first = add_file(write(tmp_path / "a" / "book.txt", "one\n"))[0]
    assert add_file(write(tmp_path / "b" / "book.txt", "one\r\n"))[0] == first
    assert add_file(write(tmp_path / "c" / "book.txt", "two\n"))[0].name == "book-2"
    write(tmp_path / "folder" / "cover.png", b"\x89PNG\0\0\0")
    write(tmp_path / "folder" / "a.txt", "text\n")
    assert add_file(str(tmp_path / "folder"))[1] == ("left out 1 binary file: cover.png",)


@pytest.mark.parametrize("spec", ["-", "/dev/null"])
def test_a_stream_is_not_added_by_the_app(spec: str) -> None:
    with pytest.raises(CorpusError, match="which the app does not read"):
        add_file(spec)


def test_a_pasted_text_is_added_under_a_free_name() -> None:
    assert add_pasted("one\r\ntwo\rthree", "pasted").size == len("one\ntwo\nthree")
    with pytest.raises(CorpusError, match="another text is already named 'pasted'"):
        add_pasted("other", "pasted")
    with pytest.raises(CorpusError, match="blank"):
        add_pasted(" \n", "blank")
    assert (free_name("pasted"), free_name("other")) == ("pasted-2", "other")
