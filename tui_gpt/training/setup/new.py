"""Prepares a new run from its configuration, or from the weights of another model."""

import dataclasses
from collections.abc import Callable

from tui_gpt.config import ModelConfig, RunConfig, changed
from tui_gpt.control import Control
from tui_gpt.models.build import build_model, set_case_folding
from tui_gpt.prior.ngram import NgramPrior
from tui_gpt.prior.sizing import capped_order, count_limit
from tui_gpt.ranks import ALONE, Ranks
from tui_gpt.text.corpora import AnyText, read_corpus
from tui_gpt.text.dataset import Corpus
from tui_gpt.text.split import Split
from tui_gpt.text.tokenizer import CharTokenizer
from tui_gpt.text.tokenizers.choose import read_tokenizer
from tui_gpt.text.tokenizers.protocol import Tokenizer
from tui_gpt.training.budget.estimate import size_run
from tui_gpt.training.budget.precision_trial import with_measured_precision
from tui_gpt.training.budget.sizing import MAX_MEMBERS
from tui_gpt.training.checkpoints.tensors import Checkpoint
from tui_gpt.training.compute.device import ComputeDevice
from tui_gpt.training.distributed.share import Share
from tui_gpt.training.setup.initialize import Start
from tui_gpt.training.setup.prepared import Prepared, assemble


def prepare_new(
    config: RunConfig,
    control: Control,
    *,
    start: Start | None = None,
    ranks: Ranks = ALONE,
    elapsed: Callable[[], float] = lambda: 0.0,
) -> Prepared:
    """Build a new run, as rank 0 of `ranks`; with `start` from the weights of another model.

    `elapsed` returns the seconds of a time budget that are used already. Raises TuiGptError, among them ConfigError
    where the run does not fit into its time budget or into memory, and StoppedError.
    """
    Share.of(config, ranks)  # refuses a number of processes that cannot divide a step
    control.report("reading the text")
    as_bytes = config.model.reads_bytes
    text = read_corpus(config.corpus, control=control, as_bytes=as_bytes)
    split = Split.of(config.train, control=control, as_bytes=as_bytes)
    train = config.train if split.validation is None else changed(config.train, {"val_file": split.validation.source})
    config = dataclasses.replace(config, corpus=text.source, train=train)
    if start is None:
        corpus = Corpus.of(config.model, text, split, control)
    else:
        tokenizer = _extended_tokenizer(start.checkpoint, text)
        corpus = Corpus.build(text, config.model.block_size, tokenizer, split, control)
    compute = ComputeDevice.of(config.train, ranks)
    compute = with_measured_precision(config, corpus, compute, control)
    max_members = MAX_MEMBERS if start is None else start.networks
    config, step = size_run(config, corpus, compute, control, elapsed, max_members)
    model = build_model(config.model, corpus.tokenizer.vocab_size, config.train.seed)
    if start is not None:
        start.give_weights(model, corpus)
    set_case_folding(model, corpus.tokenizer)
    control.report("counting n-grams")
    prior = _fit_prior(config, corpus)
    config = dataclasses.replace(config, model=_with_order_of(prior, config.model))
    prepared = assemble(config, corpus, model, prior, compute, step.seconds)
    return dataclasses.replace(prepared, initialized=None if start is None else start.event(corpus))


def _extended_tokenizer(start: Checkpoint, text: AnyText) -> Tokenizer:
    """Return the old model's tokenizer, with the characters that only the new text has."""
    old = read_tokenizer(start.info.tokenizer, start.info.vocab_size)
    if not isinstance(old, CharTokenizer):
        return old
    return CharTokenizer("".join(sorted(old.characters + old.unknown(text.alphabet))))


def _fit_prior(config: RunConfig, corpus: Corpus) -> NgramPrior | None:
    if config.model.ngram_order == 0:
        return None
    vocab_size = corpus.tokenizer.vocab_size
    order = capped_order(config.model.ngram_order, vocab_size)
    prior = NgramPrior.fit(corpus.train, vocab_size, order, limit=count_limit(config.train.max_seconds))
    prior.prepare_training()
    return prior


def _with_order_of(prior: NgramPrior | None, config: ModelConfig) -> ModelConfig:
    """Return `config` with the order of the prior that was fitted, which may be lower than the one asked for."""
    return dataclasses.replace(config, ngram_order=prior.order if prior else 0)
