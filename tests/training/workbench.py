"""A tiny run in memory: a real model and trainer, a simulated clock, checkpoints in a dictionary."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from tui_gpt.config import ModelConfig, RunConfig, TrainConfig, changed
from tui_gpt.control import Control
from tui_gpt.events import Evaluated, Event, Progress, SettingValue
from tui_gpt.models.build import build_model, set_case_folding
from tui_gpt.prior.ngram import NgramPrior
from tui_gpt.text.corpora import CorpusText
from tui_gpt.text.dataset import Corpus
from tui_gpt.training.batches import Batches
from tui_gpt.training.budget.planner import Costs
from tui_gpt.training.checkpoints.copies import restore_generators, restore_optimizers
from tui_gpt.training.compute.device import ComputeDevice
from tui_gpt.training.evaluation.meter import Meter
from tui_gpt.training.nan_guard import NanGuard
from tui_gpt.training.setup.components import build_optimizers, build_replicas, random_generators
from tui_gpt.training.state import Kind, Snapshot, TrainerState
from tui_gpt.training.step_gradients import LocalGradients
from tui_gpt.training.trainer import Trainer, TrainerComponents

TEXT = "the quick brown fox jumps over the lazy dog and runs back to the river bank\n" * 40
MODEL = ModelConfig(block_size=16, n_layer=2, n_head=2, n_embd=16, dropout=0.2)
TRAIN = TrainConfig(
    max_iters=20,
    batch_size=4,
    learning_rate=1e-2,
    warmup_iters=2,
    eval_interval=5,
    log_interval=2,
    device="cpu",
    threads=1,
)


class Ticking:
    """A clock that advances with every reading."""

    def __init__(self, tick: float) -> None:
        self.seconds = 0.0
        self.tick = tick

    def __call__(self) -> float:
        self.seconds += self.tick
        return self.seconds


class Workbench:
    """One model and its trainer; `checkpoints` keeps what was committed."""

    def __init__(
        self,
        model: ModelConfig = MODEL,
        train: TrainConfig = TRAIN,
        *,
        text: str = TEXT,
        snapshot: Snapshot | None = None,
        planned_changes: Mapping[int, Mapping[str, SettingValue]] | None = None,
        resume_changes: Mapping[str, SettingValue] | None = None,
        follows_clock: bool = False,
        tick: float = 0.01,
        is_asynchronous: bool = False,
    ) -> None:
        self.checkpoints: dict[Kind, list[Snapshot]] = {"last": [], "best": []}
        self.commit: Callable[[Kind, Snapshot], Path] = self.keep
        """Commits a checkpoint; a test may replace it by a failing disk."""
        self.control = Control()
        self.clock = Ticking(tick)
        self.corpus = Corpus.build(CorpusText(name="fox", text=text, digest="", source="fox"), model.block_size)
        self.model = build_model(model, self.corpus.tokenizer.vocab_size, train.seed)
        compute = ComputeDevice(torch.device("cpu"), cores=train.threads)
        if train.precision != "auto":
            compute = compute.with_precision(train.precision)
        replicas = build_replicas(self.model, train, compute)
        optimizers = build_optimizers(self.model, train, replicas)
        state: TrainerState | None = None
        if snapshot is not None:
            train, state = snapshot.config, dataclasses.replace(snapshot.state, follows_clock=follows_clock)
            if resume_changes:
                train = changed(train, resume_changes)
                state = dataclasses.replace(state, budget_step=state.step, budget_evaluations=0)
            self.model.load_state_dict(snapshot.weights)
            restore_optimizers(optimizers, snapshot.training)
            restore_generators(random_generators(replicas), snapshot.training)
        set_case_folding(self.model, self.corpus.tokenizer)
        config = RunConfig(model=model, train=train)
        batches = Batches.of(config, self.corpus, fitted_prior(self.corpus, model.ngram_order))
        self.parts = TrainerComponents(
            model=self.model,
            optimizers=optimizers,
            batches=batches,
            replicas=replicas,
            gradients=LocalGradients.of(
                replicas, batches, torch.device("cpu"), self.control, is_asynchronous=is_asynchronous
            ),
            generators=random_generators(replicas),
            commit=lambda kind, snapshot: self.commit(kind, snapshot),
            read_best=lambda: self.checkpoints["best"][-1] if self.checkpoints["best"] else None,
            write_sample=lambda step: f"sample of step {step}",
            device=torch.device("cpu"),
            precision=compute.precision,
            is_asynchronous=is_asynchronous,
            tokens_per_step=train.batch_size * train.gradient_accumulation * model.networks * model.block_size,
            networks=model.networks,
            train_tokens=len(self.corpus.train),
            vocab_size=self.corpus.tokenizer.vocab_size,
            val_tokens=len(self.corpus.val),
            preset="none",
        )
        self.trainer = Trainer(
            self.parts,
            train,
            self.control,
            state=state,
            good=None if snapshot is None else snapshot.good,
            planned_changes=planned_changes,
            resume_changes=resume_changes,
            clock=self.clock,
        )

    def keep(self, kind: Kind, snapshot: Snapshot) -> Path:
        """Commit a checkpoint to `checkpoints`."""
        self.checkpoints[kind].append(snapshot)
        return Path(kind)

    @property
    def state(self) -> TrainerState:
        """The trainer's state, which a test may change between two events."""
        return self.trainer._state

    @property
    def guard(self) -> NanGuard:
        """What holds the snapshot that a roll-back returns to."""
        return self.trainer._guard

    @property
    def meter(self) -> Meter:
        """What measures losses."""
        return self.trainer._evaluator._meter

    @property
    def costs(self) -> Costs:
        """The measured costs that a time budget is planned with."""
        return self.trainer._budget.costs

    def seconds(self) -> float:
        """Seconds that the run has trained."""
        return self.trainer._clock.seconds()

    def run(self) -> list[Event]:
        """Return every event of the run."""
        return list(self.trainer.run())

    def run_until(self, step: int) -> Iterator[Event]:
        """Return the events of a run that is stopped after `step` steps."""
        for event in self.trainer.run():
            if event.step >= step:
                self.control.stop()
            yield event

    @property
    def weights(self) -> dict[str, Tensor]:
        """The model's weights as they are now."""
        return {name: tensor.clone() for name, tensor in self.model.state_dict().items()}


def fitted_prior(corpus: Corpus, order: int) -> NgramPrior | None:
    """Return the n-gram prior of the training split; None for order 0."""
    if not order:
        return None
    prior = NgramPrior.fit(corpus.train, corpus.tokenizer.vocab_size, order)
    prior.prepare_training()
    return prior


def learning_log(events: list[Event]) -> list[tuple[object, ...]]:
    """Losses, rates and gradient norms, without what depends on the clock."""
    kept: list[tuple[object, ...]] = []
    for event in events:
        if isinstance(event, Progress):
            kept.append(("progress", event.step, event.loss, event.learning_rate, event.grad_norm))
        elif isinstance(event, Evaluated):
            kept.append(("evaluated", event.step, event.train_loss, event.val_loss, event.is_best))
    return kept


def same_weights(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    """Equal to the bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
