"""A text as tokens, split into a training and a validation part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tui_gpt.control import Control
from tui_gpt.errors import CorpusError
from tui_gpt.text.corpora import AnyText, CorpusText
from tui_gpt.text.large.mapped import MappedTokens
from tui_gpt.text.large.tokens import open_tokens
from tui_gpt.text.split import Split
from tui_gpt.text.tokenizer import CharTokenizer

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
    tokenizer: CharTokenizer
    train: Tokens
    val: Tokens
    mapped: tuple[MappedTokens, ...] = ()
    """The files that `train` and `val` are parts of, where the texts are large."""

    @classmethod
    def build(
        cls,
        text: AnyText,
        block_size: int,
        tokenizer: CharTokenizer | None = None,
        split: Split = _DEFAULT_SPLIT,
        control: Control | None = None,
    ) -> Corpus:
        """Split and encode `text`, with the given tokenizer or its own; characters that it does not know are left out.

        The tokens of a large text are made once and mapped into memory; that reports to `control`. Raises CorpusError
        where the training part is too short for a window of `block_size` characters and its targets, or the validation
        part for one target; StorageError, StoppedError.
        """
        own = tokenizer or _own_tokenizer(text)
        encoder = _Encoder(own, control or Control())
        arranged = None if split.shuffle_seed is None else split.arranged(text)
        tokens = encoder.encode(text) if arranged is None else own.encode_compact(arranged.text)
        if arranged is None or arranged.boundary is None:
            _require_length(text.name, len(tokens), block_size, split)
            length = split.train_length(len(tokens))
        else:
            length = len(own.encode_compact(arranged.text[: arranged.boundary]))
            _require_documents(text.name, length, len(tokens), block_size)
        val = tokens[length:] if split.validation is None else _validation_tokens(split.validation, encoder)
        return cls(text.name, split.digest(text), own, tokens[:length], val, tuple(encoder.mapped))

    def release_pages(self) -> None:
        """Give back the memory of what was read of large texts."""
        for tokens in self.mapped:
            tokens.release_pages()


def _own_tokenizer(text: AnyText) -> CharTokenizer:
    return CharTokenizer.from_text(text.text) if isinstance(text, CorpusText) else CharTokenizer(text.alphabet)


class _Encoder:
    """Encodes texts in memory and on the disk."""

    def __init__(self, tokenizer: CharTokenizer, control: Control) -> None:
        self.mapped: list[MappedTokens] = []
        self._tokenizer = tokenizer
        self._control = control

    def encode(self, text: AnyText) -> Tokens:
        if isinstance(text, CorpusText):
            return self._tokenizer.encode_compact(text.text)
        self.mapped.append(open_tokens(text, self._tokenizer, self._control))
        return self.mapped[-1].array


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


def _require_documents(name: str, train: int, length: int, block_size: int) -> None:
    if train > block_size and length - train >= _MIN_VALIDATION:
        return
    raise CorpusError(
        f"{name} is too short: whole documents leave {train:,} characters to train on and {length - train:,} to "
        f"validate, and a context of {block_size:,} needs {block_size + 1:,} and {_MIN_VALIDATION}: "
        f"{_remedy(train - 1)}"
    )


def _remedy(largest: int) -> str:
    return f"choose a longer text or --block-size {largest}" if largest > 0 else "choose a longer text"
