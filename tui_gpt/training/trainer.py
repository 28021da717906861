"""The training loop, as a generator of events.

`Trainer.run` is a generator, so its consumer decides the pace, sees every event between two steps in the trainer's own
thread, and can test a run as a list. Everything that could differ between two equal runs (time, randomness, the order
of the data) is passed in; batch k depends on k alone, which makes a resumed run equal to one that was never
interrupted. The trainer knows no files, run names or screens: checkpoints leave through `commit`, text comes from
`write_sample`.
"""

import dataclasses
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from tui_gpt.config import Precision, TokenizerName, TrainConfig
from tui_gpt.control import Control
from tui_gpt.errors import DeviceMemoryError, RankLostError, StorageError
from tui_gpt.events import (
    CompileFailed,
    Event,
    Finished,
    FinishReason,
    Initialized,
    MemoryRanOut,
    Paused,
    Resumed,
    Sampled,
    SettingValue,
    Started,
)
from tui_gpt.metrics import ASCII_CHARACTER, TokenSize
from tui_gpt.training.batches import Batches
from tui_gpt.training.budget.planner import Costs, evaluation_seconds
from tui_gpt.training.budget.time_budget import TimeBudget
from tui_gpt.training.checkpoints.checkpointer import Checkpointer
from tui_gpt.training.checkpoints.copies import Tensors, TrainingTensors, copied_generators, restore_generators
from tui_gpt.training.clock import RunClock
from tui_gpt.training.compute.compiling import compile_if_possible
from tui_gpt.training.compute.interruption import StepAbortedError
from tui_gpt.training.compute.replicas import Replicas
from tui_gpt.training.evaluation.evaluator import Evaluator
from tui_gpt.training.evaluation.meter import Meter
from tui_gpt.training.intervals import is_evaluation_due, is_sample_due, log_interval
from tui_gpt.training.late_checks import LateChecks
from tui_gpt.training.live_changes import LiveChanges
from tui_gpt.training.live_weights import answer_weight_requests
from tui_gpt.training.nan_guard import NanGuard
from tui_gpt.training.optim.adamw import Optimizer
from tui_gpt.training.optim.gradients import clear_gradients, clip_gradients, update_weights
from tui_gpt.training.optim.schedule import learning_rate_at
from tui_gpt.training.resume_check import ResumeCheck
from tui_gpt.training.settings import RunSettings
from tui_gpt.training.state import Kind, Snapshot, TrainerState
from tui_gpt.training.step_gradients import Step, StepGradients
from tui_gpt.training.step_metrics import StepMetrics


@dataclass(frozen=True, kw_only=True)
class TrainerComponents:
    """What a trainer works with."""

    model: nn.Module
    replicas: Replicas
    """The model and its replicas, which compute the losses of an evaluation together."""
    gradients: StepGradients
    optimizers: Sequence[Optimizer]
    """Each parameter group has an `lr_scale`: its learning rate as a multiple of the run's."""
    batches: Batches
    generators: Mapping[str, torch.Generator]
    """Every source of randomness in the model, by name."""
    commit: Callable[[Kind, Snapshot], Path]
    """Writes a checkpoint and returns its folder, in another thread. Raises StorageError."""
    read_best: Callable[[], Snapshot | None]
    """Reads the `best` checkpoint that was committed last, without what only training needs."""
    write_sample: Callable[[int], Iterable[str]]
    """Generates a short text with the current weights, given the step, in pieces."""
    device: torch.device
    precision: Precision
    is_asynchronous: bool
    """Whether the device computes while Python continues, so that reading a value waits for it."""
    tokens_per_step: int
    """Characters of a step, on all ranks and of all members of an ensemble."""
    networks: int
    """Members of an ensemble; 1 for a single network."""
    train_tokens: int
    vocab_size: int
    val_tokens: int
    preset: str
    tokenizer: TokenizerName = "character"
    token_size: TokenSize = ASCII_CHARACTER
    """Of the validation text."""


