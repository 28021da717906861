"""Everything that has to be found, read and built before the first step or the first character.

A new run is built from its configuration, a resumed one from its last checkpoint, a fine-tuned one from another
run's. What comes out is the same: the parts of a trainer, and where it stands.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy.typing as npt
from torch import Tensor

from tui_gpt.config import ModelConfig, RunConfig, TrainConfig
from tui_gpt.control import Control
from tui_gpt.errors import CorpusError, IncompatibleError, UsageError
from tui_gpt.events import Initialized, SettingValue
from tui_gpt.metrics import bits_per_character, perplexity
from tui_gpt.models.build import LanguageModel, build_model, load_weights, set_case_folding
from tui_gpt.prior.ngram import NgramPrior
from tui_gpt.prior.sizing import capped_order, count_limit
from tui_gpt.prior.stored import prior_arrays, read_prior, without_prior
from tui_gpt.requests import Evaluation
from tui_gpt.storage.manifest import CheckpointInfo
from tui_gpt.storage.runs import Run
from tui_gpt.text.corpora import CorpusText, lasting_source, read_corpus
from tui_gpt.text.dataset import Corpus
from tui_gpt.text.split import Split, digests_in, text_digest
from tui_gpt.text.tokenizer import CharTokenizer
from tui_gpt.training.batches import Batches, window_order
from tui_gpt.training.budget.estimate import planned, timed
from tui_gpt.training.budget.sizing import MAX_MEMBERS
from tui_gpt.training.checkpoints.state import restore_optimizers
from tui_gpt.training.checkpoints.tensors import (
    Checkpoint,
    arrays_of,
    read_checkpoint,
    tensors_of,
    write_checkpoint,
)
from tui_gpt.training.checkpoints.writer import CheckpointWriter, read_good, standing_of
from tui_gpt.training.components import build_optimizers, build_replicas, random_generators
from tui_gpt.training.device import ComputeDevice
from tui_gpt.training.evaluation import mean_loss
from tui_gpt.training.initialize import Start
from tui_gpt.training.optim.adamw import Optimizer
from tui_gpt.training.replay import cut_log
from tui_gpt.training.replicas import Shards
from tui_gpt.training.trainer import (
    ESTIMATE,
    LIVE_SETTINGS,
    PLAN,
    Snapshot,
    Standing,
    TrainerComponents,
    changed,
    restore_generators,
)

PLACE_SETTINGS = frozenset({"device", "threads", "compile", "val_file"})
"""Where a run is trained, and by what, which may change whenever it is resumed; and where its validation text, whose
content may not change, lies."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A run that is ready to go."""

    config: RunConfig
    corpus: Corpus
    model: LanguageModel
    shards: Shards
    optimizers: Sequence[Optimizer]
    prior: NgramPrior | None
    world: ComputeDevice
    step_seconds: float = 1.0
    """What a step takes, as far as it was tried."""
    initialized: Initialized | None = None
    """What a new run has taken over from another model."""
    standing: Standing | None = None
    """Where a resumed run stands; None for a new one."""
    good: Snapshot | None = None
    """What a resumed run would go back to, where that is not where it stands."""
    planned_changes: Mapping[int, Mapping[str, SettingValue]] = field(default_factory=dict)
    resume_changes: Mapping[str, SettingValue] = field(default_factory=dict)

    def parts(self, run: Run, write_sample: Callable[[int], Iterable[str]]) -> TrainerComponents:
        """What a trainer works with, its checkpoints going into `run`; `write_sample` generates a text at a step."""
        config = self.config.model
        order = window_order(self.config, len(self.corpus.train))
        keeper = CheckpointWriter(run, self._write, self.good)
        return TrainerComponents(
            model=self.model,
            optimizers=self.optimizers,
            batches=Batches(self.corpus, order, config.block_size, self.prior),
            generators=random_generators(self.shards),
            shards=self.shards,
            commit=keeper.commit,
            read_best=keeper.read_best,
            write_sample=write_sample,
            device=self.world.device,
            tokens_per_batch=order.batch_size * config.block_size,
            networks=config.networks,
            train_tokens=len(self.corpus.train),
            val_tokens=len(self.corpus.val),
            preset=self.config.preset,
        )

    @cached_property
    def _prior_tensors(self) -> Mapping[str, Tensor]:
        """Made once: the prior never changes, and packing its tokens takes a while."""
        return tensors_of(prior_arrays(self.prior))

    def disk_space_needed(self) -> int:
        """Bytes that the run's checkpoints will take at most, while one is being replaced."""
        weights: int = sum(tensor.nbytes for tensor in self.model.state_dict().values())
        prior: int = sum(tensor.nbytes for tensor in self._prior_tensors.values())
        last, best = 3 * weights + prior, weights + prior
        return 3 * last + best if self.standing is None else 2 * last

    def _write(self, target: Path, snapshot: Snapshot, with_training: bool) -> None:
        tensors = {**snapshot.weights, **self._prior_tensors}
        write_checkpoint(target, self._info_of(snapshot), tensors, snapshot.training if with_training else None)

    def _info_of(self, snapshot: Snapshot) -> CheckpointInfo:
        standing = snapshot.standing
        return CheckpointInfo(
            config=dataclasses.replace(self.config, train=snapshot.config),
            tokenizer=self.corpus.tokenizer.to_dict(),
            vocab_size=self.corpus.tokenizer.vocab_size,
            step=standing.step,
            max_iters=standing.max_iters,
            elapsed_seconds=standing.elapsed_seconds,
            train_loss=standing.train_loss,
            val_loss=standing.val_loss,
            best_val_loss=standing.best_val_loss,
            corpus_digest=self.corpus.digest,
            extra=dataclasses.asdict(standing),
        )

    def weights(self) -> dict[str, npt.NDArray[Any]]:
        """Return the model's weights, which share the memory of a model on the CPU."""
        return arrays_of(self.model.state_dict())


