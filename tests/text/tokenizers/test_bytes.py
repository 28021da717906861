"""Tokens that are bytes: every text and file, in both directions, and as a stream."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_gpt.text.any_bytes import bytes_of, text_of
from tui_gpt.text.tokenizer import CharTokenizer
from tui_gpt.text.tokenizers.bpe import BpeTokenizer, words_of
from tui_gpt.text.tokenizers.byte import ByteTokenizer
from tui_gpt.text.tokenizers.protocol import Tokenizer, size_of

MERGES = ((0x74, 0x68), (256, 0x65), (0x20, 257), (0xC3, 0xA4), (0xE4, 0xBD), (260, 0xA0))
"""th, the, " the", ä, and the Chinese character 你 in two steps."""
BPE = BpeTokenizer(MERGES)
BYTE = ByteTokenizer()
TOKENIZERS = pytest.mark.parametrize("tokenizer", [BYTE, BPE], ids=["byte", "bpe"])
TEXTS = st.text(st.characters(codec="utf-8"), max_size=60) | st.text("the äé你好\n 01_", max_size=60)


@given(st.binary(max_size=200))
def test_any_file_becomes_the_same_bytes_again(data: bytes) -> None:
    assert bytes_of(text_of(data)) == data


@TOKENIZERS
@settings(max_examples=60)
@given(data=st.binary(max_size=80) | TEXTS.map(str.encode))
def test_tokens_are_the_bytes_of_any_file(tokenizer: Tokenizer, data: bytes) -> None:
    ids = tokenizer.encode(text_of(data))
    assert b"".join(bytes_of(tokenizer.texts[token]) for token in ids.tolist()) == data
    assert tokenizer.decode(ids) == data.decode("utf-8", "replace")
    assert (tokenizer.encode_compact(text_of(data)) == ids).all()


@TOKENIZERS
@settings(max_examples=60)
@given(tokens=st.lists(st.integers(0, 255), max_size=40))
def test_a_stream_is_the_decoded_text_without_half_a_character(tokenizer: Tokenizer, tokens: list[int]) -> None:
    """Whatever a model draws: what arrives is a beginning of the whole text, and only its unfinished end is missing."""
    stream = tokenizer.stream()
    written = "".join(map(stream, tokens))
    whole = tokenizer.decode(tokens)
    assert whole.startswith(written)
    assert len(bytes_of(whole[len(written) :])) <= 3


@TOKENIZERS
@settings(max_examples=60)
@given(text=TEXTS)
def test_a_text_arrives_whole_wherever_its_tokens_end(tokenizer: Tokenizer, text: str) -> None:
    stream = tokenizer.stream()
    assert "".join(stream(token) for token in tokenizer.encode(text).tolist()) == text


def test_a_character_arrives_with_its_last_byte_and_an_invalid_byte_as_a_sign() -> None:
    stream = BYTE.stream()
    assert [stream(byte) for byte in "a你".encode()] == ["a", "", "", "你"]
    assert [stream(byte) for byte in (0xE4, 0x61, 0xFF)] == ["", "\ufffda", "\ufffd"]


def test_two_streams_do_not_share_unfinished_characters() -> None:
    first, second = BYTE.stream(), BYTE.stream()
    first(0xC3)
    assert second(0x41) == "A"
    assert first(0xA4) == "ä"


@TOKENIZERS
def test_the_texts_of_tokens_are_distinct_and_no_character_is_unknown(tokenizer: Tokenizer) -> None:
    assert len(set(tokenizer.texts)) == tokenizer.vocab_size
    assert tokenizer.unknown("你\udcff\ud800") == ""
    assert len(tokenizer.encode("\ud800")) == 3


@pytest.mark.parametrize(
    ("tokenizer", "tokens"), [(CharTokenizer(" aä你"), 6), (BYTE, 9), (BPE, 6)], ids=["character", "byte", "bpe"]
)
def test_the_size_of_a_text_is_the_same_for_all_tokenizers(tokenizer: Tokenizer, tokens: int) -> None:
    size = size_of(tokenizer, tokenizer.encode_compact("aä 你 a"))
    assert (size.tokens, size.characters, size.bytes) == (tokens, 6, 9)
    assert size.per_token.characters == pytest.approx(6 / tokens)


def test_losses_of_different_tokenizers_compare_in_bits() -> None:
    """One model, seen per byte and per character: half the loss for each of twice the tokens."""
    text = "ää" * 50
    character, byte = CharTokenizer("ä"), BYTE
    per_character = size_of(character, character.encode_compact(text)).per_token
    per_byte = size_of(byte, byte.encode_compact(text)).per_token
    assert per_character.bits_per_char(1.2) == pytest.approx(per_byte.bits_per_char(0.6))
    assert per_character.bits_per_byte(1.2) == pytest.approx(per_byte.bits_per_byte(0.6))
    assert per_character.bits_per_char(1.2) == pytest.approx(2 * per_character.bits_per_byte(1.2))


def test_an_empty_text_has_tokens_of_one_character() -> None:
    assert size_of(BYTE, np.empty(0, np.uint8)).per_token.bits_per_char(0.0) == 0.0


@settings(max_examples=60)
@given(TEXTS | st.binary(max_size=60).map(text_of))
def test_words_joined_are_the_text(text: str) -> None:
    words = words_of(text)
    assert "".join(words) == text
    assert max(map(len, words), default=0) <= 33