class Trainer:
    """Trains one run from `state` to its end."""

    def __init__(
        self,
        components: TrainerComponents,
        config: TrainConfig,
        control: Control,
        *,
        state: TrainerState | None = None,
        good: Snapshot | None = None,
        planned_changes: Mapping[int, Mapping[str, SettingValue]] | None = None,
        resume_changes: Mapping[str, SettingValue] | None = None,
        clock: Callable[[], float] = time.monotonic,
        began: float | None = None,
        step_seconds: float = 1.0,
        initialized: Initialized | None = None,
    ) -> None:
        """Prepare a run.

        `state` is that of a resumed run, None for a new one. `good` is the snapshot that a roll-back returns to, None
        for the current state. `began` is the clock's reading from which this run's seconds count, None for now.
        `step_seconds` is the measured time of a step, if known. `initialized` reports the model that a new run started
        from. `planned_changes` are repeated at their steps; `config` and `state` include `resume_changes` already.
        """
        self._components = components
        self._model = components.model
        self._control = control
        self._is_resumed = state is not None
        self._state = state or TrainerState()
        self._state.record_tokens = components.batches.record_tokens
        if self._state.most_windows:
            components.replicas.limit_windows(self._state.most_windows)
            self._state.most_windows = components.replicas.most_windows or 0
        self._state.device, self._state.precision = components.device.type, components.precision
        self._planned_changes = planned_changes or {}
        self._resume_changes = resume_changes or {}
        self._initialized = initialized
        self._settings = RunSettings(config, self._state)
        self._clock = RunClock(lambda: clock() - control.suspended_seconds, self._state.elapsed_seconds, began)
        self._build_collaborators(good, step_seconds)

    def _build_collaborators(self, good: Snapshot | None, step_seconds: float) -> None:
        parts, state, settings, clock = self._components, self._state, self._settings, self._clock
        costs = Costs(step=step_seconds, token=evaluation_seconds(step_seconds, parts.batches.tokens_per_step))
        self._tensors = TrainingTensors(parts.model, parts.optimizers, parts.generators)
        self._metrics = StepMetrics(state, clock, parts.device)
        self._budget = TimeBudget(state, settings, clock, costs)
        self._changes = LiveChanges(state, settings, self._budget)
        self._resume_check = ResumeCheck(parts.replicas, parts.batches, parts.generators, networks=parts.networks)
        self._guard = NanGuard(state, settings, take_snapshot=self._snapshot, restore=self._restore, good=good)
        self._checks = LateChecks(self._guard, self._metrics)
        self._checkpoints = Checkpointer(
            state,
            settings,
            clock,
            self._control,
            costs,
            commit=parts.commit,
            read_best=parts.read_best,
            take_snapshot=self._checkpoint,
            saved_step=state.step if self._is_resumed else None,
        )
        self._evaluator = Evaluator(
            state,
            settings,
            clock,
            meter=Meter(parts.model, parts.replicas, parts.batches, parts.device, self._control),
            budget=self._budget,
            checkpoints=self._checkpoints,
            remember_good=self._guard.remember,
            token_size=parts.token_size,
        )

    def run(self) -> Generator[Event]:
        """Train to the end, or until `control` asks to stop; everything is saved before `Finished` is yielded.

        Raises DivergedError when the loss stays NaN or infinite, and StorageError at the end when the last checkpoint
        could not be written.
        """
        try:
            yield from self._start()
            while True:
                yield from self._handle_requests()
                yield from self._budget.correct()
                yield from self._evaluate_if_due()
                yield from self._sample_if_due()
                yield from self._checkpoints.save_if_due()
                if reason := self._reason_to_end():
                    break
                yield from self._make_step()
            yield from self._finish(reason)
        except (GeneratorExit, RankLostError, DeviceMemoryError):
            self._checkpoints.save("last")
            raise
        finally:
            self._checkpoints.wait()
            self._components.replicas.close()
            self._components.gradients.close()
            self._control.report_idle()
            self._control.close()

    def answer_weight_requests(self) -> None:
        """Answer requests for the weights, after an event was yielded and before training continues."""
        answer_weight_requests(self._control, self._model, self._state)

    # One step

    def _make_step(self) -> Iterator[Event]:
        """Make one step; one that is aborted, because of a stop or a lost rank, leaves the state as it was."""
        self._control.report(f"step {self._state.step + 1:,}")
        generators = copied_generators(self._components.generators)
        rate, grad_clip = self._learning_rate(self._state.step), self._settings.config.grad_clip
        try:
            loss = self._components.gradients.accumulate(Step(self._state.step, rate, grad_clip))
        except StepAbortedError:
            self._undo_step(generators)
            return
        except (RankLostError, DeviceMemoryError):
            self._undo_step(generators)
            raise
        events = self._update_weights(loss)
        clear_gradients(self._components.optimizers)
        self._tensors.mark_changed()
        self._state.step += 1
        yield from self._report_smaller_passes()
        yield from events
        interval = log_interval(self._settings.config, self._state)
        if self._metrics.is_time(interval) or self._checks.is_full:
            self._checks.read()
            yield from self._checks.report()
        if self._metrics.is_due(interval):
            yield self._metrics.progress(self._learning_rate(self._state.step - 1), self._components.tokens_per_step)

    def _undo_step(self, generators: Tensors) -> None:
        """Leave no trace of a step whose gradients were not computed to the end."""
        restore_generators(self._components.generators, generators)
        clear_gradients(self._components.optimizers)

    def _report_smaller_passes(self) -> Iterator[Event]:
        """Report that the device's memory ran out in the step that was made, and keep the new size for a resume."""
        windows = self._components.replicas.reduced_to
        if windows is not None and windows != self._state.most_windows:
            self._state.most_windows = windows
            yield MemoryRanOut(step=self._state.step, windows=windows)

    def _update_weights(self, loss: Tensor) -> list[Event]:
        """Apply the gradients, if they are finite; return the events to emit."""
        step, grad_norm = self._state.step, clip_gradients(self._model, self._settings.config.grad_clip)
        is_finite = self._guard.is_finite(loss, grad_norm)
        unread = is_finite if self._components.is_asynchronous else None
        if unread is not None:
            self._checks.add(step + 1, unread)
        elif not is_finite:
            return self._guard.handle_bad_step(step + 1)
        update_weights(self._components.optimizers, self._learning_rate(step), unread)
        self._metrics.add(loss, grad_norm, unread)
        return []

    def _learning_rate(self, step: int) -> float:
        return learning_rate_at(step, self._state.max_iters, self._settings.config)

    def _batch_number(self) -> int:
        """Return the number of the next step's first batch."""
        return self._state.step * self._components.batches.per_step

    # Between two steps

    def _start(self) -> Iterator[Event]:
        """Get ready for the first step of this session, and report it."""
        if self._initialized is not None:
            self._checkpoints.save("last")  # before this, resuming would start from scratch
            self._checkpoints.wait()
        compile_events = list(self._compile_if_asked())
        self._budget.make_plan()
        self._guard.remember_start()
        self._budget.restart_timing()
        yield self._started()
        yield from compile_events
        if self._initialized is not None:
            yield self._initialized
        yield from self._changes.announce(self._resume_changes)
        if self._is_resumed:
            yield from self._resume_check.compare(self._state, self._batch_number())

    def _started(self) -> Started:
        return Started(
            step=self._state.step,
            max_iters=self._state.max_iters,
            parameters=sum(parameter.numel() for parameter in self._model.parameters()),
            device=self._components.device.type,
            train_tokens=self._components.train_tokens,
            val_tokens=self._components.val_tokens,
            vocab_size=self._components.vocab_size,
            tokenizer=self._components.tokenizer,
            token_size=self._components.token_size,
            preset=self._components.preset,
            seed=self._settings.config.seed,
            precision=self._components.precision,
        )

    def _compile_if_asked(self) -> Iterator[Event]:
        """Compile the blocks, or report why they stay as they are."""
        if not self._settings.config.compile:
            return
        parts, batch = self._components, self._components.batches.training(self._state.step)
        problem = compile_if_possible(parts.replicas, batch, parts.generators, self._control)
        self._metrics.restart_timing()
        if problem:
            yield CompileFailed(step=self._state.step, problem=problem)

    def _handle_requests(self) -> Iterator[Event]:
        """Repeat logged changes, and do what `control` asks for: weights, changes, a pause."""
        yield from self._checks.report()
        answer_weight_requests(self._control, self._model, self._state)
        if planned := self._planned_changes.get(self._state.step):
            yield from self._changes.repeat(planned)
        yield from self._apply_requested_changes()
        if self._control.pause_requested:
            yield from self._pause()

    def _apply_requested_changes(self) -> Iterator[Event]:
        if changes := self._control.take_changes():
            yield from self._changes.apply(changes)

    def _pause(self) -> Iterator[Event]:
        """Save and wait until `control` resumes or stops the run; the time does not count as the run's."""
        began = self._clock.read()
        yield Paused(step=self._state.step)
        self._checkpoints.save("last")
        for _ in self._control.wait_while_paused():
            began = self._clock.exclude_since(began)
            answer_weight_requests(self._control, self._model, self._state)
            yield from self._apply_requested_changes()
            yield from self._checkpoints.report()
        self._clock.exclude_since(began)
        yield from self._apply_requested_changes()
        self._metrics.restart_timing()
        if not self._control.stop_requested:
            yield Resumed(step=self._state.step)

    def _evaluate_if_due(self) -> Iterator[Event]:
        if not is_evaluation_due(self._settings.config, self._state) or self._control.stop_requested:
            return
        self._checks.read()
        yield from self._checks.report()
        began = self._clock.seconds()
        yield from self._evaluator.evaluate()
        self._exclude_from_pace(self._clock.seconds() - began)

    def _sample_if_due(self) -> Iterator[Event]:
        """Generate a sample; a request to stop ends it unreported."""
        if not is_sample_due(self._settings.config, self._state):
            return
        began = self._clock.seconds()
        self._control.report("generating a sample")
        pieces = []
        for piece in self._components.write_sample(self._state.step):
            if self._control.stop_requested:
                return
            pieces.append(piece)
        self._state.sampled_step = self._state.step
        self._checkpoints.mark_unsaved()
        self._budget.costs.sample = self._clock.seconds() - began
        self._exclude_from_pace(self._budget.costs.sample)
        yield Sampled(step=self._state.step, prompt="\n", text="".join(pieces))

    def _exclude_from_pace(self, seconds: float) -> None:
        """Do not count some seconds as the steps'."""
        self._metrics.exclude(seconds)
        self._budget.exclude(seconds)

    # Snapshots

    def _snapshot(self) -> Snapshot:
        """Return a copy of the current state."""
        self._state.elapsed_seconds = self._clock.seconds()
        self._metrics.store()
        copies = self._tensors.copies()
        return Snapshot(
            state=dataclasses.replace(self._state),
            config=self._settings.config,
            weights=copies.weights,
            training=copies.training,
        )

    def _restore(self, weights: Tensors, training: Tensors) -> None:
        """Return all ranks to copies that were made before."""
        self._tensors.restore(weights, training)
        self._components.gradients.replace_state(weights, training)

    def _checkpoint(self, kind: Kind) -> Snapshot:
        """Return a snapshot for a checkpoint; `last` holds what a resume needs."""
        self._checks.read()
        if kind == "best":
            return self._snapshot()
        self._state.next_loss = self._resume_check.next_loss(self._batch_number())
        return dataclasses.replace(self._snapshot(), good=self._guard.good)

    # The end

    def _reason_to_end(self) -> FinishReason | None:
        self._components.gradients.require_ranks()
        state, config = self._state, self._settings.config
        if state.step >= state.max_iters and state.evaluated_step == state.step:
            is_cut = config.max_seconds is not None and state.max_iters != config.max_iters
            return "time_limit" if is_cut else "completed"
        if self._control.stop_requested:
            return "stopped"
        if config.patience and state.evaluations_without_best >= config.patience:
            return "early_stop"
        return None

    def _finish(self, reason: FinishReason) -> Iterator[Event]:
        """Save, and report the end. Raises StorageError, after `Finished`, where a checkpoint could not be written."""
        self._control.report("saving")
        yield from self._checkpoints.save_last_and_wait()
        yield from self._checks.report()
        best, size = self._state.best_val_loss, self._components.token_size
        yield Finished(
            step=self._state.step,
            reason=reason,
            best_val_loss=best,
            best_is_estimate=best is not None and self._state.is_estimate(self._state.best_tokens),
            best_bits_per_char=None if best is None else size.bits_per_char(best),
            best_bits_per_byte=None if best is None else size.bits_per_byte(best),
            elapsed_seconds=self._clock.seconds(),
        )
        if self._checkpoints.problem:
            raise StorageError(self._checkpoints.problem)
