"""Learns the merges of a BPE tokenizer from a text with the package `tokenizers` (the extra `bpe`)."""

import json
from collections.abc import Iterator
from typing import Any

from tui_gpt.errors import ConfigError
from tui_gpt.text.tokenizers.bpe import BpeTokenizer, words_of
from tui_gpt.text.tokenizers.byte import BYTES

TEXT_LIMIT = 20_000_000
"""Characters learned from at most, evenly spread over a longer text."""
_PARTS = 64
"""Parts of a longer text that are learned from."""


def train_bpe(text: str, vocab_size: int) -> BpeTokenizer:
    """Return a tokenizer of `vocab_size` tokens, or fewer where the text has too few pairs that occur twice.

    Raises ConfigError where the package is not installed.
    """
    try:
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    except ImportError:
        raise ConfigError(
            'tokenizer bpe is trained by the package tokenizers, which is not installed: pip install "tui-gpt[bpe]"',
            "tokenizer",
        ) from None
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    learner.train_from_iterator(words_of(_sample(text)), trainer)
    return BpeTokenizer(tuple(_pairs(json.loads(learner.to_str())["model"]["merges"])))


def _sample(text: str) -> str:
    if len(text) <= TEXT_LIMIT:
        return text
    step, size = len(text) // _PARTS, TEXT_LIMIT // _PARTS
    return "".join(text[start : start + size] for start in range(0, step * _PARTS, step))


def _pairs(merges: list[Any]) -> Iterator[tuple[int, int]]:
    """Yield the merges as pairs of token numbers; the package spells bytes as printable characters."""
    byte_of = {character: byte for byte, character in enumerate(_spelled_bytes())}
    ids = {piece: number for number, piece in enumerate(BYTES)}
    for left, right in merges:
        one, other = (bytes(byte_of[character] for character in part) for part in (left, right))
        yield ids[one], ids[other]
        ids.setdefault(one + other, len(ids))


def _spelled_bytes() -> Iterator[str]:
    """Yield the printable character that the package (like GPT-2) writes for each byte."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    other = 0x100
    for byte in range(256):
        if byte in printable:
            yield chr(byte)
        else:
            yield chr(other)
            other += 1
