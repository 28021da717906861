"""The training loop: it makes steps and yields what happened.

`Trainer.run` is a generator, so whoever consumes it decides the pace, sees every event between two steps in the
trainer's own thread, and can test it as a list. Everything that could differ between two equal runs (time,
randomness, the order of the data) comes in from outside; batch k depends on k alone, which is what makes a resumed
run equal to one that was never interrupted. The trainer does not know files, names of runs or screens: checkpoints
leave through `commit`.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt
import torch
from torch import Tensor, nn

from tui_gpt.config import TrainConfig
from tui_gpt.control import Control
from tui_gpt.errors import CheckpointError, ConfigError, DivergedError, StorageError
from tui_gpt.events import (
    ChangeRefused,
    CompileFailed,
    Evaluated,
    Event,
    Finished,
    FinishReason,
    Initialized,
    Paused,
    Progress,
    Resumed,
    ResumeDiffers,
    RolledBack,
    Sampled,
    Saved,
    SettingChanged,
    SettingValue,
    Started,
    StepSkipped,
    StorageProblem,
    StorageRecovered,
)
from tui_gpt.metrics import bits_per_character
from tui_gpt.training.batches import Batch, Batches
from tui_gpt.training.budget.planner import (
    EVALUATIONS,
    TRAIN_TOKENS_PER_VAL_TOKEN,
    Costs,
    Planner,
    evaluation_seconds,
    is_replanning_step,
    is_worth_changing,
)
from tui_gpt.training.checkpoints.saver import BackgroundSaver
from tui_gpt.training.checkpoints.state import copied_optimizers, copied_weights, restore_optimizers
from tui_gpt.training.checkpoints.tensors import arrays_of
from tui_gpt.training.compiling import compile_blocks
from tui_gpt.training.evaluation import Measured, mean_loss
from tui_gpt.training.interruption import StepAbortedError, abort_on_stop
from tui_gpt.training.optim.adamw import Optimizer
from tui_gpt.training.optim.schedule import learning_rate_at
from tui_gpt.training.replicas import Shards

Kind = Literal["last", "best"]
NOTHING = (None, None)

MAX_BAD_STEPS = 2
"""Steps that may meet NaN or infinity: the first is skipped, the second goes back to the last good state."""
MIN_REMAINING_FRACTION = 0.1
"""Share of eval_interval below which the steps left are made first, then evaluated."""
MIN_BUDGET_USED = 0.85
"""A run whose plan is done before this share of its time budget goes on."""

LIVE_SETTINGS = frozenset(
    {
        "learning_rate", "min_lr_ratio", "max_iters", "max_seconds", "grad_clip", "eval_interval", "log_interval",
        "sample_interval", "patience", "autosave_seconds",
    }
)  # fmt: skip
"""What may take a new value while a run is under way."""
PLAN = "plan"
"""Among changes that are made again after a resume: the number of steps that the time budget's plan came to."""
ESTIMATE = "estimate_tokens"
"""And the characters that an evaluation of a budget reads, where the budget was set during the run."""
MIN_TRAIN_TOKENS = 512
"""Training characters that an evaluation reads, however short the validation split."""
FEWEST_EVENTS = 100
"""Progress events that a run with a time budget has at least, if it has as many steps."""
FEWEST_SAMPLES = 4


@dataclass
class Standing:
    """Where a run stands: every number that the next step depends on, besides tensors."""

    step: int = 0
    max_iters: int = 0
    elapsed_seconds: float = 0.0
    train_loss: float | None = None
    val_loss: float | None = None
    best_val_loss: float | None = None
    val_tokens: int = 0
    """Validation characters that `val_loss` was measured on."""
    best_tokens: int = 0
    """Validation characters that `best_val_loss` was measured on."""
    record_tokens: int = 0
    """Validation characters that the loss of record is measured on; what was measured on fewer is an estimate."""
    best_rank_loss: float | None = None
    """The best model's loss on the characters that models are compared on."""
    best_rank_tokens: int = 0
    """How many those are."""
    estimate_tokens: int = 0
    """Validation characters of an evaluation before the last, in a run with a time budget; 0 before there is a plan."""
    budget_step: int = 0
    """The step at which the time budget began."""
    budget_evaluations: int = 0
    """Evaluations since then."""
    next_loss: float | None = None
    """Loss of a few windows of the next batch, computed with each `last` checkpoint and again after a resume."""
    evaluated_step: int = 0
    sampled_step: int = 0
    evaluations_without_best: int = 0
    loss_sum: float = 0.0
    """Sum of the training losses since the last progress event."""
    loss_count: int = 0
    grad_norm: float = 0.0
    bad_steps: int = 0
    """Steps that met NaN or infinity, since the start or since somebody chose the learning rate."""
    good_step: int = 0
    """Where a second bad step goes back to: the newest evaluation with finite losses, else the start."""
    follows_clock: bool = True
    """Whether the plan may still be corrected by the clock; a resumed run keeps to its log instead."""


