"""A text as tokens, split into a training and a validation part."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tui_gpt.config import ModelConfig
from tui_gpt.control import Control
from tui_gpt.errors import CorpusError
from tui_gpt.text.corpora import AnyText, CorpusText
from tui_gpt.text.large.mapped import MappedTokens
from tui_gpt.text.large.text import LargeText
from tui_gpt.text.large.tokens import open_tokens
from tui_gpt.text.split import Arranged, Split
from tui_gpt.text.tokenizer import CharTokenizer
from tui_gpt.text.tokenizers.choose import make_tokenizer
from tui_gpt.text.tokenizers.protocol import TextSize, Tokenizer, size_of

Tokens = npt.NDArray[np.unsignedinteger[Any]]

_MIN_VALIDATION = 2
"""Tokens of a validation part: one input and one target."""
_DEFAULT_SPLIT = Split()
_SAMPLE_PIECES = 4
"""Pieces of a large text that BPE is learned from."""


@dataclass(frozen=True)
class Corpus:
    """A tokenized text: one part to train on, one to validate on."""

    name: str
    digest: str
    """Of the texts and how they are split, see `Split.digest`."""
    tokenizer: Tokenizer
    train: Tokens
    val: Tokens
    mapped: tuple[MappedTokens, ...] = ()
    """The files that `train` and `val` are parts of, where the texts are large."""

    @cached_property
    def val_size(self) -> TextSize:
        """The size of the validation part."""
        return size_of(self.tokenizer, self.val)

    @classmethod
    def of(
        cls, config: ModelConfig, text: AnyText, split: Split = _DEFAULT_SPLIT, control: Control | None = None
    ) -> Corpus:
        """Split and encode `text` with a new tokenizer, as a new run does. Raises TuiGptError, as `build`."""
        return cls.build(text, config.block_size, _new_tokenizer(config, text, split), split, control)

    @classmethod
    def build(
        cls,
        text: AnyText,
        block_size: int,
        tokenizer: Tokenizer | None = None,
        split: Split = _DEFAULT_SPLIT,
        control: Control | None = None,
    ) -> Corpus:
        """Split and encode `text`, with the given tokenizer or that of its characters; unknown ones are left out.

        The tokens of a large text are made once and mapped into memory; that reports to `control`. Raises CorpusError
        where the training part is too short for a window of `block_size` tokens and its targets, or the validation part
        for one target; StorageError, StoppedError.
        """
        own = tokenizer or _own_tokenizer(text)
        encoder = _Encoder(own, control or Control())
        arranged = _arranged(text, split)
        if isinstance(arranged, LargeText) or (arranged.boundary is None and own.kind == "character"):
            tokens = own.encode_compact(arranged.text) if isinstance(arranged, Arranged) else encoder.encode(arranged)
            _require_length(text.name, len(tokens), block_size, split)
            length = split.train_length(len(tokens))
            train, val = tokens[:length], tokens[length:]
        else:
            length = _train_characters(arranged, split)
            train, val = own.encode_compact(arranged.text[:length]), own.encode_compact(arranged.text[length:])
            is_validated = split.validation is None
            _require_parts(text.name, len(train), len(val) if is_validated else _MIN_VALIDATION, block_size, own)
        val = val if split.validation is None else _validation_tokens(split.validation, encoder)
        return cls(text.name, split.digest(text), own, train, val, tuple(encoder.mapped))

    def release_pages(self) -> None:
        """Give back the memory of what was read of large texts."""
        for tokens in self.mapped:
            tokens.release_pages()


def _own_tokenizer(text: AnyText) -> CharTokenizer:
    return CharTokenizer.from_text(text.text) if isinstance(text, CorpusText) else CharTokenizer(text.alphabet)


class _Encoder:
    """Encodes texts in memory and on the disk."""

    def __init__(self, tokenizer: Tokenizer, control: Control) -> None:
        self.mapped: list[MappedTokens] = []
        self._tokenizer = tokenizer
        self._control = control

    def encode(self, text: AnyText) -> Tokens:
        if isinstance(text, CorpusText):
            return self._tokenizer.encode_compact(text.text)
        self.mapped.append(open_tokens(text, self._tokenizer, self._control))
        return self.mapped[-1].array


def _arranged(text: AnyText, split: Split) -> Arranged | LargeText:
    """Return a text in the order in which it is split; a large one stays on the disk unless it is shuffled."""
    if split.shuffle_seed is not None:
        return split.arranged(text)
    return Arranged(text.text) if isinstance(text, CorpusText) else text


def _train_characters(arranged: Arranged, split: Split) -> int:
    """Return how many characters of a text are trained on."""
    return split.train_length(len(arranged.text)) if arranged.boundary is None else arranged.boundary


def _new_tokenizer(config: ModelConfig, text: AnyText, split: Split) -> Tokenizer:
    """Return the tokenizer of a new run. Of a large text, BPE is learned from the beginning."""
    digest, arranged = split.digest(text), _arranged(text, split)
    if not isinstance(arranged, LargeText):
        return make_tokenizer(config, arranged.text, _train_characters(arranged, split), digest)
    if config.tokenizer == "character":
        return CharTokenizer(text.alphabet)
    sample = "".join(itertools.islice(arranged.pieces(), _SAMPLE_PIECES))
    return make_tokenizer(config, sample, len(sample), digest)


def _validation_tokens(text: AnyText, encoder: _Encoder) -> Tokens:
    tokens = encoder.encode(text)
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
