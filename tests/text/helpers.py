"""Texts for the tests of reading and splitting."""

from pathlib import Path

from tui_gpt.text.corpora import CorpusText
from tui_gpt.text.dataset import Corpus


def write(path: Path, content: bytes | str) -> str:
    """Write a file, its folder as well, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def text_of(content: str) -> CorpusText:
    """Return a text that was read from a file that does not exist."""
    return CorpusText("fake", content, "0" * 64, "fake.txt")


def parts(corpus: Corpus) -> tuple[str, str]:
    """Return the training and the validation part as text."""
    return corpus.tokenizer.decode(corpus.train), corpus.tokenizer.decode(corpus.val)
