import hashlib
import io
import os
from pathlib import Path

import pytest

from tui_gpt import corpora, paths
from tui_gpt.corpora import add_corpus, corpus_info, lasting_source, list_corpora, read_corpus
from tui_gpt.errors import CorpusError, UsageError

TINY_SHAKESPEARE = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"


def write(path: Path, content: bytes | str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def refusal(spec: str, stdin: bytes = b"") -> str:
    """The one line that says why a text cannot be used."""
    with pytest.raises(CorpusError) as caught:
        read_corpus(spec, io.BytesIO(stdin))
    assert "\n" not in str(caught.value)
    assert ": " in str(caught.value)
    return str(caught.value)


def test_the_built_in_text_is_the_well_known_one() -> None:
    text = read_corpus("tinyshakespeare")
    assert text.digest == TINY_SHAKESPEARE
    assert (len(text.text), len(set(text.text))) == (1_115_394, 65)
    assert (
        hashlib.sha256((paths.shipped_dir() / "tinyshakespeare" / "input.txt").read_bytes()).hexdigest() == text.digest
    )


def test_a_file_is_read_and_its_source_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run must find its text again from another folder."""
    write(tmp_path / "My Book.txt", "Grüße\n")
    monkeypatch.chdir(tmp_path)
    text = read_corpus("My Book.txt")
    assert (text.name, text.text) == ("my-book", "Grüße\n")
    assert text.source == str(tmp_path / "My Book.txt")
    assert text.digest == hashlib.sha256("Grüße\n".encode()).hexdigest()


@pytest.mark.parametrize("content", [b"a\nb\n", b"a\r\nb\r\n", b"a\rb\r", b"\xef\xbb\xbfa\r\nb\n"])
def test_byte_order_mark_and_line_ends_make_no_difference(tmp_path: Path, content: bytes) -> None:
    assert read_corpus(write(tmp_path / "x.txt", content)).text == "a\nb\n"


def test_escapes_bidi_and_a_few_nulls_stay_as_they_are(tmp_path: Path) -> None:
    """Making them harmless is the screens' business."""
    ugly = "plain text " * 50 + "\x1b[31mred\x1b[0m \u202eback\u202c [b]markup[/b] \0"
    assert read_corpus(write(tmp_path / "x.txt", ugly)).text == ugly


def test_another_encoding_is_named_with_its_place_and_the_way_to_convert(tmp_path: Path) -> None:
    message = refusal(write(tmp_path / "x.txt", b"one\ntwo\ncaf\xe9\n"))
    assert "line 3, byte 12 is 0xe9" in message
    assert "iconv -f WINDOWS-1252 -t UTF-8" in message


@pytest.mark.parametrize(
    ("encoding", "named"),
    [("utf-16", "UTF-16"), ("utf-16-le", "UTF-16LE"), ("utf-16-be", "UTF-16BE"), ("utf-32", "UTF-32")],
)
def test_wide_encodings_are_recognised(tmp_path: Path, encoding: str, named: str) -> None:
    message = refusal(write(tmp_path / "x.txt", ("To be, or not to be\n" * 9).encode(encoding)))
    assert f"iconv -f {named} -t UTF-8" in message


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", bytes(range(32)) * 9, b"\0" * 100, b"abc\xff\0\x01"]
)
def test_a_binary_file_is_refused_as_one(tmp_path: Path, content: bytes) -> None:
    assert "is not a text" in refusal(write(tmp_path / "x.bin", content))