@dataclass(frozen=True)
class Snapshot:
    """A copy of everything a checkpoint holds of a trainer."""

    standing: Standing
    config: TrainConfig
    weights: Mapping[str, Tensor]
    training: Mapping[str, Tensor]
    """Optimizers and random generators."""
    good: "Snapshot | None" = None
    """The one that the run would go back to, where that is not this one itself."""


@dataclass(frozen=True)
class LiveWeights:
    """The answer to `Control.ask_weights`."""

    step: int
    val_loss: float | None
    val_is_estimate: bool
    weights: Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class TrainerComponents:
    """What a trainer works with."""

    model: nn.Module
    shards: Shards
    """The model's replicas, the model itself among them, that compute a batch together."""
    optimizers: Sequence[Optimizer]
    """Each parameter group has an `lr_scale`: its rate as a multiple of the run's learning rate."""
    batches: Batches
    generators: Mapping[str, torch.Generator]
    """Every source of randomness in the model, by name."""
    commit: Callable[[Kind, Snapshot], Path]
    """Writes a checkpoint; runs in another thread and raises StorageError when it cannot."""
    read_best: Callable[[], Snapshot | None]
    """The `best` checkpoint that was committed last, without what only training needs."""
    write_sample: Callable[[int], Iterable[str]]
    """A few characters from the model as it stands at the given step, as they come."""
    device: torch.device
    tokens_per_batch: int
    """Characters in one forward pass, of all members of a committee."""
    networks: int
    """Members of a committee; 1 for a single network."""
    train_tokens: int
    val_tokens: int
    preset: str


@dataclass(frozen=True)
class _Copies:
    """Copies of a trainer's tensors, good until the next step."""

    weights: Mapping[str, Tensor]
    training: Mapping[str, Tensor]


@dataclass
class _Clock:
    """Seconds spent training, pauses left out."""

    read: Callable[[], float]
    before: float
    started: float

    def seconds(self) -> float:
        return self.before + self.read() - self.started

    def leave_out(self, seconds: float) -> None:
        self.started += seconds


