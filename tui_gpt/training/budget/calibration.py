"""Measures how long an optimizer step takes on this machine, in a second or two for any model.

A few windows are timed first. Where a whole step would take too long, its time is extrapolated from theirs. Of a run
with several ranks, a step of this rank is timed, without the exchange of gradients.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from tui_gpt.config import RunConfig
from tui_gpt.control import Control
from tui_gpt.models.build import LanguageModel, build_model
from tui_gpt.text.dataset import Corpus
from tui_gpt.training.batches import Batch, Batches
from tui_gpt.training.compute.device import ComputeDevice
from tui_gpt.training.compute.interruption import StepAbortedError, abort_on_stop
from tui_gpt.training.compute.replicas import Replicas
from tui_gpt.training.optim.adamw import Optimizer
from tui_gpt.training.setup.components import build_optimizers, build_replicas

TRIALS = 3
"""Whole steps that are timed, if they fit."""


@dataclass(frozen=True)
class StepTime:
    """The result of a calibration."""

    seconds: float
    """Seconds of one optimizer step."""
    parameters: int


def time_step(
    config: RunConfig,
    corpus: Corpus,
    compute: ComputeDevice,
    control: Control,
    limit_seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> StepTime:
    """Return how long a step of such a run takes; whole steps are timed only while they fit into `limit_seconds`.

    A request to stop ends it with an arbitrary time.
    """
    with trial_of(config, corpus, compute, clock) as trial:
        try:
            with abort_on_stop(trial.replicas.models, control):
                seconds = trial.step_seconds(limit_seconds)
        except StepAbortedError:
            seconds = 1.0
    return StepTime(seconds, sum(parameter.numel() for parameter in trial.model.parameters()))


@contextmanager
def trial_of(
    config: RunConfig, corpus: Corpus, compute: ComputeDevice, clock: Callable[[], float]
) -> "Iterator[StepTrial]":
    """Build what times the steps of such a run."""
    model = build_model(config.model, corpus.tokenizer.vocab_size, config.train.seed).to(compute.device)
    replicas = build_replicas(model, config.train, compute)
    try:
        batches = Batches.of(config, corpus, None, compute.ranks)
        batch = batches.training(0)
        if config.model.ngram_order:
            batch = dataclasses.replace(batch, prior=_uniform(batch, corpus.tokenizer.vocab_size))
        optimizers = build_optimizers(model, config.train, replicas)
        yield StepTrial(model, replicas, optimizers, batches.per_step, batch, clock)
    finally:
        replicas.close()


def _uniform(batch: Batch, vocab_size: int) -> Tensor:
    """Return uniform log-probabilities (B, T, V), instead of those of an n-gram prior that is not fitted yet."""
    return torch.full((*batch.inputs.shape, vocab_size), -math.log(vocab_size))


@dataclass(frozen=True)
class StepTrial:
    """Times steps of a model that is used for nothing else."""

    model: LanguageModel
    replicas: Replicas
    optimizers: Sequence[Optimizer]
    batches: int
    """Batches of a step."""
    batch: Batch
    clock: Callable[[], float]

    def step_seconds(self, limit: float) -> float:
        """Return the seconds of the fastest of a few steps."""
        batch = self.batch
        fewest = min(len(batch.inputs), len(self.replicas.models) * self.model.config.networks)
        part = batch.thinned(fewest)
        self.passes(part)
        passes = self.passes(part)[0] * len(batch.inputs) / fewest
        updates = min(self._update() for _ in range(2))
        best, spent = passes, 0.0
        for _ in range(TRIALS):
            if spent + best > limit:
                break
            seconds, _ = self.passes(batch)
            best, spent = min(seconds, best), spent + seconds
        return best * self.batches + updates

    def passes(self, batch: Batch) -> tuple[float, float]:
        """Return the seconds of a forward and a backward pass, and the loss."""
        began = self.clock()
        loss, gradients = self.replicas.gradients(batch)
        value = float(loss)  # waits for a GPU
        for parameter, gradient in zip(self.model.parameters(), gradients, strict=True):
            parameter.grad = gradient
        return self.clock() - began, value

    def _update(self) -> float:
        """Return the seconds of the optimizers' part of a step."""
        began = self.clock()
        for optimizer in self.optimizers:
            optimizer.step()
        float(next(self.model.parameters()).detach().sum())
        return self.clock() - began
