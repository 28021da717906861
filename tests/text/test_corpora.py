import bz2
import gzip
import hashlib
import io
import lzma
import os
from pathlib import Path
from typing import Any

import pytest

from tui_gpt.errors import CorpusError, UsageError
from tui_gpt.storage import paths
from tui_gpt.text import corpora
from tui_gpt.text.corpora import add_corpus, corpus_info, lasting_source, list_corpora, read_corpus

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


def test_a_western_encoding_is_offered_with_a_word_to_judge_it_by(tmp_path: Path) -> None:
    message = refusal(write(tmp_path / "x.txt", b"one\ntwo\ncaf\xe9\n"))
    assert "line 3, byte 12 is 0xe9" in message
    assert "if 'café' is a word of it, convert it with `iconv -f WINDOWS-1252 -t UTF-8" in message


@pytest.mark.parametrize(
    ("sentence", "encoding", "named"),
    [
        ("汉字测试文本，今天天气很好。", "gb2312", "GB18030"),
        ("吾輩は猫である。名前はまだ無い。", "shift_jis", "CP932"),
        ("吾輩は猫である。名前はまだ無い。", "euc_jp", "EUC-JP"),
        ("안녕하세요. 오늘은 날씨가 좋습니다.", "euc_kr", "CP949"),
        ("今天天氣很好，我們去公園散步。", "big5", "BIG5"),
        ("Все счастливые семьи похожи друг на друга.", "cp1251", "WINDOWS-1251"),
        ("Все счастливые семьи похожи друг на друга.", "koi8_r", "KOI8-R"),
        ("Größe, Maß und süße Öle: ein Satz für jede Zeile.", "cp1252", "WINDOWS-1252"),
        ("Où est l’élève ? Il a été très déçu par « Noël ».", "cp1252", "WINDOWS-1252"),
        ("Příliš žluťoučký kůň úpěl ďábelské ódy.", "iso8859_2", "ENCODING"),
        ("Καλημέρα κόσμε, τι κάνεις σήμερα;", "cp1253", "ENCODING"),
    ],
)
def test_an_encoding_is_named_where_it_is_certain(tmp_path: Path, sentence: str, encoding: str, named: str) -> None:
    """The command must give the text back; where the encoding is not certain, the user has to name it."""
    data = f"{sentence}\n".encode(encoding) * 40
    assert f"`iconv -f {named} -t UTF-8 FILE > NEW_FILE`" in refusal(write(tmp_path / "x.txt", data))
    if named != "ENCODING":
        assert data.decode(named) == f"{sentence}\n" * 40


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_text_cut_in_its_last_character_is_called_that(tmp_path: Path, cut: int) -> None:
    data = ("Größe 🙂\n" * 9 + "🙂").encode()[:-cut]
    message = refusal(write(tmp_path / "x.txt", data))
    whole = len(("Größe 🙂\n" * 9).encode())
    assert "is cut off in the middle of its last character" in message
    assert f"`head -c {whole} FILE > NEW_FILE`" in message
    data[:whole].decode()


def test_a_lone_surrogate_is_called_that(tmp_path: Path) -> None:
    message = refusal(write(tmp_path / "x.txt", b"lone \xed\xa0\x80 surrogate\n"))
    assert "holds a lone surrogate, which is no character (line 1, byte 6 is 0xed)" in message
    assert "`iconv -c -f UTF-8 -t UTF-8" in message


@pytest.mark.parametrize(
    ("data", "command"),
    [
        (gzip.compress(b"text", mtime=0), "gunzip"),
        (bz2.compress(b"text"), "bunzip2"),
        (lzma.compress(b"text"), "unxz"),
        (b"PK\x03\x04rest", "unzip"),
        (b"%PDF-1.7", "pdftotext"),
    ],
)
def test_what_has_to_be_unpacked_names_the_command(tmp_path: Path, data: bytes, command: str) -> None:
    assert f"e.g. `{command} " in refusal(write(tmp_path / "x", data))


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


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"\xef\xbb\xbf", "is empty"), (b" \r\n\t\n", "is blank, it holds nothing but white space")],
)
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    assert f"x.txt {reason}: choose a file with some text in it" in refusal(write(tmp_path / "x.txt", content))


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="needs /dev/null")
def test_an_empty_device_is_called_by_its_own_name() -> None:
    assert refusal("/dev/null").startswith("/dev/null is empty")
    assert refusal("-").startswith("stdin is empty")


def test_a_closed_stdin_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(CorpusError, match="stdin is closed: pipe a text into it"):
        read_corpus("-")


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
    text = read_corpus(str(folder))
    assert text.text == "one\ntwo\nthree\n"
    assert text.name == "my-plays"
    assert text.notes == ("left out 1 binary file: cover.png",)
    assert text.source == str(folder)


def test_what_a_folder_holds_beside_plain_files_is_noted(tmp_path: Path) -> None:
    write(tmp_path / "plays" / "a.txt", "fine\n")
    write(tmp_path / "elsewhere" / "b.txt", "not ours\n")
    (tmp_path / "plays" / "file").symlink_to(tmp_path / "elsewhere" / "b.txt")
    (tmp_path / "plays" / "folder").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "plays" / "pipe")
    text = read_corpus(str(tmp_path / "plays"))
    assert text.text == "fine\n"
    assert text.notes == ("left out 2 symbolic links: file, folder", "left out 1 special file: pipe")


def test_a_subfolder_that_cannot_be_read_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "plays" / "a.txt", "fine\n")
    write(tmp_path / "plays" / "locked" / "b.txt", "secret\n")
    scandir = os.scandir

    def guarded(place: str) -> Any:
        if Path(place).name == "locked":
            raise PermissionError(13, "Permission denied", str(place))
        return scandir(place)

    monkeypatch.setattr("os.scandir", guarded)
    assert read_corpus(str(tmp_path / "plays")).notes == ("left out 1 unreadable folder: locked",)


def test_badly_encoded_files_of_a_folder_are_all_named_and_the_others_are_read(tmp_path: Path) -> None:
    write(tmp_path / "plays" / "a.txt", "fine\n")
    for number in range(7):
        write(tmp_path / "plays" / f"b{number}.txt", b"caf\xe9\n")
    text = read_corpus(str(tmp_path / "plays"))
    assert text.text == "fine\n"
    (note,) = text.notes
    assert note.startswith("left out 7 files that are not UTF-8: b0.txt, b1.txt, b2.txt, b3.txt, b4.txt, …; b0.txt is")
    (tmp_path / "plays" / "a.txt").unlink()
    assert "holds no text (left out 7 files that are not UTF-8: b0.txt" in refusal(str(tmp_path / "plays"))


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


def test_figures_keep_nothing_and_need_no_room() -> None:
    info = corpus_info("-", io.BytesIO(b"my secret diary\n"))
    assert (info.source, info.characters) == ("stdin", 16)
    assert not paths.home().exists()


def test_adding_stdin_keeps_one_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"piped\n")))
    assert add_corpus("-", "mine").name == "mine"
    assert [path.name for path in paths.corpora_dir().iterdir()] == ["mine.txt"]


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