@pytest.mark.parametrize("content", [b"", b" \r\n\t\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    assert "is empty: choose a file with some text in it" in refusal(write(tmp_path / "x.txt", content))


def test_a_text_beyond_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpora, "SIZE_LIMIT", 10)
    write(tmp_path / "folder" / "a.txt", "x" * 6)
    write(tmp_path / "folder" / "b.txt", "x" * 6)
    assert "is larger than" in refusal(write(tmp_path / "x.txt", "x" * 11))
    assert "is larger than" in refusal(str(tmp_path / "folder"))
    assert "is larger than" in refusal("-", b"x" * 11)


def test_a_missing_file_brings_near_names(tmp_path: Path) -> None:
    write(tmp_path / "verne.txt", "x")
    assert f"did you mean {tmp_path / 'verne.txt'}?" in refusal(str(tmp_path / "vern.txt"))
    assert "did you mean tinyshakespeare?" in refusal("shakespeare")
    assert "`tui-gpt data list`" in refusal("zzz")
    assert "there is no file" in refusal(str(tmp_path / "no" / "such" / "place"))


@pytest.mark.parametrize("spec", ["", "\0", "a" * 5_000, "tinyshakespeare/input.txt/x", "~nobody-of-that-name/x"])
def test_an_impossible_path_is_one_line(spec: str) -> None:
    refusal(spec)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs permissions that hold")
def test_a_file_without_permission_is_one_line(tmp_path: Path) -> None:
    spec = write(tmp_path / "x.txt", "text")
    Path(spec).chmod(0)
    assert "check its permissions" in refusal(spec)


def test_a_folder_is_its_text_files_in_order_of_name(tmp_path: Path) -> None:
    folder = tmp_path / "My Plays"
    write(folder / "b.txt", "two")
    write(folder / "a.md", "\ufeffone\r\n")
    write(folder / "deep" / "c.txt", "three\n")
    write(folder / ".hidden", "no")
    write(folder / ".git" / "config", "no")
    write(folder / "cover.png", b"\x89PNG\0\0\0")
    write(folder / "empty.txt", "")
    (folder / "link.txt").symlink_to(folder / "b.txt")
    text = read_corpus(str(folder))
    assert text.text == "one\ntwo\nthree\n"
    assert text.name == "my-plays"
    assert text.notes == ("left out 1 binary file: cover.png",)
    assert text.source == str(folder)


def test_a_folder_with_a_badly_encoded_text_names_the_file(tmp_path: Path) -> None:
    write(tmp_path / "plays" / "a.txt", "fine")
    write(tmp_path / "plays" / "b.txt", b"caf\xe9")
    assert "b.txt is not UTF-8" in refusal(str(tmp_path / "plays"))


def test_a_folder_without_text_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "pictures" / "a.png", b"\x89PNG\0\0\0")
    assert "holds no text" in refusal(str(tmp_path / "pictures"))


def test_a_folder_of_too_many_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpora, "FILES_LIMIT", 2)
    for name in "abc":
        write(tmp_path / "many" / name, "x")
    assert "more than 2 files: name a smaller folder" in refusal(str(tmp_path / "many"))


def test_stdin_is_kept_so_that_a_run_can_be_resumed() -> None:
    text = read_corpus("-", io.BytesIO(b"piped\r\ntext\n"))
    assert text.text == "piped\ntext\n"
    assert text.source == text.name == f"stdin-{text.digest[:8]}"
    again = read_corpus(text.source)
    assert (again.text, again.digest) == (text.text, text.digest)


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
def test_a_pipe_is_kept_like_stdin() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"from a pipe\n")
    os.close(writing)
    text = read_corpus(f"/dev/fd/{reading}")
    os.close(reading)
    assert read_corpus(text.source).text == "from a pipe\n"


def test_an_added_text_is_found_by_name_from_anywhere(tmp_path: Path) -> None:
    spec = write(tmp_path / "The Time Machine.txt", b"\xef\xbb\xbfThe Time Traveller\r\n")
    entry = add_corpus(spec)
    assert (entry.name, entry.built_in) == ("the-time-machine", False)
    Path(spec).unlink()
    text = read_corpus("the-time-machine")
    assert (text.text, text.source) == ("The Time Traveller\n", "the-time-machine")
    assert [item.name for item in list_corpora()] == ["tinyshakespeare", "the-time-machine"]


def test_adding_the_same_text_twice_is_fine_and_another_one_is_refused(tmp_path: Path) -> None:
    add_corpus(write(tmp_path / "a.txt", "one\n"), "book")
    add_corpus(write(tmp_path / "b.txt", "one\r\n"), "book")
    with pytest.raises(CorpusError, match="another text is named 'book' already"):
        add_corpus(write(tmp_path / "c.txt", "two\n"), "book")
    with pytest.raises(CorpusError, match="another text is named 'tinyshakespeare' already"):
        add_corpus(write(tmp_path / "c.txt", "two\n"), "tinyshakespeare")


@pytest.mark.parametrize("name", ["../x", "/etc/x", "..", "", "a/b", ".x"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a name"):
        add_corpus(write(tmp_path / "a.txt", "one"), name)
    assert not paths.corpora_dir().exists()


def test_figures_of_a_text(tmp_path: Path) -> None:
    info = corpus_info(write(tmp_path / "a.txt", "abba\nbaab"))
    assert (info.name, info.characters, info.lines, info.alphabet) == ("a", 9, 2, "\nab")


def test_a_file_of_a_terabyte_is_refused_without_being_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Unread(io.FileIO):
        def read(self, *_: object) -> bytes:
            raise AssertionError("it was read")

    with (tmp_path / "huge.txt").open("wb") as file:
        file.truncate(1 << 40)
    monkeypatch.setattr(Path, "open", lambda path, mode: Unread(path, mode))
    assert "larger than 2 GB" in refusal(str(tmp_path / "huge.txt"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes are files of POSIX systems")
def test_a_run_names_no_pipe_as_its_text(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for source in ("-", str(tmp_path / "pipe"), "/dev/zero"):
        with pytest.raises(CorpusError, match="is no file: put its text back"):
            lasting_source(source)
    for source in ("tinyshakespeare", str(tmp_path), str(tmp_path / "gone.txt")):
        assert lasting_source(source) == source
