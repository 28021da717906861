"""A run that is ready to train: what a new run and a resumed one have in common."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy.typing as npt
from torch import Tensor

from tui_gpt.config import RunConfig
from tui_gpt.control import Control
from tui_gpt.events import Initialized, SettingValue
from tui_gpt.models.build import LanguageModel
from tui_gpt.prior.ngram import NgramPrior
from tui_gpt.prior.stored import prior_arrays
from tui_gpt.storage.manifest import CheckpointInfo
from tui_gpt.storage.runs import Run
from tui_gpt.text.dataset import Corpus
from tui_gpt.training.batches import Batches
from tui_gpt.training.checkpoints.copies import TrainingTensors
from tui_gpt.training.checkpoints.tensors import Checkpoint, arrays_of, tensors_of, write_checkpoint
from tui_gpt.training.checkpoints.writer import CheckpointWriter
from tui_gpt.training.compute.device import ComputeDevice
from tui_gpt.training.compute.replicas import Replicas
from tui_gpt.training.distributed.leader import Leader
from tui_gpt.training.optim.adamw import Optimizer
from tui_gpt.training.setup.components import build_optimizers, build_replicas, random_generators
from tui_gpt.training.state import Snapshot, TrainerState
from tui_gpt.training.step_gradients import LocalGradients, StepGradients
from tui_gpt.training.trainer import Trainer, TrainerComponents

WriteSample = Callable[[int], Iterable[str]]
"""Generates a short text with the current weights, given the step, in pieces."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A run that is ready to train."""

    config: RunConfig
    corpus: Corpus
    model: LanguageModel
    replicas: Replicas
    optimizers: Sequence[Optimizer]
    prior: NgramPrior | None
    compute: ComputeDevice
    step_seconds: float = 1.0
    """The measured time of a step, if it was measured."""
    initialized: Initialized | None = None
    """Reports the model that a new run starts from, if any."""
    state: TrainerState | None = None
    """The state of a resumed run; None for a new one."""
    good: Snapshot | None = None
    """The snapshot that a roll-back of a resumed run returns to, where it is not the restored state."""
    planned_changes: Mapping[int, Mapping[str, SettingValue]] = field(default_factory=dict)
    """Changes of settings to repeat, by step."""
    resume_changes: Mapping[str, SettingValue] = field(default_factory=dict)
    """Changes of settings that the run is resumed with, which `config` and `state` include already."""

    def trainer(
        self,
        run: Run,
        control: Control,
        write_sample: WriteSample,
        *,
        leader: Leader | None = None,
        began: float | None = None,
    ) -> Trainer:
        """Return a trainer that saves into `run`; `began` is when its time began (see `Trainer`).

        With a `leader` the other ranks get ready as well. Raises RankLostError.
        """
        gradients = self._local_gradients(control) if leader is None else self._shared_gradients(run, leader)
        return Trainer(
            self._components(run, write_sample, gradients),
            self.config.train,
            control,
            state=self.state,
            good=self.good,
            planned_changes=self.planned_changes,
            resume_changes=self.resume_changes,
            began=began,
            step_seconds=self.step_seconds,
            initialized=self.initialized,
        )

    def _local_gradients(self, control: Control) -> StepGradients:
        compute = self.compute
        return LocalGradients.of(
            self.replicas, self.batches, compute.device, control, is_asynchronous=compute.is_asynchronous
        )

    def _shared_gradients(self, run: Run, leader: Leader) -> StepGradients:
        """Send the state to the other ranks, and return the gradients that all ranks compute."""
        if self.initialized is not None:
            self._save_beginning(run)
        copies = TrainingTensors(self.model, self.optimizers, {}).copies()
        state = dataclasses.replace(self.state or TrainerState(), precision=self.compute.precision)
        if state.most_windows:
            self.replicas.limit_windows(state.most_windows)  # before the ranks agree on the sizes of their passes
        snapshot = Snapshot(state, self.config.train, copies.weights, copies.training)
        weights = {**copies.weights, **self._prior_tensors}
        checkpoint = Checkpoint(self._info_of(snapshot), weights, dict(copies.training))
        return leader.start(run.name, checkpoint, self.replicas, self.batches, self.compute)

    def _save_beginning(self, run: Run) -> None:
        """Save the weights that the run starts from: torchrun's restart would not know them. Raises StorageError."""
        copies = TrainingTensors(self.model, self.optimizers, random_generators(self.replicas)).copies()
        snapshot = Snapshot(TrainerState(), self.config.train, copies.weights, copies.training)
        CheckpointWriter(run, self._write).commit("last", snapshot)

    @cached_property
    def batches(self) -> Batches:
        """The batches of this rank."""
        return Batches.of(self.config, self.corpus, self.prior, self.compute.ranks)

    def _components(self, run: Run, write_sample: WriteSample, gradients: StepGradients) -> TrainerComponents:
        config, train = self.config.model, self.config.train
        windows = train.batch_size * train.gradient_accumulation * config.networks
        writer = CheckpointWriter(run, self._write, self.good)
        return TrainerComponents(
            model=self.model,
            replicas=self.replicas,
            optimizers=self.optimizers,
            gradients=gradients,
            batches=self.batches,
            generators=random_generators(self.replicas),
            commit=writer.commit,
            read_best=writer.read_best,
            write_sample=write_sample,
            device=self.compute.device,
            precision=self.compute.precision,
            is_asynchronous=self.compute.is_asynchronous,
            tokens_per_step=windows * config.block_size,
            networks=config.networks,
            train_tokens=len(self.corpus.train),
            vocab_size=self.corpus.tokenizer.vocab_size,
            tokenizer=self.corpus.tokenizer.kind,
            token_size=self.corpus.val_size.per_token,
            val_tokens=len(self.corpus.val),
            preset=self.config.preset,
        )

    def weights(self) -> dict[str, npt.NDArray[Any]]:
        """Return the current weights, which share the memory of a model on the CPU."""
        return arrays_of(self.model.state_dict())

    def disk_space_needed(self) -> int:
        """Return the most bytes that the run's checkpoints take, while one is being replaced."""
        weights: int = sum(tensor.nbytes for tensor in self.model.state_dict().values())
        prior: int = sum(tensor.nbytes for tensor in self._prior_tensors.values())
        last, best = 3 * weights + prior, weights + prior
        return 3 * last + best if self.state is None else 2 * last

    @cached_property
    def _prior_tensors(self) -> Mapping[str, Tensor]:
        """Built once: the prior never changes, and packing its tokens takes a while."""
        return tensors_of(prior_arrays(self.prior))

    def _write(self, target: Path, snapshot: Snapshot, with_training: bool) -> None:
        tensors = {**snapshot.weights, **self._prior_tensors}
        write_checkpoint(target, self._info_of(snapshot), tensors, snapshot.training if with_training else None)

    def _info_of(self, snapshot: Snapshot) -> CheckpointInfo:
        state = snapshot.state
        return CheckpointInfo(
            config=dataclasses.replace(self.config, train=snapshot.config),
            tokenizer=self.corpus.tokenizer.to_dict(),
            vocab_size=self.corpus.tokenizer.vocab_size,
            step=state.step,
            max_iters=state.max_iters,
            elapsed_seconds=state.elapsed_seconds,
            train_loss=state.train_loss,
            val_loss=state.val_loss,
            best_val_loss=state.best_val_loss,
            corpus_digest=self.corpus.digest,
            token_size=self.corpus.val_size.per_token,
            extra=dataclasses.asdict(state),
        )


def assemble(
    config: RunConfig,
    corpus: Corpus,
    model: LanguageModel,
    prior: NgramPrior | None,
    compute: ComputeDevice,
    step_seconds: float,
) -> Prepared:
    """Return a run at its first step: move `model` to the device, and build its replicas and optimizers."""
    replicas = build_replicas(model.to(compute.device), config.train, compute)
    return Prepared(
        config=config,
        corpus=corpus,
        model=model,
        replicas=replicas,
        optimizers=build_optimizers(model, config.train, replicas),
        prior=prior,
        compute=compute,
        step_seconds=step_seconds,
    )
