"""Split a text into a training and a validation part.

The last tenth validates unless another fraction is set; with a validation text of its own, nothing of the training text
does. With shuffled documents the text is reordered first: the documents to train on, then those held out, each whole.
That needs the text in memory, however large it is.
"""

import hashlib
from dataclasses import dataclass

from tui_gpt.config import DEFAULT_VAL_SHARE, TrainConfig
from tui_gpt.control import Control
from tui_gpt.errors import CorpusError
from tui_gpt.text.corpora import AnyText, lasting_source, load, read_corpus
from tui_gpt.text.documents import choose_held_out, documents_of, shuffled_order

_DIGEST_SEPARATOR = "+"


@dataclass(frozen=True)
class Arranged:
    """A text whose documents are in the order in which it is split."""

    text: str
    boundary: int | None = None
    """Where the validation part begins; None where the fraction alone determines it."""
    documents: int = 0
    held_out: int = 0
    """Documents in the validation part."""


@dataclass(frozen=True)
class Split:
    """How a text is split."""

    val_share: float = DEFAULT_VAL_SHARE
    validation: AnyText | None = None
    """A text to validate on instead of a part of the training text."""
    shuffle_seed: int | None = None
    """Seed of the order of the documents; None keeps the text's order."""

    @classmethod
    def of(
        cls, config: TrainConfig, *, lasting: bool = False, control: Control | None = None, as_bytes: bool = False
    ) -> "Split":
        """Return the split that `config` describes, its validation text read; the rest as in `read_validation`.

        Raises CorpusError.
        """
        seed = config.seed if config.shuffle_documents else None
        val_file = config.val_file
        validation = None
        if val_file is not None:
            validation = read_validation(val_file, lasting=lasting, control=control, as_bytes=as_bytes)
        return cls(config.val_share, validation, seed)

    def train_length(self, length: int) -> int:
        """Return how many of a text's `length` tokens are trained on, where documents may be split."""
        return length if self.validation is not None else int((1 - self.val_share) * length)

    def arranged(self, text: AnyText) -> Arranged:
        """Return `text` with its documents in the order of `shuffle_seed`, which must not be None.

        A large text is loaded into memory for that. Raises CorpusError where there is only one document.
        """
        assert self.shuffle_seed is not None
        documents = documents_of(load(text))
        if len(documents) < 2:
            raise CorpusError(
                f"shuffle_documents finds one document in {text.source}: leave it out, or name a folder of several "
                "files or a text with blank lines between its documents"
            )
        order = shuffled_order(len(documents), self.shuffle_seed)
        if self.validation is not None:
            return Arranged("".join(documents[index] for index in order), None, len(documents))
        lengths = [len(document) for document in documents]
        held_out = choose_held_out(lengths, order, self.val_share * sum(lengths))
        trained = [index for index in order if index not in held_out]
        validating = [index for index in order if index in held_out]
        whole = "".join(documents[index] for index in [*trained, *validating])
        return Arranged(whole, sum(lengths[index] for index in trained), len(documents), len(validating))

    def digest(self, text: AnyText) -> str:
        """Return a digest of all texts that are read, equal for equal texts that are split alike."""
        train = text_digest(text, by_document=self.shuffle_seed is not None)
        return train if self.validation is None else f"{train}{_DIGEST_SEPARATOR}{self.validation.digest}"


def text_digest(text: AnyText, *, by_document: bool) -> str:
    """Return a digest of a training text, `by_document` also of where its files end."""
    return hashlib.sha256(f"{text.digest} {text.file_ends}".encode()).hexdigest() if by_document else text.digest


def digests_in(digest: str) -> tuple[str, str]:
    """Return the digests of the training and the validation text, "" for none, that `Split.digest` joined."""
    train, _, validation = digest.partition(_DIGEST_SEPARATOR)
    return train, validation


def read_validation(
    spec: str, *, lasting: bool = False, keep: bool = True, control: Control | None = None, as_bytes: bool = False
) -> AnyText:
    """Return the text that the setting val_file names, see `read_corpus`; `lasting` for one named by a run on the disk.

    Raises CorpusError.
    """
    try:
        source = lasting_source(spec) if lasting else spec
        return read_corpus(source, keep=keep, control=control, as_bytes=as_bytes)
    except CorpusError as error:
        raise CorpusError(f"val_file: {error}") from error
