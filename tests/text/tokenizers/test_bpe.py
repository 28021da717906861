"""Byte pair encoding: joining, learning, and untrusted records."""

import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_gpt.config import ModelConfig
from tui_gpt.errors import CheckpointError, ConfigError
from tui_gpt.text.tokenizers import bpe_training
from tui_gpt.text.tokenizers.bpe import MAX_MERGES, BpeTokenizer
from tui_gpt.text.tokenizers.bpe_training import train_bpe
from tui_gpt.text.tokenizers.byte import ByteTokenizer
from tui_gpt.text.tokenizers.choose import make_tokenizer, read_tokenizer

A, B = ord("a"), ord("b")
VERSE = "the fox and the dog, the fox and the hound. grüße an 你好 und 你好! " * 20


def spelled(tokenizer: BpeTokenizer, text: str) -> list[str]:
    return [tokenizer.texts[token] for token in tokenizer.encode(text).tolist()]


def test_pairs_are_joined_in_the_order_in_which_they_were_learned() -> None:
    tokenizer = BpeTokenizer(((A, B), (A, A), (257, 256)))
    assert spelled(tokenizer, "aab") == ["a", "ab"]  # ab was learned before aa
    assert spelled(tokenizer, "aaab") == ["aaab"]
    assert spelled(tokenizer, "aaaa") == ["aa", "aa"]


def test_a_pair_whose_bytes_are_a_token_already_makes_no_new_one() -> None:
    tokenizer = BpeTokenizer(((A, B), (256, A), (B, A), (A, 258)))
    assert tokenizer.vocab_size == 256 + 3
    assert spelled(tokenizer, "aba") == ["aba"]


def test_tokens_do_not_cross_words() -> None:
    assert spelled(BpeTokenizer(((A, ord(" ")), (ord(" "), B))), "a b a") == ["a", " b", " ", "a"]


def test_learned_tokens_are_frequent_pieces_of_words() -> None:
    pytest.importorskip("tokenizers")
    tokenizer = train_bpe(VERSE, 280)
    assert tokenizer.vocab_size == 280
    assert tokenizer == train_bpe(VERSE, 280)
    assert {" the", " fox", "你好", "üß"} & set(tokenizer.texts) >= {" the", " fox"}
    assert tokenizer.decode(tokenizer.encode(VERSE)) == VERSE
    assert len(tokenizer.encode(VERSE)) < len(VERSE) / 2
    assert read_tokenizer(tokenizer.to_dict(), 280) == tokenizer


def test_the_library_joins_the_same_pairs() -> None:
    """Our encoder and the package's agree on a text that was not learned from."""
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = train_bpe(VERSE, 280)
    spelled_bytes = list(bpe_training._spelled_bytes())
    names = ["".join(spelled_bytes[byte] for byte in piece) for piece in tokenizer.pieces]
    vocabulary = {name: number for number, name in enumerate(names)}
    merges = [(names[left], names[right]) for left, right in tokenizer.merges]
    library = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, merges))
    library.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    for word in (" foxhound", "theand", " grün", "你你好", "\n\n"):
        assert library.encode(word).ids == tokenizer._encode_word(word)


def test_a_short_text_gives_fewer_tokens_than_wanted() -> None:
    pytest.importorskip("tokenizers")
    assert 256 <= train_bpe("abc", 1_000).vocab_size < 300


def test_a_long_text_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bpe_training, "TEXT_LIMIT", 640)
    sample = bpe_training._sample("a" * 6_400 + "b" * 6_400)
    assert (sample.count("a"), sample.count("b")) == (320, 320)


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ConfigError, match=r'pip install "tui-gpt\[bpe\]"$'):
        train_bpe("abc", 300)


def test_only_the_training_part_is_learned_from() -> None:
    pytest.importorskip("tokenizers")
    config = ModelConfig(tokenizer="bpe", vocab_size=257)
    tokenizer = make_tokenizer(config, "ab" * 50 + "xyz" * 500, 100, "digest")
    assert tokenizer.texts[256] == "ab"
    assert make_tokenizer(config, "", 100, "digest") is tokenizer  # the form asks at each change


DAMAGED: list[dict[str, Any]] = [
    {"type": "bpe"},
    {"type": "bpe", "merges": "97 98", "more": "1"},
    {"type": "bpe", "merges": "97 98;import os"},
    {"type": "bpe", "merges": "97"},
    {"type": "bpe", "merges": "97 256"},
    {"type": "bpe", "merges": "-1 98"},
    {"type": "bpe", "merges": "97 98,97 98"},
    {"type": "bpe", "merges": "97 97," + ",".join(f"{k} {k}" for k in range(256, 272))},
    {"type": "bpe", "merges": ",".join(["97 98"] * (MAX_MERGES + 1))},
    {"type": "byte", "characters": "ab"},
    {"type": "unheard of"},
    {},
]


@pytest.mark.parametrize("record", DAMAGED)
def test_a_damaged_record_is_refused(record: dict[str, str]) -> None:
    with pytest.raises(CheckpointError, match="tokenizer is damaged"):
        read_tokenizer(record, 257)


def test_a_record_that_does_not_fit_the_model_is_refused() -> None:
    assert read_tokenizer({"type": "byte"}, 256) == ByteTokenizer()
    with pytest.raises(CheckpointError, match="256 tokens and the model 300"):
        read_tokenizer({"type": "byte"}, 300)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(["type", "merges", "characters"]), st.sampled_from(["bpe", "byte", "97 98"])))
def test_no_record_raises_anything_else(record: dict[str, str]) -> None:
    try:
        tokenizer = read_tokenizer(record, 257)
    except CheckpointError:
        return
    assert tokenizer.to_dict() == record