def prepare_new(
    config: RunConfig,
    control: Control,
    *,
    start: Start | None = None,
    elapsed: Callable[[], float] = lambda: 0.0,
) -> Prepared:
    """Build a new run; with `start` from the weights of another model.

    `elapsed` tells the seconds of a time budget that are used up. Raises TuiGptError, ConfigError among them where the
    run would not fit into its time or into memory.
    """
    control.report("reading the text")
    text = read_corpus(config.corpus)
    split = Split.of(config.train)
    train = config.train if split.validation is None else changed(config.train, {"val_file": split.validation.source})
    config = dataclasses.replace(config, corpus=text.source, train=train)
    tokenizer = None if start is None else _extended_tokenizer(start.checkpoint, text)
    corpus = Corpus.build(text, config.model.block_size, tokenizer, split)
    world = ComputeDevice.of(config.train)
    most_members = MAX_MEMBERS if start is None else start.networks
    config, step = planned(config, corpus, world, control, elapsed, most_members)
    model = build_model(config.model, corpus.tokenizer.vocab_size, config.train.seed)
    if start is not None:
        start.give_weights(model, corpus)
    set_case_folding(model, corpus.tokenizer)
    control.report("counting n-grams")
    prior = _fit_prior(config, corpus)
    config = dataclasses.replace(config, model=_with_order_of(prior, config.model))
    shards = build_replicas(model.to(world.device), config.train, world)
    return Prepared(
        config=config,
        corpus=corpus,
        model=model,
        shards=shards,
        optimizers=build_optimizers(model, config.train, shards),
        prior=prior,
        world=world,
        step_seconds=step.seconds,
        initialized=None if start is None else start.event(corpus),
    )


def _extended_tokenizer(start: Checkpoint, text: CorpusText) -> CharTokenizer:
    """The old model's characters and those that only the new text has."""
    old = CharTokenizer.from_dict(start.info.tokenizer)
    return CharTokenizer("".join(sorted(old.characters + old.unknown(text.text))))


def _fit_prior(config: RunConfig, corpus: Corpus) -> NgramPrior | None:
    if config.model.ngram_order == 0:
        return None
    vocab_size = corpus.tokenizer.vocab_size
    order = capped_order(config.model.ngram_order, vocab_size)
    prior = NgramPrior.fit(corpus.train, vocab_size, order, limit=count_limit(config.train.max_seconds))
    prior.prepare_training()
    return prior


