"""A text as tokens, split into a training and a validation part."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tui_gpt.config import ModelConfig
from tui_gpt.errors import CorpusError
from tui_gpt.text.corpora import CorpusText
from tui_gpt.text.split import Arranged, Split
from tui_gpt.text.tokenizer import CharTokenizer
from tui_gpt.text.tokenizers.choose import make_tokenizer
from tui_gpt.text.tokenizers.protocol import TextSize, Tokenizer, size_of

Tokens = npt.NDArray[np.unsignedinteger[Any]]

_MIN_VALIDATION = 2
"""Tokens of a validation part: one input and one target."""
_DEFAULT_SPLIT = Split()


@dataclass(frozen=True)
class Corpus:
    """A tokenized text: one part to train on, one to validate on."""

    name: str
    digest: str
    """Of the texts and how they are split, see `Split.digest`."""
    tokenizer: Tokenizer
    train: Tokens
    val: Tokens

    @cached_property
    def val_size(self) -> TextSize:
        """The size of the validation part."""
        return size_of(self.tokenizer, self.val)

    @classmethod
    def of(cls, config: ModelConfig, text: CorpusText, split: Split = _DEFAULT_SPLIT) -> Corpus:
        """Split and encode `text` with a new tokenizer, as a new run does. Raises TuiGptError, as `build`."""
        arranged = split.arranged(text)
        length = _train_characters(arranged, split)
        tokenizer = make_tokenizer(config, arranged.text, length, split.digest(text))
        return cls.build(text, config.block_size, tokenizer, split)

    @classmethod
    def build(
        cls,
        text: CorpusText,
        block_size: int,
        tokenizer: Tokenizer | None = None,
        split: Split = _DEFAULT_SPLIT,
    ) -> Corpus:
        """Split and encode `text`, with the given tokenizer or that of its characters; unknown ones are left out.

        Raises CorpusError where the training part is too short for a window of `block_size` tokens and its targets,
        or the validation part for one target.
        """
        own = tokenizer or CharTokenizer.from_text(text.text)
        arranged = split.arranged(text)
        if arranged.boundary is None and own.kind == "character":
            tokens = own.encode_compact(arranged.text)
            _require_length(text.name, len(tokens), block_size, split)
            length = split.train_length(len(tokens))
            train, val = tokens[:length], tokens[length:]
        else:
            length = _train_characters(arranged, split)
            train, val = own.encode_compact(arranged.text[:length]), own.encode_compact(arranged.text[length:])
            is_validated = split.validation is None
            _require_parts(text.name, len(train), len(val) if is_validated else _MIN_VALIDATION, block_size, own)
        val = val if split.validation is None else _validation_tokens(split.validation, own)
        return cls(text.name, split.digest(text), own, train, val)


def _train_characters(arranged: Arranged, split: Split) -> int:
    """Return how many characters of a text are trained on."""
    return split.train_length(len(arranged.text)) if arranged.boundary is None else arranged.boundary


def _validation_tokens(text: CorpusText, tokenizer: Tokenizer) -> Tokens:
    tokens = tokenizer.encode_compact(text.text)
    if len(tokens) < _MIN_VALIDATION:
        raise CorpusError(
            f"val_file: {text.source} is too short: it needs at least {_MIN_VALIDATION} characters that the training "
            f"text contains too, and has {len(tokens)}: choose a longer text"
        )
    return tokens


def _largest_block_size(length: int, split: Split) -> int:
    """Return the largest block_size that a text of `length` characters can fill; 0 or less if there is none."""
    train = split.train_length(length)
    is_enough = split.validation is not None or length - train >= _MIN_VALIDATION
    return train - 1 if is_enough else 0


def _require_length(name: str, length: int, block_size: int, split: Split) -> None:
    largest = _largest_block_size(length, split)
    if largest >= block_size:
        return
    needed = block_size + 1
    while _largest_block_size(needed, split) < block_size:
        needed += 1
    raise CorpusError(
        f"{name} is too short: it has {length:,} usable characters, and a context of {block_size:,} needs "
        f"{needed:,}: {_remedy(largest)}"
    )


def _require_parts(name: str, train: int, val: int, block_size: int, tokenizer: Tokenizer) -> None:
    if train > block_size and val >= _MIN_VALIDATION:
        return
    unit, cause = ("characters", "whole documents leave") if tokenizer.kind == "character" else ("tokens", "it leaves")
    raise CorpusError(
        f"{name} is too short: {cause} {train:,} {unit} to train on and {val:,} to "
        f"validate, and a context of {block_size:,} needs {block_size + 1:,} and {_MIN_VALIDATION}: "
        f"{_remedy(train - 1)}"
    )


def _remedy(largest: int) -> str:
    return f"choose a longer text or --block-size {largest}" if largest > 0 else "choose a longer text"
