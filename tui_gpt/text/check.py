"""Check the texts that a new run names, and note what the user should know about them."""

import dataclasses

from tui_gpt.config import RunConfig
from tui_gpt.control import Control
from tui_gpt.errors import CorpusError
from tui_gpt.formatting import format_bytes, token_noun
from tui_gpt.text.corpora import AnyText, read_corpus, require_file, unscanned_bytes
from tui_gpt.text.large.text import LargeText
from tui_gpt.text.split import Arranged, Split

FEW_CHARACTERS = 1_000
"""Validation characters below which the validation loss depends on chance."""


def check_texts(
    config: RunConfig, known: str = "", control: Control | None = None
) -> tuple[RunConfig, tuple[str, ...]]:
    """Return `config` with sources that can be read again from any folder, and notes on its texts.

    `known` are characters that the model knows besides those of the training text. Large texts report to `control`;
    without one, those that were not scanned before are left to the run. Raises CorpusError, StoppedError.
    """
    as_bytes = config.model.reads_bytes
    if control is None and not as_bytes:
        pending = unscanned_bytes(config.corpus)
        if pending or (config.train.val_file is not None and unscanned_bytes(config.train.val_file)):
            return config, _large_note(format_bytes(pending), config) if pending else ()
    text = read_corpus(config.corpus, control=control, as_bytes=as_bytes)
    split = Split.of(config.train, control=control, as_bytes=as_bytes)
    train = config.train
    notes = text.notes
    if split.validation is not None:
        train = dataclasses.replace(train, val_file=split.validation.source)
        notes += split.validation.notes
        if config.model.tokenizer == "character":
            notes += _unknown_note(split.validation, text.alphabet, known)
    if isinstance(text, LargeText):
        notes += _large_note(f"{text.characters:,} characters", config)
    arranged = split.arranged(text) if train.shuffle_documents else None
    if arranged is not None:
        notes += _documents_note(arranged)
    notes += _few_note(_validation_length(split, text, arranged))
    return dataclasses.replace(config, corpus=text.source, train=train), notes


def require_files(config: RunConfig) -> None:
    """Raise CorpusError if a text of `config` is stdin, a pipe or a device, which the app does not read."""
    require_file(config.corpus)
    if config.train.val_file is not None:
        try:
            require_file(config.train.val_file)
        except CorpusError as error:
            raise CorpusError(f"val_file: {error}") from None


def _large_note(size: str, config: RunConfig) -> tuple[str, ...]:
    if config.train.shuffle_documents:
        return (f"a long text, {size}, which is loaded into memory because its documents are shuffled",)
    from tui_gpt.text.windows import RECORD_LIMIT  # numpy, which the start of the program does not wait for

    counted = ", n-grams are counted in passages of it," if config.model.ngram_order else ""
    return (
        f"a long text, {size}: its tokens are kept on the disk{counted} and losses are measured on {RECORD_LIMIT:,} "
        f"{token_noun(config.model.tokenizer)}s of the validation part",
    )


def _unknown_note(validation: AnyText, alphabet: str, known: str) -> tuple[str, ...]:
    unknown = set(validation.alphabet) - set(alphabet) - set(known)
    if not unknown:
        return ()
    count = sum(piece.count(character) for piece in validation.pieces() for character in unknown)
    noun = "character" if count == 1 else "characters"
    fraction = count / validation.characters
    return (
        f"left out {count:,} {noun} ({fraction:.1%}) of the validation text {validation.source} that the training text "
        "does not contain",
    )


def _documents_note(arranged: Arranged) -> tuple[str, ...]:
    if arranged.boundary is None:
        return (f"trains on {arranged.documents:,} documents in a random order",)
    fraction = 1 - arranged.boundary / len(arranged.text)
    return (f"validates on {arranged.held_out:,} of {arranged.documents:,} documents, {fraction:.1%} of the text",)


def _few_note(characters: int) -> tuple[str, ...]:
    if characters >= FEW_CHARACTERS:
        return ()
    return (
        f"the validation part has only {characters:,} characters, so the validation loss is unreliable: choose a "
        "longer text, a larger --val-share, or --val-file",
    )


def _validation_length(split: Split, text: AnyText, arranged: Arranged | None) -> int:
    """Return how many characters the validation part has."""
    if split.validation is not None:
        return split.validation.characters
    if arranged is None or arranged.boundary is None:
        return text.characters - split.train_length(text.characters)
    return len(arranged.text) - arranged.boundary
