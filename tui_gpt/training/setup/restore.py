"""Restores a model, its prior and its text from a checkpoint, to resume or to evaluate it."""

from tui_gpt.config import RunConfig
from tui_gpt.control import Control
from tui_gpt.errors import CorpusError, IncompatibleError
from tui_gpt.models.build import LanguageModel, build_model, load_weights
from tui_gpt.prior.ngram import NgramPrior
from tui_gpt.prior.stored import read_prior, without_prior
from tui_gpt.text.corpora import lasting_source, read_corpus
from tui_gpt.text.dataset import Corpus
from tui_gpt.text.split import Split, digests_in, text_digest
from tui_gpt.text.tokenizers.choose import read_tokenizer
from tui_gpt.training.checkpoints.tensors import Checkpoint, arrays_of


def restored_model(checkpoint: Checkpoint, corpus: Corpus | None = None) -> tuple[LanguageModel, NgramPrior | None]:
    """Return the model, in evaluation mode, and its prior; training further needs the `corpus`.

    Raises CheckpointError, IncompatibleError where the weights do not fit the model.
    """
    info = checkpoint.info
    tokens = None if corpus is None else corpus.train
    prior = read_prior(arrays_of(checkpoint.weights), info.vocab_size, info.config.model.ngram_order, tokens)
    model = build_model(info.config.model, info.vocab_size, info.config.train.seed)
    load_weights(model, without_prior(checkpoint.weights))
    model.eval()
    return model, prior


def original_corpus(
    config: RunConfig,
    checkpoint: Checkpoint,
    name: str,
    control: Control,
    *,
    text_moved: str,
    validation_moved: str,
    changed: str,
) -> Corpus:
    """Return the corpus that `name` was trained on, from the place that `config` names.

    Raises IncompatibleError where one of its texts has moved or changed, for which the last three arguments are the
    remedies, StorageError and StoppedError.
    """
    info = checkpoint.info
    try:
        source = lasting_source(config.corpus)
        text = read_corpus(source, control=control, as_bytes=config.model.reads_bytes)
    except CorpusError as error:
        raise IncompatibleError(
            f"the text {config.corpus}, which {name} was trained on, is no longer there: put it back, or {text_moved}"
        ) from error
    try:
        split = Split.of(config.train, lasting=True, control=control, as_bytes=config.model.reads_bytes)
    except CorpusError as error:
        raise IncompatibleError(
            f"the validation text {config.train.val_file}, which {name} was measured on, is no longer there: put it "
            f"back, or {validation_moved}"
        ) from error
    trained_on, measured_on = digests_in(info.corpus_digest)
    if text_digest(text, by_document=config.train.shuffle_documents) != trained_on:
        raise IncompatibleError(
            f"the text {config.corpus} has changed since {name} was trained on it: put the old text back, or {changed}"
        )
    if (split.validation.digest if split.validation else "") != measured_on:
        raise IncompatibleError(
            f"the validation text {config.train.val_file} has changed since {name} was measured on it: put the old "
            f"text back, or {changed}"
        )
    tokenizer = read_tokenizer(info.tokenizer, info.vocab_size)
    return Corpus.build(text, info.config.model.block_size, tokenizer, split, control)
