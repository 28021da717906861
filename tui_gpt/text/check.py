"""Check the texts that a new run names, and note what the user should know about them."""

import dataclasses

from tui_gpt.config import RunConfig
from tui_gpt.errors import CorpusError
from tui_gpt.text.corpora import CorpusText, read_corpus, require_file
from tui_gpt.text.split import Arranged, Split

FEW_CHARACTERS = 1_000
"""Validation characters below which the validation loss depends on chance."""


def check_texts(config: RunConfig, known: str = "") -> tuple[RunConfig, tuple[str, ...]]:
    """Return `config` with sources that can be read again from any folder, and notes on its texts.

    `known` are characters that the model knows besides those of the training text. Raises CorpusError.
    """
    as_bytes = config.model.reads_bytes
    text = read_corpus(config.corpus, as_bytes=as_bytes)
    split = Split.of(config.train, as_bytes=as_bytes)
    train = config.train
    notes = text.notes
    if split.validation is not None:
        train = dataclasses.replace(train, val_file=split.validation.source)
        notes += split.validation.notes
        if config.model.tokenizer == "character":
            notes += _unknown_note(split.validation, text.text, known)
    arranged = split.arranged(text)
    if train.shuffle_documents:
        notes += _documents_note(arranged)
    notes += _few_note(_validation_length(split, arranged))
    return dataclasses.replace(config, corpus=text.source, train=train), notes


def require_files(config: RunConfig) -> None:
    """Raise CorpusError if a text of `config` is stdin, a pipe or a device, which the app does not read."""
    require_file(config.corpus)
    if config.train.val_file is not None:
        try:
            require_file(config.train.val_file)
        except CorpusError as error:
            raise CorpusError(f"val_file: {error}") from None


def _unknown_note(validation: CorpusText, text: str, known: str) -> tuple[str, ...]:
    unknown = set(validation.text) - set(text) - set(known)
    if not unknown:
        return ()
    count = sum(map(validation.text.count, unknown))
    noun = "character" if count == 1 else "characters"
    fraction = count / len(validation.text)
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


def _validation_length(split: Split, arranged: Arranged) -> int:
    """Return how many characters the validation part has."""
    if split.validation is not None:
        return len(split.validation.text)
    length = len(arranged.text)
    return length - (split.train_length(length) if arranged.boundary is None else arranged.boundary)
