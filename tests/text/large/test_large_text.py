"""Texts on the disk are what the same texts in memory are."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.text.helpers import parts, write
from tui_gpt.config import TrainConfig, resolve
from tui_gpt.control import Control
from tui_gpt.errors import CorpusError, StoppedError
from tui_gpt.storage import paths
from tui_gpt.text.check import check_texts
from tui_gpt.text.corpora import AnyText, CorpusText, add_corpus, corpus_info, load, read_corpus
from tui_gpt.text.dataset import Corpus
from tui_gpt.text.large import text as large
from tui_gpt.text.large.beginning import read_beginning
from tui_gpt.text.large.cache import PreparedFolder
from tui_gpt.text.large.text import LargeText
from tui_gpt.text.library import remove_text
from tui_gpt.text.split import Split
from tui_gpt.text.tokenizer import CharTokenizer

LONG = "one\r\ntwo\rthree é 汉字 🙂 end of it" * 9 + "\0"


def in_memory(spec: str, monkeypatch: pytest.MonkeyPatch, stdin: bytes | None = None) -> CorpusText:
    """Return the text as a program without large texts reads it."""
    with monkeypatch.context() as context:
        context.setattr(large, "LARGE_BYTES", 1 << 20)
        text = read_corpus(spec, None if stdin is None else io.BytesIO(stdin), keep=False)
    assert isinstance(text, CorpusText)
    return text


def reading(spec: str) -> str:
    """Return why a text cannot be read; "" if it can."""
    try:
        read_corpus(spec)
    except CorpusError as error:
        return str(error)
    return ""


def facts(text: AnyText) -> tuple[object, ...]:
    """Return everything that both kinds of texts have."""
    return (text.digest, text.characters, text.lines, text.alphabet, text.notes, text.file_ends, "".join(text.pieces()))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(content=st.text("ab\n\r\0é汉🙂\ufeff ", min_size=80, max_size=200), has_bom=st.booleans())
def test_a_large_file_has_the_tokens_of_the_same_text_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, has_bom: bool
) -> None:
    data = content.encode("utf-8-sig" if has_bom else "utf-8")
    place = write(tmp_path / "a.txt", data)
    with monkeypatch.context() as context:
        context.setattr(large, "LARGE_BYTES", 1 << 20)
        refusal = reading(place)
    assert reading(place) == refusal
    if refusal:
        return
    expected = in_memory(place, monkeypatch)
    text = read_corpus(place)
    assert isinstance(text, LargeText)
    assert facts(text) == facts(expected)
    corpus, small = Corpus.build(text, 4), Corpus.build(expected, 4)
    assert parts(corpus) == parts(small)
    assert (corpus.train.dtype, corpus.digest, corpus.tokenizer) == (small.train.dtype, small.digest, small.tokenizer)


def test_a_large_folder_is_read_as_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = [LONG.encode(), b"", b"\xef\xbb\xbfshort", b"\xff" * 50, b"\0" * 99, b"\r\n", b"caf\xe9", LONG.encode()]
    for number, content in enumerate(contents):
        write(tmp_path / "texts" / f"{number}.txt", content)
    text = read_corpus(str(tmp_path / "texts"))
    expected = in_memory(str(tmp_path / "texts"), monkeypatch)
    assert isinstance(text, LargeText)
    assert facts(text) == facts(expected)
    assert len(text.notes) == 2
    assert parts(Corpus.build(text, 4)) == parts(Corpus.build(expected, 4))


def test_large_documents_are_shuffled_in_memory_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = write(tmp_path / "a.txt", "\n\n".join(f"document {number}" for number in range(9)))
    split = Split.of(TrainConfig(max_iters=1, shuffle_documents=True))
    shuffled = parts(Corpus.build(read_corpus(place), 4, split=split))
    assert shuffled == parts(Corpus.build(in_memory(place, monkeypatch), 4, split=split))
    _, notes = check_texts(resolve("nano", place, shuffle_documents=True), control=Control())
    assert "is loaded into memory because its documents are shuffled" in notes[0]


def test_large_stdin_is_added_without_being_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    text = read_corpus("-", io.BytesIO(LONG.encode()))
    expected = in_memory("-", monkeypatch, LONG.encode())
    assert isinstance(text, LargeText)
    assert facts(text) == facts(expected)
    assert text.source == text.name == expected.name
    assert facts(read_corpus(text.name)) == facts(expected)


def test_a_large_text_is_added_normalised_and_its_tokens_are_removed_with_it(tmp_path: Path) -> None:
    entry = add_corpus(write(tmp_path / "a.txt", LONG), "book")
    assert entry.path.read_text(encoding="utf-8") == LONG.replace("\r\n", "\n").replace("\r", "\n")
    Corpus.build(read_corpus("book"), 4)
    prepared = PreparedFolder.of(entry.path)
    assert prepared.size() > 0
    remove_text("book")
    assert not prepared.path.exists()


def test_a_large_text_is_scanned_once_and_again_when_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = write(tmp_path / "a.txt", LONG)
    first = read_corpus(place)
    with monkeypatch.context() as context:
        context.setattr(large, "scan_file", None)
        assert read_corpus(place) == first
    write(tmp_path / "a.txt", LONG.replace("one", "two"))
    os.utime(place, ns=(1, 1))
    assert read_corpus(place).digest != first.digest


def test_the_place_of_an_invalid_byte_is_named(tmp_path: Path) -> None:
    place = write(tmp_path / "a.txt", b"a line\n" * 20 + b"caf\xe9\n" + b"a line\n" * 20)
    with pytest.raises(CorpusError, match=r"a.txt is not UTF-8 \(line 21, byte 144 is 0xe9\)"):
        read_corpus(place)


def test_a_blank_large_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="is blank, it contains only white space"):
        read_corpus(write(tmp_path / "a.txt", " \n" * 40))


def test_a_stop_ends_reading_and_tokenizing(tmp_path: Path) -> None:
    place, control = write(tmp_path / "a.txt", LONG), Control()
    control.stop()
    with pytest.raises(StoppedError, match="stopped while reading the text: start again"):
        read_corpus(place, control=control)
    with pytest.raises(StoppedError, match="stopped while tokenizing the text"):
        Corpus.build(read_corpus(place), 4, control=control)


def test_the_progress_of_reading_and_tokenizing_is_reported(tmp_path: Path) -> None:
    class Recorded(Control):
        reports: list[tuple[str, float | None]] = []  # noqa: RUF012  # one object only

        def report(self, name: str, done: float | None = None) -> None:
            self.reports.append((name, done))

    control = Recorded()
    Corpus.build(read_corpus(write(tmp_path / "a.txt", LONG), control=control), 4, control=control)
    names = [name for name, _ in control.reports]
    done = [fraction for _, fraction in control.reports if fraction is not None]
    assert list(dict.fromkeys(names)) == ["reading the text", "tokenizing the text"]
    first = names.index("tokenizing the text")
    assert done[:first] == sorted(done[:first])
    assert done[first:] == sorted(done[first:])
    assert min(done) < 0.1
    assert done[-1] == done[first - 1] == 1.0


def test_a_large_text_that_was_not_read_is_left_to_the_run(tmp_path: Path) -> None:
    """The app shows the run at once, with the progress of reading, and its stop key works."""
    place = write(tmp_path / "a.txt", b"\xff" * 99)
    _, notes = check_texts(resolve("quick", place))
    assert notes[0].startswith("a long text, 99 B: its tokens are kept on the disk, n-grams are counted in passages")
    assert "n-grams" not in check_texts(resolve("nano", place))[1][0]
    with pytest.raises(CorpusError, match="not UTF-8"):
        check_texts(resolve("nano", place), control=Control())


def test_characters_that_only_a_large_validation_text_has_are_noted(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "abc" * 20)
    write(tmp_path / "v.txt", "ab€ab€c!" * 10)
    config = resolve("nano", str(tmp_path / "a.txt"), val_file=str(tmp_path / "v.txt"))
    _, notes = check_texts(config, control=Control())
    assert notes[0].startswith("left out 30 characters (37.5%) of the validation text")
    corpus = Corpus.build(read_corpus(config.corpus), 4, split=Split.of(config.train))
    assert parts(corpus) == ("abc" * 20, "ababc" * 10)
    assert len(corpus.mapped) == 2


def test_figures_of_a_large_text_and_its_beginning(tmp_path: Path) -> None:
    place = write(tmp_path / "a.txt", "abba\n" * 20)
    info = corpus_info(place)
    assert (info.characters, info.lines, info.alphabet) == (100, 20, "\nab")
    text, fraction = read_beginning(place, 22)
    assert (text.text, fraction) == ("abba\n" * 4, 0.2)
    write(tmp_path / "folder" / "1.txt", b"\xff" * 40)
    write(tmp_path / "folder" / "2.txt", "abba\n" * 4)
    write(tmp_path / "folder" / "3.txt", "abba\n" * 20)
    text, fraction = read_beginning(str(tmp_path / "folder"), 42)
    assert text.text == "abba\n" * 8
    assert fraction == 40 / 160


def test_a_tokenizer_with_more_characters_has_tokens_of_its_own(tmp_path: Path) -> None:
    text = read_corpus(write(tmp_path / "a.txt", "abc" * 20))
    small = Corpus.build(text, 4)
    wide = CharTokenizer("".join(map(chr, range(97, 500))))
    corpus = Corpus.build(text, 4, wide)
    assert corpus.train.dtype == np.uint16
    assert parts(corpus) == parts(small) == parts(Corpus.build(load(text), 4))
    assert len(list(paths.prepared_dir().glob("*/tokens-*.bin"))) == 2
