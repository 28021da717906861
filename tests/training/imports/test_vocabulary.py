"""A vocabulary is read from a pickle without unpickling it."""

import pickle
from pathlib import Path
from typing import Any

import pytest

from tests.storage.helpers import mutations
from tui_gpt.errors import IncompatibleError, NotFoundError
from tui_gpt.training.imports.vocabulary import plain_value, read_vocabulary

CHARACTERS = "\n !az\u00e9\u5b57\U0001f389"


def meta(characters: str = CHARACTERS) -> dict[str, Any]:
    itos = dict(enumerate(characters))
    return {"vocab_size": len(itos), "itos": itos, "stoi": {character: token for token, character in itos.items()}}


def written(folder: Path, content: object, protocol: int = 4) -> Path:
    (folder / "meta.pkl").write_bytes(pickle.dumps(content, protocol=protocol))
    return folder / "meta.pkl"


@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
def test_the_characters_are_in_the_order_of_their_tokens(protocol: int, tmp_path: Path) -> None:
    assert read_vocabulary(written(tmp_path, meta(), protocol)) == CHARACTERS
    assert plain_value(pickle.dumps(meta(), protocol)) == meta()


def test_a_large_alphabet_is_read(tmp_path: Path) -> None:
    """With numbers of two bytes and dictionaries that are written in several parts."""
    characters = "".join(map(chr, range(0x4E00, 0x4E00 + 5_000)))
    assert read_vocabulary(written(tmp_path, meta(characters))) == characters


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"itos": {0: "a"}}, "no itos and stoi"),
        ("text", "no itos and stoi"),
        (meta() | {"itos": {}}, "not numbered from 0"),
        (meta() | {"itos": {1: "a"}}, "not numbered from 0"),
        (meta() | {"itos": {0: "ab"}}, "not a single character"),
        (meta() | {"itos": {0: 5}}, "not a single character"),
        (meta() | {"stoi": {"a": 0}}, "contradict"),
        (meta("\ud800"), "surrogates not allowed"),
        (meta() | {"itos": ["a", "b"]}, "EMPTY_LIST"),
        (meta() | {"extra": Path}, "STACK_GLOBAL, which can be code"),
        (meta() | {"extra": 1.5}, "BINFLOAT"),
    ],
)
def test_anything_else_is_refused_in_one_line(content: object, reason: str, tmp_path: Path) -> None:
    with pytest.raises(IncompatibleError) as caught:
        read_vocabulary(written(tmp_path, content))
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_refused_or_a_vocabulary(tmp_path: Path) -> None:
    content, refused = pickle.dumps(meta()), 0
    for data in mutations(content, 300, seed=1):
        (tmp_path / "meta.pkl").write_bytes(data)
        try:
            read_vocabulary(tmp_path / "meta.pkl")
        except IncompatibleError:
            refused += 1
    assert refused > 100


def test_a_missing_and_a_huge_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="cannot be read"):
        read_vocabulary(tmp_path / "none.pkl")
    with (tmp_path / "huge.pkl").open("wb") as file:
        file.truncate(9 << 20)
    with pytest.raises(NotFoundError, match="more than"):
        read_vocabulary(tmp_path / "huge.pkl")
