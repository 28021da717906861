"""Encoding and decoding characters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_gpt.errors import CheckpointError
from tui_gpt.text.tokenizer import CharTokenizer

UGLY = st.text(
    st.sampled_from("ab \n\0\t\r\x1b[]é\u0301\u202e\u200d😀👩\U0010ffff\ufeff") | st.characters(codec="utf-8")
)


@given(UGLY.filter(bool))
def test_decoding_inverts_encoding(text: str) -> None:
    tokenizer = CharTokenizer.from_text(text)
    assert tokenizer.characters == "".join(sorted(set(text)))
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.decode(tokenizer.encode_compact(text).tolist()) == text
    assert CharTokenizer.from_dict(tokenizer.to_dict()) == tokenizer


@given(UGLY.filter(bool), st.text() | UGLY)
def test_unknown_characters_are_left_out_and_returned_by_unknown(alphabet: str, prompt: str) -> None:
    tokenizer = CharTokenizer.from_text(alphabet)
    known = "".join(character for character in prompt if character in alphabet)
    assert tokenizer.decode(tokenizer.encode(prompt)) == known
    assert tokenizer.unknown(prompt) == "".join(dict.fromkeys(c for c in prompt if c not in alphabet))


def test_surrogate_escapes_of_a_command_line_are_unknown_characters() -> None:
    tokenizer = CharTokenizer.from_text("abc")
    assert tokenizer.encode("a\udcffb").tolist() == [0, 1]
    assert tokenizer.unknown("a\udcffb") == "\udcff"


def test_tokens_are_in_code_point_order_and_int32() -> None:
    tokenizer = CharTokenizer.from_text("hello")
    ids = tokenizer.encode("hello")
    assert ids.dtype == np.int32
    assert ids.tolist() == [1, 0, 2, 2, 3]
    assert tokenizer.encode("").tolist() == []
    assert tokenizer.decode([]) == ""


@pytest.mark.parametrize(("size", "kind"), [(256, np.uint8), (257, np.uint16), (65_537, np.uint32)])
def test_compact_tokens_have_the_smallest_type_that_fits(size: int, kind: type) -> None:
    tokenizer = CharTokenizer("".join(map(chr, range(0x10000, 0x10000 + size))))
    compact = tokenizer.encode_compact(tokenizer.characters)
    assert compact.dtype == kind
    assert compact.tolist() == list(range(size))


def test_long_texts_are_processed_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_gpt.text.tokenizer._CHUNK", 3)
    tokenizer = CharTokenizer.from_text("Grüße an alle")
    assert tokenizer.decode(tokenizer.encode("Grüße an alle")) == "Grüße an alle"
    assert tokenizer.decode(tokenizer.encode_compact("Grüße, an alle")) == "Grüße an alle"


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"type": "character"},
        {"type": "bpe", "characters": "ab"},
        {"type": "character", "characters": ""},
        {"type": "character", "characters": "ba"},
        {"type": "character", "characters": "aa"},
        {"type": "character", "characters": "a\ud800"},
        {"type": "character", "characters": ["a", "b"]},
        {"type": "character", "characters": "ab", "more": "x"},
    ],
)
def test_a_damaged_tokenizer_is_refused(record: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match="tokenizer is damaged"):
        CharTokenizer.from_dict(record)