def _with_order_of(prior: NgramPrior | None, config: ModelConfig) -> ModelConfig:
    """What was asked for was the highest order; the text may have filled a lower one only."""
    return dataclasses.replace(config, ngram_order=prior.order if prior else 0)


def prepare_resumed(
    run: Run, changes: Mapping[str, SettingValue], control: Control, corpus_source: str | None = None
) -> Prepared:
    """Build `run` as its last checkpoint left it, or from scratch when it has none yet; its text may have moved to
    `corpus_source`. Raises TuiGptError."""
    live = _live_changes(changes)
    if not run.ever_saved("last"):
        config = _moved(run.config, corpus_source, {**live, **_place_of(changes)})
        for source in filter(None, (run.config.corpus, config.train.val_file)):
            lasting_source(source)
        run.log.truncate(-1)
        return prepare_new(config, control)
    control.report("reading the checkpoint")
    checkpoint = read_checkpoint(run.require_checkpoint("last"), training=True)
    info = checkpoint.info
    _require_more_steps(run, info, live)
    control.report("reading the text")
    corpus = _same_corpus(run, checkpoint, _moved(info.config, corpus_source, _place_of(changes)))
    ahead = cut_log(run, info)
    here = ahead.pop(info.step, {})
    settings = {name: value for name, value in here.items() if name not in (PLAN, ESTIMATE)}
    config = _moved(info.config, corpus_source, {**settings, **live, **_place_of(changes)})
    world = ComputeDevice.of(config.train)
    standing = _restored_standing(info, here, live)
    budget = config.train.max_seconds if standing.follows_clock else None
    step_seconds = timed(config, corpus, world, control, budget).seconds if budget else 1.0
    control.report("counting n-grams")
    model, prior = _restored_model(checkpoint, corpus)
    shards = build_replicas(model.train().to(world.device), config.train, world)
    prepared = Prepared(
        config=config,
        corpus=corpus,
        model=model,
        shards=shards,
        optimizers=build_optimizers(model, config.train, shards),
        prior=prior,
        world=world,
        step_seconds=step_seconds,
        standing=standing,
        good=_fitting(read_good(run, standing), model),
        planned_changes=ahead,
        resume_changes=live,
    )
    restore_optimizers(prepared.optimizers, checkpoint.training or {})
    restore_generators(random_generators(prepared.shards), checkpoint.training or {})
    return prepared


def _require_more_steps(run: Run, info: CheckpointInfo, changes: Mapping[str, SettingValue]) -> None:
    """Raise UsageError where a run is resumed for fewer steps than it has made."""
    max_iters = changes.get("max_iters")
    if isinstance(max_iters, int) and max_iters < info.step:
        raise UsageError(
            f"the run {run.name} has made {info.step:,} steps and cannot be resumed for {max_iters:,}: choose "
            f"--max-iters above {info.step}, or leave it out"
        )


def _moved(config: RunConfig, corpus: str | None, changes: Mapping[str, SettingValue]) -> RunConfig:
    """Return `config` with changed settings and, if it is given, another place of the text."""
    return dataclasses.replace(config, corpus=corpus or config.corpus, train=changed(config.train, changes))


def _same_corpus(run: Run, checkpoint: Checkpoint, config: RunConfig) -> Corpus:
    return _corpus_of_training(
        config,
        checkpoint,
        run.name,
        text_moved="name its new place as CORPUS beside --resume",
        validation_moved="name its new place with --val-file beside --resume",
        changed=f"start a new run with --init-from {run.name}",
    )


def _corpus_of_training(
    config: RunConfig, checkpoint: Checkpoint, name: str, *, text_moved: str, validation_moved: str, changed: str
) -> Corpus:
    """Return the corpus that `name` was trained on, from where `config` says it is. Raises IncompatibleError, with a
    remedy for each case, where one of its texts has moved or changed."""
    info = checkpoint.info
    try:
        text = read_corpus(lasting_source(config.corpus))
    except CorpusError as error:
        raise IncompatibleError(
            f"the text {config.corpus}, which {name} was trained on, is no longer there: put it back, or {text_moved}"
        ) from error
    try:
        split = Split.of(config.train, lasting=True)
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
    return Corpus.build(text, info.config.model.block_size, CharTokenizer.from_dict(info.tokenizer), split)


