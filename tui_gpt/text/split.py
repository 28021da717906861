"""Which part of a text is trained on and which is held out to validate. Needs no torch.

The last tenth is held out unless another share is asked for. With a validation text of its own nothing is. Shuffled by
document, the text is put into another order first: the documents to train on, then those held out, each whole.
"""

import dataclasses
import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tui_gpt.config import DEFAULT_VAL_SHARE, RunConfig, TrainConfig
from tui_gpt.errors import CorpusError
from tui_gpt.text.corpora import CorpusText, lasting_source, read_corpus

FEW_CHARACTERS = 1_000
"""Validation characters below which the loss on them depends on chance."""
_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")
_DIGESTS_JOINED_BY = "+"


@dataclass(frozen=True)
class Arranged:
    """A text in the order in which it is split."""

    text: str
    boundary: int | None = None
    """Where the part to validate begins; None where only the share says so."""
    documents: int = 0
    held_out: int = 0
    """Documents in the part to validate."""


@dataclass(frozen=True)
class Split:
    """How a text is divided."""

    val_share: float = DEFAULT_VAL_SHARE
    validation: CorpusText | None = None
    """A text to validate on, instead of a part of the one to train on."""
    shuffle_seed: int | None = None
    """Draws the order of the documents; None leaves the text as it is."""

    @classmethod
    def of(cls, config: TrainConfig, *, lasting: bool = False) -> "Split":
        """Return what `config` asks for, its validation text read; with `lasting` one that a run on the disk names.

        Raises CorpusError.
        """
        seed = config.seed if config.shuffle_documents else None
        named = config.val_file
        return cls(config.val_share, None if named is None else read_validation(named, lasting=lasting), seed)

    def train_length(self, length: int) -> int:
        """Return how many of a text's `length` tokens are trained on, where no document is to stay whole."""
        return length if self.validation is not None else int((1 - self.val_share) * length)

    def arranged(self, text: CorpusText) -> Arranged:
        """Return `text` in the order of its documents. Raises CorpusError where there is one document only."""
        if self.shuffle_seed is None:
            return Arranged(text.text)
        documents = documents_of(text)
        if len(documents) < 2:
            raise CorpusError(
                f"shuffle_documents finds one document in {text.source}: leave it out, or name a folder of several "
                "files or a text with blank lines between its documents"
            )
        order = _shuffled(len(documents), self.shuffle_seed)
        if self.validation is not None:
            return Arranged("".join(documents[index] for index in order), None, len(documents))
        lengths = [len(document) for document in documents]
        held_out = _near_share(lengths, order, self.val_share * sum(lengths))
        trained = [index for index in order if index not in held_out]
        validating = [index for index in order if index in held_out]
        whole = "".join(documents[index] for index in [*trained, *validating])
        return Arranged(whole, sum(lengths[index] for index in trained), len(documents), len(validating))

    def digest(self, text: CorpusText) -> str:
        """Return a digest of everything that is read, alike for equal texts divided alike."""
        own = text_digest(text, by_document=self.shuffle_seed is not None)
        return own if self.validation is None else f"{own}{_DIGESTS_JOINED_BY}{self.validation.digest}"


def text_digest(text: CorpusText, *, by_document: bool) -> str:
    """Return a digest of a text to train on: where its documents count, of their ends as well."""
    return hashlib.sha256(f"{text.digest} {text.file_ends}".encode()).hexdigest() if by_document else text.digest


def digests_in(digest: str) -> tuple[str, str]:
    """Return the digests of the text and of the validation text, "" for none, that `Split.digest` joined."""
    own, _, validation = digest.partition(_DIGESTS_JOINED_BY)
    return own, validation


def read_validation(spec: str, *, lasting: bool = False, keep: bool = True) -> CorpusText:
    """Return the text that the setting val_file names, see `read_corpus`; with `lasting` a run on the disk names it.

    Raises CorpusError.
    """
    try:
        return read_corpus(lasting_source(spec) if lasting else spec, keep=keep)
    except CorpusError as error:
        raise CorpusError(f"val_file: {error}") from error


def documents_of(text: CorpusText) -> list[str]:
    """Return the documents of a text, each with what separates it from the next: the files of a folder, else the blocks
    between blank lines."""
    if text.file_ends:
        return _pieces(text.text, text.file_ends)
    whole = text.text
    first, last = len(whole) - len(whole.lstrip()), len(whole.rstrip())
    ends = [match.end() for match in _BLANK_LINES.finditer(whole) if first < match.end() < last]
    if ends:
        whole = whole.rstrip("\n") + "\n\n"  # the last block may come before another one now
    return _pieces(whole, [*ends, len(whole)])


def _pieces(text: str, ends: Sequence[int]) -> list[str]:
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _shuffled(count: int, seed: int) -> list[int]:
    """Return the numbers below `count` in the order of random numbers, which Python promises to stay the same."""
    chance = random.Random(seed)
    keys = [chance.random() for _ in range(count)]
    return sorted(range(count), key=keys.__getitem__)


def _near_share(lengths: Sequence[int], order: Sequence[int], wanted: float) -> set[int]:
    """Return the documents to hold out: in `order`, each that brings their length nearer to what is wanted."""
    chosen: set[int] = set()
    missing = wanted
    for index in order:
        if abs(missing - lengths[index]) < missing:
            chosen.add(index)
            missing -= lengths[index]
        if missing <= 0:
            break
    return chosen or {min(order, key=lengths.__getitem__)}


def settled(config: RunConfig, known: str = "") -> tuple[RunConfig, tuple[str, ...]]:
    """Return a run's settings with texts that can be read again from anywhere, and notes on what is read of them.

    `known` are characters that the model knows beside those of the text. Raises CorpusError.
    """
    text = read_corpus(config.corpus)
    split = Split.of(config.train)
    train = config.train
    notes = text.notes
    if split.validation is not None:
        train = dataclasses.replace(train, val_file=split.validation.source)
        notes += split.validation.notes + _left_out(split.validation, text.text, known)
    arranged = split.arranged(text)
    if train.shuffle_documents:
        notes += _documents_note(arranged)
    notes += _few_note(_validating(split, arranged))
    return dataclasses.replace(config, corpus=text.source, train=train), notes


def _left_out(validation: CorpusText, text: str, known: str) -> tuple[str, ...]:
    unknown = set(validation.text) - set(text) - set(known)
    if not unknown:
        return ()
    count = sum(map(validation.text.count, unknown))
    noun = "character" if count == 1 else "characters"
    share = count / len(validation.text)
    return (
        f"left out {count:,} {noun} ({share:.1%}) of the validation text {validation.source} that the text to learn "
        "from does not have",
    )


def _validating(split: Split, arranged: Arranged) -> int:
    """Return how many characters validate."""
    if split.validation is not None:
        return len(split.validation.text)
    length = len(arranged.text)
    return length - (split.train_length(length) if arranged.boundary is None else arranged.boundary)


def _few_note(characters: int) -> tuple[str, ...]:
    if characters >= FEW_CHARACTERS:
        return ()
    return (
        f"only {characters:,} characters validate, so the validation loss says little: choose a longer text, a larger "
        "--val-share, or --val-file",
    )


def _documents_note(arranged: Arranged) -> tuple[str, ...]:
    if arranged.boundary is None:
        return (f"trains on {arranged.documents:,} documents in a random order",)
    share = 1 - arranged.boundary / len(arranged.text)
    return (f"validates on {arranged.held_out:,} of {arranged.documents:,} documents, {share:.1%} of the text",)
