"""The token store: made once, continued after a kill, checked when it is opened."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.text.helpers import write
from tui_gpt.control import Control
from tui_gpt.errors import CorpusError
from tui_gpt.storage.locks import FileLock
from tui_gpt.text.corpora import read_corpus
from tui_gpt.text.large import cache
from tui_gpt.text.large.cache import PreparedFolder
from tui_gpt.text.large.text import LargeText
from tui_gpt.text.large.tokens import open_tokens
from tui_gpt.text.tokenizer import CharTokenizer

CONTENT = "".join(f"line {number}\n" for number in range(30))


class KilledError(Exception):
    """The process was killed."""


class Counting:
    """A tokenizer that counts the characters it encodes, and may be killed after some."""

    def __init__(self, most: int = 10**9) -> None:
        self.own = CharTokenizer.from_text(CONTENT)
        self.encoded = 0
        self.most = most

    @property
    def vocab_size(self) -> int:
        return self.own.vocab_size

    def encode_compact(self, text: str) -> npt.NDArray[np.unsignedinteger[Any]]:
        if self.encoded + len(text) > self.most:
            raise KilledError
        self.encoded += len(text)
        return self.own.encode_compact(text)

    def to_dict(self) -> dict[str, str]:
        return self.own.to_dict()

    def opened(self, text: LargeText) -> str:
        """Return the text of the store."""
        return self.own.decode(open_tokens(text, self, Control()).array)


@pytest.fixture
def text(tmp_path: Path) -> LargeText:
    """A text of thirty lines."""
    text = read_corpus(write(tmp_path / "a.txt", CONTENT))
    assert isinstance(text, LargeText)
    return text


def store_files(text: LargeText) -> tuple[Path, Path]:
    """Return the file of the tokens and that of the chunks."""
    (data,), (lines,) = text.prepared.path.glob("*.bin"), text.prepared.path.glob("*.jsonl")
    return data, lines


def test_tokens_are_made_once(text: LargeText) -> None:
    first, second = Counting(), Counting()
    assert first.opened(text) == second.opened(text) == CONTENT
    assert (first.encoded, second.encoded) == (len(CONTENT), 0)


@pytest.mark.parametrize("most", [0, 9, 50, 120, 200])
def test_a_store_that_was_killed_is_continued(text: LargeText, most: int) -> None:
    killed = Counting(most)
    with pytest.raises(KilledError):
        killed.opened(text)
    again = Counting()
    assert again.opened(text) == CONTENT
    assert again.encoded < len(CONTENT) - most + 30


def cut(path: Path) -> None:
    """Lose the last third of a file, as a power loss may."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])


def alter(path: Path) -> None:
    """Change a byte in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("damage", [cut, alter, Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_damaged_store_is_made_again_from_the_damage_on(
    text: LargeText, which: int, damage: Callable[[Path], object]
) -> None:
    Counting().opened(text)
    damage(store_files(text)[which])
    again = Counting()
    assert again.opened(text) == CONTENT
    assert again.encoded > 0
    assert Counting(0).opened(text) == CONTENT


def test_the_store_of_a_changed_text_replaces_the_old_one(tmp_path: Path, text: LargeText) -> None:
    Counting().opened(text)
    changed = read_corpus(write(tmp_path / "a.txt", CONTENT * 2))
    assert isinstance(changed, LargeText)
    assert Counting().opened(changed) == CONTENT * 2
    assert len(list(text.prepared.path.glob("*.bin"))) == 1


def test_a_text_that_changes_while_it_is_tokenized_is_refused(tmp_path: Path, text: LargeText) -> None:
    class Meddling(Counting):
        def encode_compact(self, text: str) -> npt.NDArray[np.unsignedinteger[Any]]:
            write(tmp_path / "a.txt", CONTENT.upper() + "more")
            return super().encode_compact(text)

    with pytest.raises(CorpusError, match="was changed while it was read: start again when nothing writes into it"):
        Meddling().opened(text)
    assert not list(text.prepared.path.glob("*.jsonl"))


def test_the_least_recently_used_texts_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [read_corpus(write(tmp_path / f"{number}.txt", CONTENT)) for number in range(3)]
    folders = []
    for text in texts:
        assert isinstance(text, LargeText)
        Counting().opened(text)
        folders.append(text.prepared)
    read_again = texts[0]
    assert isinstance(read_again, LargeText)
    Counting(0).opened(read_again)
    monkeypatch.setattr(cache, "CACHE_BYTES", sum(folder.size() for folder in folders) - 1_000)
    PreparedFolder.of(tmp_path / "new.txt").make_room(100)
    assert [folder.path.exists() for folder in folders] == [True, False, True]


def test_a_text_that_another_process_prepares_is_not_removed(text: LargeText) -> None:
    Counting().opened(text)
    lock = FileLock(text.prepared.path / "lock")
    lock.acquire()
    text.prepared.remove()
    assert text.prepared.size() > 0
    lock.release()
    text.prepared.remove()
    assert text.prepared.size() == 0


def test_released_pages_are_read_again(text: LargeText) -> None:
    mapped = open_tokens(text, Counting(), Control())
    before = mapped.array.copy()
    mapped.release_pages()
    assert (mapped.array == before).all()