def _live_changes(changes: Mapping[str, SettingValue]) -> dict[str, SettingValue]:
    fixed = sorted(changes.keys() - LIVE_SETTINGS - PLACE_SETTINGS)
    if fixed:
        raise IncompatibleError(
            f"{fixed[0]} cannot change when a run is resumed: leave it out, or start a new run with --init-from"
        )
    return {name: value for name, value in changes.items() if name in LIVE_SETTINGS}


def _place_of(changes: Mapping[str, SettingValue]) -> dict[str, SettingValue]:
    return {name: value for name, value in changes.items() if name in PLACE_SETTINGS}


def _restored_standing(
    info: CheckpointInfo, here: Mapping[str, SettingValue], changes: Mapping[str, SettingValue]
) -> Standing:
    """Where the checkpoint stands, with what was changed `here` after it was saved, and `changes` to resume with.

    A new time budget counts from now, and so does one of which nothing was used; otherwise the log is followed, not the
    clock. Raises CheckpointError.
    """
    standing = standing_of(info)
    is_new_budget, holds = changes.get("max_seconds") is not None, {**here, **changes}
    standing.follows_clock = is_new_budget or info.step == 0
    if holds.get("max_seconds") is not None:
        standing.budget_step, standing.budget_evaluations = info.step, 0
    if is_new_budget or isinstance(holds.get(ESTIMATE), int):
        standing.estimate_tokens = 0 if is_new_budget else cast(int, here[ESTIMATE])
    max_iters = changes.get("max_iters", here.get(PLAN, here.get("max_iters")))
    if isinstance(max_iters, int):
        standing.max_iters = max(max_iters, standing.step)
    if "learning_rate" in holds:
        standing.bad_steps = 0
    return standing


def _fitting(good: Snapshot | None, model: LanguageModel) -> Snapshot | None:
    """`good` with the model's weights alone, unless they are another model's."""
    if good is None:
        return None
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    weights = {name: tensor for name, tensor in good.weights.items() if tensor.shape == shapes.get(name)}
    return dataclasses.replace(good, weights=weights) if weights.keys() == shapes.keys() else None


def _restored_model(checkpoint: Checkpoint, corpus: Corpus | None = None) -> tuple[LanguageModel, NgramPrior | None]:
    """The model and its prior; `corpus` is needed to train on. Raises CheckpointError, IncompatibleError."""
    info = checkpoint.info
    tokens = None if corpus is None else corpus.train
    prior = read_prior(arrays_of(checkpoint.weights), info.vocab_size, info.config.model.ngram_order, tokens)
    model = build_model(info.config.model, info.vocab_size, info.config.train.seed)
    load_weights(model, without_prior(checkpoint.weights))
    model.eval()
    return model, prior


def evaluate_checkpoint(folder: Path, name: str, control: Control, place: TrainConfig) -> Evaluation | None:
    """Measure the checkpoint in `folder` on the validation split of its own text; None when stopped.

    `place` holds the device and the threads to compute with: those of the training may not exist here.
    """
    checkpoint = read_checkpoint(folder)
    config = checkpoint.info.config
    world = ComputeDevice.of(place)
    remedy = "measure any text with --file"
    corpus = _corpus_of_training(config, checkpoint, name, text_moved=remedy, validation_moved=remedy, changed=remedy)
    model, prior = _restored_model(checkpoint)
    batches = Batches(corpus, window_order(config, len(corpus.train)), config.model.block_size, prior)
    shards = build_replicas(model.to(world.device), place, world)
    total = batches.record_tokens

    def report(done: int) -> bool:
        control.report("evaluating", done / total)
        return False

    try:
        measured = mean_loss(shards, batches.validation(), world.device, control, report)
    finally:
        shards.close()
    if measured is None:
        return None
    return Evaluation(
        name=name,
        step=checkpoint.info.step,
        val_loss=measured.loss,
        bits_per_char=bits_per_character(measured.loss),
        perplexity=perplexity(measured.loss),
        val_tokens=total,
    )
