"""The documents of a text."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.text.helpers import text_of
from tui_gpt.text.corpora import load, read_corpus
from tui_gpt.text.documents import documents_of


def test_the_documents_of_a_folder_are_its_files(folder: Path) -> None:
    documents = documents_of(load(read_corpus(str(folder))))
    assert documents == [path.read_text() + "\n" for path in sorted(folder.iterdir())]


@pytest.mark.parametrize(
    ("text", "documents"),
    [
        ("a\n\nb\n\nc\n\n", ["a\n\n", "b\n\n", "c\n\n"]),
        ("a\nb\n \t\n\n\nc", ["a\nb\n \t\n\n\n", "c\n\n"]),
        ("\n\n\na\n\nb\n", ["\n\n\na\n\n", "b\n\n"]),
        ("a\nb\nc\n", ["a\nb\nc\n"]),
        ("a\n\n", ["a\n\n"]),
    ],
)
def test_the_documents_of_a_file_are_its_blocks_between_blank_lines(text: str, documents: list[str]) -> None:
    assert documents_of(text_of(text)) == documents


@given(st.lists(st.text("ab \n", min_size=1), min_size=1).map("".join).filter(lambda text: not text.isspace()))
def test_documents_are_not_blank_and_make_up_the_text(text: str) -> None:
    documents = documents_of(text_of(text))
    assert "".join(documents).rstrip("\n") == text.rstrip("\n")
    assert not any(document.isspace() for document in documents)
