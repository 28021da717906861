"""Reading a text by its name, path or stdin."""

import hashlib
import io
import os
from pathlib import Path

import pytest

from tests.text.helpers import write
from tui_gpt.errors import CorpusError
from tui_gpt.storage import paths
from tui_gpt.text import reading
from tui_gpt.text.corpora import corpus_info, lasting_source, load, read_corpus
from tui_gpt.text.large import text as large

TINY_SHAKESPEARE = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"


def refusal(spec: str, stdin: bytes = b"") -> str:
    """Return the one line that describes why a text cannot be used."""
    with pytest.raises(CorpusError) as caught:
        read_corpus(spec, io.BytesIO(stdin))
    assert "\n" not in str(caught.value)
    assert ": " in str(caught.value)
    return str(caught.value)


def test_the_built_in_text_is_tinyshakespeare() -> None:
    text = load(read_corpus("tinyshakespeare"))
    assert text.digest == TINY_SHAKESPEARE
    assert (len(text.text), len(set(text.text))) == (1_115_394, 65)
    assert (
        hashlib.sha256((paths.shipped_dir() / "tinyshakespeare" / "input.txt").read_bytes()).hexdigest() == text.digest
    )


def test_a_file_is_read_and_its_source_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run finds its text again from another folder."""
    write(tmp_path / "My Book.txt", "Grüße\n")
    monkeypatch.chdir(tmp_path)
    text = load(read_corpus("My Book.txt"))
    assert (text.name, text.text) == ("my-book", "Grüße\n")
    assert text.source == str(tmp_path / "My Book.txt")
    assert text.digest == hashlib.sha256("Grüße\n".encode()).hexdigest()


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"\xef\xbb\xbf", "is empty"), (b" \r\n\t\n", "is blank, it contains only white space")],
)
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    assert f"x.txt {reason}: choose a file with some text in it" in refusal(write(tmp_path / "x.txt", content))


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="needs /dev/null")
def test_an_empty_device_is_called_by_its_name() -> None:
    assert refusal("/dev/null").startswith("/dev/null is empty")
    assert refusal("-").startswith("stdin is empty")


def test_a_text_beyond_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SIZE_LIMIT", 10)
    monkeypatch.setattr(large, "LARGE_BYTES", 10)
    write(tmp_path / "folder" / "a.txt", "x" * 6)
    write(tmp_path / "folder" / "b.txt", "x" * 6)
    assert "is larger than" in refusal(write(tmp_path / "x.txt", "x" * 11))
    assert "is larger than" in refusal(str(tmp_path / "folder"))
    assert "is larger than" in refusal("-", b"x" * 11)


def test_a_missing_file_suggests_similar_names(tmp_path: Path) -> None:
    write(tmp_path / "verne.txt", "x")
    assert f"did you mean {tmp_path / 'verne.txt'}?" in refusal(str(tmp_path / "vern.txt"))
    assert "did you mean tinyshakespeare?" in refusal("shakespeare")
    assert "`tui-gpt data list`" in refusal("zzz")
    assert "there is no file" in refusal(str(tmp_path / "no" / "such" / "place"))


@pytest.mark.parametrize("spec", ["", "\0", "a" * 5_000, "tinyshakespeare/input.txt/x", "~no-such-user/x"])
def test_an_impossible_path_is_one_line(spec: str) -> None:
    refusal(spec)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs permissions that hold")
def test_a_file_without_permission_is_one_line(tmp_path: Path) -> None:
    spec = write(tmp_path / "x.txt", "text")
    Path(spec).chmod(0)
    assert "check its permissions" in refusal(spec)


def test_a_text_from_stdin_is_added_so_that_a_run_can_be_resumed() -> None:
    text = load(read_corpus("-", io.BytesIO(b"piped\r\ntext\n")))
    assert text.text == "piped\ntext\n"
    assert text.source == text.name == f"stdin-{text.digest[:8]}"
    again = load(read_corpus(text.source))
    assert (again.text, again.digest) == (text.text, text.digest)


def test_figures_of_stdin_add_nothing_to_the_library() -> None:
    info = corpus_info("-", io.BytesIO(b"my secret diary\n"))
    assert (info.source, info.characters) == ("stdin", 16)
    assert not paths.home().exists()


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
def test_a_text_from_a_pipe_is_added_like_one_from_stdin() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"from a pipe\n")
    os.close(writing)
    text = load(read_corpus(f"/dev/fd/{reading}"))
    os.close(reading)
    assert load(read_corpus(text.source)).text == "from a pipe\n"


def test_figures_of_a_text(tmp_path: Path) -> None:
    info = corpus_info(write(tmp_path / "a.txt", "abba\nbaab"))
    assert (info.name, info.characters, info.lines, info.alphabet) == ("a", 9, 2, "\nab")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes are files of POSIX systems")
def test_a_run_cannot_name_a_pipe_as_its_text(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for source in ("-", str(tmp_path / "pipe"), "/dev/zero"):
        with pytest.raises(CorpusError, match="is not a file: restore its text"):
            lasting_source(source)
    for source in ("tinyshakespeare", str(tmp_path), str(tmp_path / "gone.txt")):
        assert lasting_source(source) == source