class Trainer:
    """One run, from wherever `standing` says to its end."""

    def __init__(
        self,
        parts: TrainerComponents,
        config: TrainConfig,
        control: Control,
        *,
        standing: Standing | None = None,
        good: Snapshot | None = None,
        planned_changes: Mapping[int, Mapping[str, SettingValue]] | None = None,
        resume_changes: Mapping[str, SettingValue] | None = None,
        clock: Callable[[], float] = time.monotonic,
        began: float | None = None,
        step_seconds: float = 1.0,
        initialized: Initialized | None = None,
    ) -> None:
        """Prepare a run.

        `good` is what a second bad step goes back to, None the start; `began` the clock's reading from which this run's
        seconds count, None now; `step_seconds` what a step takes, as far as that is known; `initialized` what a new
        run has taken over from another model. `planned_changes` are made again at their steps; `resume_changes`, with
        which the run was resumed, are in `config` and `standing` already.
        """
        self._parts = parts
        self._model = parts.model
        self._config = config
        self._control = control
        self._now = standing or Standing()
        self._now.record_tokens = parts.batches.record_tokens
        self._planned_changes = planned_changes or {}
        self._resume_changes = resume_changes or {}

        def awake() -> float:
            return clock() - control.suspended_seconds

        self._clock = _Clock(awake, self._now.elapsed_seconds, awake() if began is None else began)
        self._saver = BackgroundSaver()
        self._saved_at = self._clock.seconds()
        self._saved_step = self._now.step if standing else -1
        self._problems: dict[str, str] = {}
        self._best: Snapshot | None = None
        self._loss_sum = torch.zeros((), dtype=torch.float64, device=parts.device)
        self._loss_sum += self._now.loss_sum
        self._grad_norm = torch.tensor(self._now.grad_norm, device=parts.device)
        self._timed_from, self._timed_from_step = self._clock.seconds(), self._now.step
        self._costs = Costs(
            step=step_seconds, token=evaluation_seconds(step_seconds, self._tokens_per_step() // parts.networks)
        )
        self._budget_began = self._now.elapsed_seconds
        self._difficulties: dict[int, float] = {}
        self._resumed = standing is not None
        self._initialized = initialized
        self._reported_at, self._reported_step = self._clock.seconds(), self._now.step
        self._good = good
        self._copies: _Copies | None = None

    def run(self) -> Generator[Event]:
        """Train to the end, or until `control` asks to stop; everything is saved before `Finished` is yielded.

        Raises DivergedError when the loss stays NaN or infinite, and StorageError at the end when the last checkpoint
        could not be written.
        """
        try:
            if self._initialized is not None:
                self._save("last")  # before this, resuming would start from scratch
                self._saver.wait()
            compiling = list(self._compile_if_asked())
            self._make_plan()
            if self._good is None:
                self._note_good()
            self._timed_from = self._clock.seconds()
            yield self._started()
            yield from compiling
            if self._initialized is not None:
                yield self._initialized
            yield from self._announce_resume()
            yield from self._check_resume()
            while True:
                yield from self._obey_control()
                yield from self._correct_plan()
                yield from self._evaluate_if_due()
                yield from self._sample_if_due()
                yield from self._save_if_due()
                reason = self._reason_to_end()
                if reason:
                    break
                yield from self._make_step()
            yield from self._finish(reason)
        except GeneratorExit:
            self._save("last")
            raise
        finally:
            self._saver.wait()
            self._parts.shards.close()
            self._control.report_idle()
            self._control.close()

    # One step

    def _make_step(self) -> Iterator[Event]:
        """One step, or none when it had to be left in the middle."""
        self._control.report(f"step {self._now.step + 1:,}")
        generators = copied_generators(self._parts.generators)
        try:
            loss = self._accumulate_gradients(self._now.step)
        except StepAbortedError:
            restore_generators(self._parts.generators, generators)
            self._clear_gradients()
            return
        news = self._update_weights(loss)
        self._clear_gradients()
        self._copies = None
        self._now.step += 1
        yield from news
        yield from self._report_progress_if_due()

    def _update_weights(self, loss: Tensor) -> list[Event]:
        """What is to be told of it."""
        grad_norm = self._clip_gradients()
        if not self._is_finite(loss, grad_norm):
            return self._survive_bad_step()
        self._set_learning_rate()
        for optimizer in self._parts.optimizers:
            optimizer.step()
        self._loss_sum += loss
        self._now.loss_count += 1
        self._grad_norm = grad_norm
        return []

    def _accumulate_gradients(self, step: int) -> Tensor:
        """Give every parameter its gradient over the step's batches; the mean loss, detached.

        Raises StepAbortedError when asked to stop meanwhile.
        """
        parts, shards = self._config.gradient_accumulation, self._parts.shards
        total = torch.zeros((), dtype=torch.float64, device=self._parts.device)
        for part in range(parts):
            with abort_on_stop(shards.replicas, self._control):
                loss, gradients = shards.gradients(self._parts.batches.training(step * parts + part))
            total += loss / parts
            for parameter, gradient in zip(self._model.parameters(), gradients, strict=True):
                gradient = gradient / parts if parts > 1 else gradient
                parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
        return total

    def _clip_gradients(self) -> Tensor:
        """The gradient's norm before clipping."""
        gradients = [parameter.grad for parameter in self._model.parameters() if parameter.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        if self._config.grad_clip > 0:
            nn.utils.clip_grads_with_norm_(self._model.parameters(), self._config.grad_clip, norm)
        return norm

    def _set_learning_rate(self) -> None:
        rate = self._learning_rate()
        for optimizer in self._parts.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * group["lr_scale"]

    def _learning_rate(self) -> float:
        return learning_rate_at(self._now.step, self._now.max_iters, self._config)

    def _clear_gradients(self) -> None:
        for optimizer in self._parts.optimizers:
            optimizer.zero_grad()

    # NaN and infinity

    def _is_finite(self, loss: Tensor, grad_norm: Tensor) -> bool:
        return bool(torch.isfinite(loss) & torch.isfinite(grad_norm))

    def _survive_bad_step(self) -> list[Event]:
        """Skip the first bad step of a run, go back at the second one, give up at the third."""
        self._now.bad_steps += 1
        if self._now.bad_steps > MAX_BAD_STEPS:
            raise DivergedError(
                f"the loss became NaN or infinite for the third time, at step {self._now.step + 1:,}: the last good "
                "checkpoint is kept; go on with --resume and a lower --learning-rate"
            )
        if self._now.bad_steps < MAX_BAD_STEPS:
            return [StepSkipped(step=self._now.step + 1)]
        return self._roll_back()

    def _roll_back(self) -> list[Event]:
        """To the last good state, at half the rate; the steps are counted on."""
        good = self._good
        assert good is not None
        self._model.load_state_dict(good.weights)
        restore_optimizers(self._parts.optimizers, good.training)
        restore_generators(self._parts.generators, good.training)
        self._config = dataclasses.replace(self._config, learning_rate=self._config.learning_rate / 2)
        step, rate = self._now.step + 1, self._config.learning_rate
        return [
            RolledBack(step=step, to_step=good.standing.step),
            SettingChanged(step=step, setting="learning_rate", value=rate, origin="trainer"),
        ]

    def _note_good(self) -> None:
        """Remember this state as one to go back to. Where it is taken depends on the step alone, never on the clock."""
        self._now.good_step = self._now.step
        self._good = self._snapshot()

    # Between two steps

    def _obey_control(self) -> Iterator[Event]:
        self._answer_weight_requests()
        yield from self._apply(self._planned_changes.get(self._now.step, {}), from_log=True)
        yield from self._apply(self._control.take_changes())
        if not self._control.pause_requested:
            return
        began = self._clock.read()
        yield Paused(step=self._now.step)
        self._save("last")
        for _ in self._control.wait_while_paused():
            began = self._leave_out_since(began)
            self._answer_weight_requests()
            yield from self._apply(self._control.take_changes())
            yield from self._announce_saves()
        self._leave_out_since(began)
        yield from self._apply(self._control.take_changes())
        self._reported_at, self._reported_step = self._clock.seconds(), self._now.step
        if not self._control.stop_requested:
            yield Resumed(step=self._now.step)

    def _leave_out_since(self, began: float) -> float:
        """Do not count the time since the clock read `began`; return what it reads now."""
        now = self._clock.read()
        self._clock.leave_out(now - began)
        return now

    def _announce_resume(self) -> Iterator[Event]:
        """Log the changes that a run was resumed with, and what its new time budget comes to."""
        for setting, value in self._resume_changes.items():
            yield SettingChanged(step=self._now.step, setting=setting, value=value)
        if self._resume_changes.get("max_seconds") is not None:
            yield from self._announce_budget()

    def _announce_budget(self) -> Iterator[Event]:
        for setting, value in (("max_iters", self._now.max_iters), (ESTIMATE, self._now.estimate_tokens)):
            yield SettingChanged(step=self._now.step, setting=setting, value=value, origin="plan")

    def _apply(self, changes: Mapping[str, SettingValue], *, from_log: bool = False) -> Iterator[Event]:
        """Make all of these changes or none."""
        if not changes:
            return
        wanted = {setting: value for setting, value in changes.items() if setting not in (PLAN, ESTIMATE)}
        try:
            self._config = self._changed(wanted)
        except ConfigError as error:
            yield from (ChangeRefused(step=self._now.step, setting=setting, reason=str(error)) for setting in wanted)
            return
        if "learning_rate" in wanted:
            self._now.bad_steps = 0
        if isinstance(max_iters := wanted.get("max_iters"), int):
            self._now.max_iters = max_iters
        for setting, value in wanted.items():
            yield SettingChanged(step=self._now.step, setting=setting, value=value)
        if wanted.get("max_seconds") is not None:
            self._now.budget_step, self._now.budget_evaluations = self._now.step, 0
            if not from_log:
                yield from self._begin_budget()
        if isinstance(tokens := changes.get(ESTIMATE), int):
            self._now.estimate_tokens = tokens
            yield SettingChanged(step=self._now.step, setting=ESTIMATE, value=tokens, origin="plan")
        if isinstance(planned := changes.get(PLAN), int):
            self._now.max_iters = max(planned, self._now.step)
            yield SettingChanged(step=self._now.step, setting="max_iters", value=planned, origin="plan")

    def _changed(self, changes: Mapping[str, SettingValue]) -> TrainConfig:
        """Return the config with these changes. Raises ConfigError."""
        fixed = sorted(changes.keys() - LIVE_SETTINGS)
        if fixed:
            raise ConfigError(f"{fixed[0]} cannot change during a run: start a new run for it")
        max_iters = changes.get("max_iters")
        if isinstance(max_iters, int) and max_iters < self._now.step:
            raise ConfigError(
                f"max_iters is {max_iters:,} and {self._now.step:,} steps are made: choose a larger number"
            )
        return changed(self._config, changes)

    def _begin_budget(self) -> Iterator[Event]:
        """Plan for a time budget that was set during the run and begins now."""
        self._note_steps()
        self._budget_began = self._clock.seconds()
        self._now.follows_clock, self._now.estimate_tokens = True, 0
        self._make_plan()
        yield from self._announce_budget()

    def _answer_weight_requests(self) -> None:
        requests = [
            request for request in self._control.take_weight_requests() if request.set_running_or_notify_cancel()
        ]
        if requests:
            weights = arrays_of(copied_weights(self._model))
            answer = LiveWeights(
                step=self._now.step,
                val_loss=self._now.val_loss,
                val_is_estimate=self._is_estimate(self._now.val_tokens),
                weights=weights,
            )
            for request in requests:
                request.set_result(answer)

    def _compile_if_asked(self) -> Iterator[Event]:
        """Let the blocks run compiled, or tell why they do not; leaves no trace in the run."""
        if not self._config.compile:
            return
        generators = copied_generators(self._parts.generators)
        try:
            with abort_on_stop(self._parts.shards.replicas, self._control):
                problem = compile_blocks(self._parts.shards, self._parts.batches.training(self._now.step))
        except StepAbortedError:
            return
        finally:
            restore_generators(self._parts.generators, generators)
            self._reported_at = self._clock.seconds()
        if problem:
            yield CompileFailed(step=self._now.step, problem=problem)

    # The plan: how many steps

    def _make_plan(self) -> None:
        now = self._now
        if self._config.max_seconds is None:
            now.max_iters = now.max_iters or self._config.max_iters or 0
        elif now.max_iters == 0 or now.follows_clock:
            now.estimate_tokens = now.estimate_tokens or self._planner(self._config.max_seconds).estimate_tokens()
            now.max_iters = self._planned_iters(self._config.max_seconds)

    def _planner(self, max_seconds: float) -> Planner:
        return Planner(
            seconds=max_seconds,
            began=self._budget_began,
            record_tokens=self._parts.batches.record_tokens,
            costs=self._costs,
            sample_interval=self._sample_interval(),
        )

    def _planned_iters(self, max_seconds: float) -> int:
        now, limit = self._now, self._config.max_iters
        passes = 2 if now.evaluations_without_best else 1
        least = 1 if now.step == now.budget_step else 0
        planned = self._planner(max_seconds).plan(
            now.step, self._clock.seconds(), now.estimate_tokens, final_passes=passes, least=least
        )
        return planned if limit is None else min(planned, max(limit, now.step))

    def _correct_plan(self) -> Iterator[Event]:
        now, seconds = self._now, self._config.max_seconds
        if seconds is None or not now.follows_clock or now.evaluated_step == now.max_iters:
            return
        made, all_steps = now.step - now.budget_step, now.max_iters - now.budget_step
        if not is_replanning_step(made, all_steps):
            return
        self._note_steps()
        left = self._planner(seconds).remaining(self._clock.seconds())
        if now.step >= now.max_iters and left < (1 - MIN_BUDGET_USED) * seconds:
            return
        planned = self._planned_iters(seconds)
        if is_worth_changing(planned - now.budget_step, all_steps, made):
            now.max_iters = planned
            yield SettingChanged(step=now.step, setting="max_iters", value=planned, origin="plan")

    def _note_steps(self) -> None:
        """Take in what the steps since the last look have cost."""
        steps, elapsed = self._now.step - self._timed_from_step, self._clock.seconds()
        if steps:
            self._costs.note_step(elapsed - self._timed_from, steps)
        self._timed_from, self._timed_from_step = elapsed, self._now.step

    # Measuring

    def _report_progress_if_due(self) -> Iterator[Event]:
        now = self._now
        if (now.step % self._log_interval() and now.step != now.max_iters) or not now.loss_count:
            return
        seconds = self._clock.seconds()
        progress = Progress(
            step=now.step,
            loss=float(self._loss_sum) / now.loss_count,
            learning_rate=learning_rate_at(now.step - 1, now.max_iters, self._config),
            grad_norm=float(self._grad_norm),
            tokens_per_second=self._tokens_per_step()
            * (now.step - self._reported_step)
            / max(seconds - self._reported_at, 1e-9),
            elapsed_seconds=seconds,
        )
        self._loss_sum.zero_()
        now.loss_count = 0
        self._reported_at, self._reported_step = seconds, now.step
        yield progress

    def _leave_out_of_pace(self, seconds: float) -> None:
        """Do not count some seconds as the steps'."""
        self._reported_at += seconds
        self._timed_from += seconds

    def _log_interval(self) -> int:
        """Return the steps between two progress events: fewer than asked for where a time budget holds few steps."""
        if self._config.max_seconds is None:
            return self._config.log_interval
        return min(self._config.log_interval, max(1, self._now.max_iters // FEWEST_EVENTS))

    def _tokens_per_step(self) -> int:
        return self._parts.tokens_per_batch * self._config.gradient_accumulation

    def _evaluate_if_due(self) -> Iterator[Event]:
        now = self._now
        if now.step in (0, now.evaluated_step) or not self._is_evaluation_due() or self._control.stop_requested:
            return
        began, wanted = self._clock.seconds(), self._rank_tokens()
        train_tokens = max(MIN_TRAIN_TOKENS, int(wanted * TRAIN_TOKENS_PER_VAL_TOKEN))
        train = self._measure(self._parts.batches.training_sample(train_tokens), train_tokens)
        rank = self._measure_validation(wanted)
        if train is None or rank is None:
            return
        rank = self._adjusted(rank)
        self._rank_best_again(rank.tokens)
        self._costs.note_evaluation(self._clock.seconds() - began, train.tokens + rank.tokens)
        yield from self._conclude(train.loss, rank)
        self._leave_out_of_pace(self._clock.seconds() - began)

    def _is_evaluation_due(self) -> bool:
        """At every interval and at the end, not shortly before it; with a time budget an interval is a tenth of the
        run."""
        now, steps = self._now, self._config.eval_interval
        left = now.max_iters - now.step
        if left <= 0:
            return True
        if self._config.max_seconds is None:
            return now.step % steps == 0 and left >= steps * MIN_REMAINING_FRACTION
        interval = max(1.0, (now.max_iters - now.budget_step) / EVALUATIONS)
        is_time = (now.step - now.budget_step) / interval >= now.budget_evaluations + 1
        return is_time and now.step - now.evaluated_step >= interval / 2 and left >= interval / 2

    def _rank_tokens(self) -> int:
        """Return how many validation characters models are compared on: with a time budget maybe fewer than those of
        record."""
        record = self._parts.batches.record_tokens
        return min(record, self._now.estimate_tokens or record) if self._config.max_seconds is not None else record

    def _conclude(self, train_loss: float, rank: Measured) -> Iterator[Event]:
        """Measure the last model more exactly than those before it, and find out which one is the best."""
        is_best = self._is_best(rank)
        is_last = self._now.step >= self._now.max_iters
        final = self._measure_to_the_end(rank, 1 if is_best else 2) if is_last else rank
        if final is None:
            return
        best, again = (
            self._best_again(final.tokens) if not is_best and self._now.best_tokens < final.tokens else NOTHING
        )
        is_best = is_best or (again is not None and final.loss < again.loss)
        evaluated = self._note_evaluation(train_loss, final, rank, is_best)
        try:
            yield evaluated  # it must be in the log before a checkpoint is on the disk that knows of it
        finally:
            if is_best:
                self._save("best")
        if best is not None and again is not None and not is_best:
            yield from self._note_best_again(best, again)

    def _rank_best_again(self, tokens: int) -> None:
        """Measure the best model so far on as many characters as models are compared on from now on."""
        now = self._now
        if now.best_val_loss is None or now.best_rank_tokens == tokens:
            return
        _, measured = self._best_again(tokens)
        now.best_rank_loss, now.best_rank_tokens = (None if measured is None else measured.loss), tokens

    def _adjusted(self, estimate: Measured) -> Measured:
        """Correct an estimate by how much easier or harder its characters are than those of record; the n-gram prior
        knows that of all of them, a fraction of a second's work (a control variate)."""
        if estimate.tokens not in self._difficulties:
            self._difficulties[estimate.tokens] = self._parts.batches.difficulty(estimate.tokens)
        return dataclasses.replace(estimate, loss=estimate.loss + self._difficulties[estimate.tokens])

    def _measure_to_the_end(self, rank: Measured, models: int) -> Measured | None:
        """Measure the loss of record, or as much of it as the time allows for so many models."""
        seconds, record = self._config.max_seconds, self._parts.batches.record_tokens
        if rank.tokens >= record:
            return rank
        if seconds is None or not self._now.follows_clock:
            return self._measure_validation(record)
        now = self._clock.seconds()
        left = self._planner(seconds).remaining(now) - self._costs.end
        deadline = now + left / models
        measured = self._measure_validation(
            record, lambda done: done > rank.tokens and self._clock.seconds() >= deadline
        )
        return measured and self._adjusted(measured)

    def _is_best(self, rank: Measured) -> bool:
        best = self._now.best_rank_loss
        return math.isfinite(rank.loss) and (best is None or rank.loss < best)

    def _best_again(self, tokens: int) -> tuple[Snapshot | None, Measured | None]:
        """Return the best checkpoint so far, and its loss on that many characters; None where it is lost."""
        self._saver.wait()
        best = self._best or self._parts.read_best()
        if best is None:
            return NOTHING
        weights = copied_weights(self._model)
        try:
            self._model.load_state_dict(best.weights)
            again = self._measure_validation(tokens, lambda done: done >= tokens)
            return best, again and self._adjusted(again)
        finally:
            self._model.load_state_dict(weights)

    def _measure_validation(self, tokens: int, is_enough: Callable[[int], bool] = lambda _: False) -> Measured | None:
        return self._measure(self._parts.batches.validation(tokens), tokens, is_enough)

    def _measure(
        self, batches: Iterable[Batch], tokens: int, is_enough: Callable[[int], bool] = lambda _: False
    ) -> Measured | None:
        """Return the mean loss, in nats per character; None when asked to stop on the way."""

        def report(done: int) -> bool:
            self._control.report("evaluating", min(1.0, done / max(tokens, 1)))
            return is_enough(done)

        return mean_loss(self._parts.shards, batches, self._parts.device, self._control, report)

    def _note_evaluation(self, train_loss: float, final: Measured, rank: Measured, is_best: bool) -> Evaluated:
        now = self._now
        now.train_loss, now.val_loss, now.val_tokens, now.evaluated_step = (
            train_loss, final.loss, final.tokens, now.step,
        )  # fmt: skip
        now.budget_evaluations += 1
        self._saved_step = -1  # a checkpoint of this step, if there is one, does not know of it
        if is_best:
            now.best_val_loss, now.best_tokens = final.loss, final.tokens
            now.best_rank_loss, now.best_rank_tokens = rank.loss, rank.tokens
        now.evaluations_without_best = 0 if is_best else now.evaluations_without_best + 1
        if math.isfinite(train_loss) and math.isfinite(final.loss):
            self._note_good()
        return self._evaluated(now.step, train_loss, final, is_best=is_best)

    def _note_best_again(self, best: Snapshot, again: Measured) -> Iterator[Event]:
        """The best checkpoint has a new figure; the model in training is another one."""
        now = self._now
        now.best_val_loss, now.best_tokens = again.loss, again.tokens
        standing = dataclasses.replace(
            best.standing,
            val_loss=again.loss,
            val_tokens=again.tokens,
            best_val_loss=again.loss,
            best_tokens=again.tokens,
        )
        try:
            yield self._evaluated(standing.step, standing.train_loss or again.loss, again, is_best=True)
        finally:
            self._best = dataclasses.replace(best, standing=standing)
            self._submit("best", self._best)

    def _evaluated(self, step: int, train_loss: float, val: Measured, *, is_best: bool) -> Evaluated:
        return Evaluated(
            step=step,
            train_loss=train_loss,
            val_loss=val.loss,
            bits_per_char=bits_per_character(val.loss),
            is_best=is_best,
            val_tokens=val.tokens,
            is_estimate=self._is_estimate(val.tokens),
        )

    def _is_estimate(self, tokens: int) -> bool:
        return tokens < self._parts.batches.record_tokens

    def _sample_if_due(self) -> Iterator[Event]:
        now = self._now
        if now.step in (0, now.sampled_step) or not self._is_sample_due():
            return
        began = self._clock.seconds()
        self._control.report("writing a sample")
        pieces = []
        for piece in self._parts.write_sample(now.step):
            if self._control.stop_requested:
                return
            pieces.append(piece)
        now.sampled_step = now.step
        self._saved_step = -1
        self._costs.sample = self._clock.seconds() - began
        self._leave_out_of_pace(self._costs.sample)
        yield Sampled(step=now.step, prompt="\n", text="".join(pieces))

    def _is_sample_due(self) -> bool:
        """At every interval; at least a few times in a time budget."""
        now, interval = self._now, self._sample_interval()
        if not interval or self._config.max_seconds is None:
            return interval > 0 and now.step % interval == 0
        return now.step - now.sampled_step >= interval

    def _sample_interval(self) -> int:
        """Return the steps between two samples: fewer than asked for where a time budget holds few steps; 0 is none."""
        if self._config.max_seconds is None:
            return self._config.sample_interval
        return min(self._config.sample_interval, math.ceil(self._now.max_iters / FEWEST_SAMPLES))

    # The resume guard

    def _check_resume(self) -> Iterator[Event]:
        """Compare the first loss after a resume with what the interrupted run has computed."""
        expected = self._now.next_loss
        if not self._resumed or expected is None:
            return
        loss = self._next_loss()
        if loss is not None and loss != expected:
            yield ResumeDiffers(step=self._now.step, expected_loss=expected, loss=loss)

    def _next_loss(self) -> float | None:
        """Return the training loss of a few windows of the next batch, None where it is not finite; changes nothing."""
        batch = self._parts.batches.training(self._now.step * self._config.gradient_accumulation)
        generators = copied_generators(self._parts.generators)
        try:
            loss = self._parts.shards.loss(batch.thinned(self._parts.networks))
            return loss if math.isfinite(loss) else None
        finally:
            restore_generators(self._parts.generators, generators)

    # Saving

    def _save_if_due(self) -> Iterator[Event]:
        yield from self._announce_saves()
        is_late = self._clock.seconds() - self._saved_at >= self._config.autosave_seconds
        was_evaluated = self._now.evaluated_step == self._now.step > 0
        asked = self._control.take_save_request()
        if self._saved_step != self._now.step and (is_late or was_evaluated or asked):
            self._save("last")

    def _save(self, kind: Kind) -> None:
        if kind == "last":
            self._now.next_loss = self._next_loss()
        snapshot = self._snapshot()
        if kind == "best":
            self._best = snapshot
        else:
            snapshot = dataclasses.replace(snapshot, good=self._other_good())
            self._saved_at, self._saved_step = self._clock.seconds(), self._now.step
            if self._best is not None and self._problems.get("best"):
                self._submit("best", self._best)
        self._submit(kind, snapshot)

    def _other_good(self) -> Snapshot | None:
        """The state to go back to, unless it is the present one."""
        return self._good if self._now.good_step != self._now.step else None

    def _submit(self, kind: Kind, snapshot: Snapshot) -> None:
        self._saver.submit(kind, snapshot.standing.step, lambda: self._commit(kind, snapshot))

    def _commit(self, kind: Kind, snapshot: Snapshot) -> Path:
        """Write a checkpoint, in the saver's thread, and note how long that takes."""
        began = self._clock.read()
        path = self._parts.commit(kind, snapshot)
        self._costs.note_save(self._clock.read() - began)
        return path

    def _snapshot(self) -> Snapshot:
        self._now.elapsed_seconds = self._clock.seconds()
        self._now.loss_sum = float(self._loss_sum)
        self._now.grad_norm = float(self._grad_norm)
        self._copies = self._copies or _Copies(
            weights=copied_weights(self._model),
            training={**copied_optimizers(self._parts.optimizers), **copied_generators(self._parts.generators)},
        )
        return Snapshot(
            standing=dataclasses.replace(self._now),
            config=self._config,
            weights=self._copies.weights,
            training=self._copies.training,
        )

    def _announce_saves(self) -> Iterator[Event]:
        for result in self._saver.take_results():
            before = self._storage_problem
            self._problems[result.kind] = result.problem
            if result.path is not None:
                yield Saved(step=result.step, path=str(result.path))
                if self._best is not None and (result.kind, result.step) == ("best", self._best.standing.step):
                    self._best = None
            problem = self._storage_problem
            if problem != before:
                step = self._now.step
                yield StorageProblem(step=step, problem=problem) if problem else StorageRecovered(step=step)

    @property
    def _storage_problem(self) -> str:
        """Why the newest checkpoint of either kind is not on the disk."""
        return next(filter(None, self._problems.values()), "")

    # The end

    def _started(self) -> Started:
        return Started(
            step=self._now.step,
            max_iters=self._now.max_iters,
            parameters=sum(parameter.numel() for parameter in self._model.parameters()),
            device=self._parts.device.type,
            train_tokens=self._parts.train_tokens,
            val_tokens=self._parts.val_tokens,
            preset=self._parts.preset,
            seed=self._config.seed,
        )

    def _reason_to_end(self) -> FinishReason | None:
        now = self._now
        if now.step >= now.max_iters and now.evaluated_step == now.step:
            is_cut = self._config.max_seconds is not None and now.max_iters != self._config.max_iters
            return "time_limit" if is_cut else "completed"
        if self._control.stop_requested:
            return "stopped"
        if self._config.patience and now.evaluations_without_best >= self._config.patience:
            return "early_stop"
        return None

    def _finish(self, reason: FinishReason) -> Iterator[Event]:
        self._control.report("saving")
        if self._saved_step != self._now.step:
            self._save("last")
        self._saver.wait()
        yield from self._announce_saves()
        if self._storage_problem:
            self._save("last")
            self._saver.wait()
            yield from self._announce_saves()
        yield Finished(
            step=self._now.step,
            reason=reason,
            best_val_loss=self._now.best_val_loss,
            best_is_estimate=self._now.best_val_loss is not None and self._is_estimate(self._now.best_tokens),
            elapsed_seconds=self._clock.seconds(),
        )
        if self._storage_problem:
            raise StorageError(self._storage_problem)


def changed(config: TrainConfig, changes: Mapping[str, SettingValue]) -> TrainConfig:
    """`config` with some settings replaced. Raises ConfigError where a value is of the wrong type or out of range."""
    return TrainConfig.from_dict({**dataclasses.asdict(config), **changes})


def copied_generators(generators: Mapping[str, torch.Generator]) -> dict[str, Tensor]:
    """The state of each generator, as `generator.NAME`."""
    return {f"generator.{name}": generator.get_state() for name, generator in generators.items()}


def restore_generators(generators: Mapping[str, torch.Generator], tensors: Mapping[str, Tensor]) -> None:
    """Put back what `copied_generators` took. Raises CheckpointError where it is something else."""
    for name, generator in generators.items():
        if f"generator.{name}" in tensors:
            try:
                generator.set_state(tensors[f"generator.{name}"])
            except (RuntimeError, TypeError) as error:
                raise CheckpointError(
                    "the checkpoint's random generators are damaged: start a new run with --init-from"
                ) from error
