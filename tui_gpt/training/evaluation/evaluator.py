"""Evaluations of a run: its training and validation loss, and which of its models is the best.

Models are ranked by their loss on equally many validation characters. At the end the last model is measured on the
entire validation split, or on the part of it that a time budget allows; if an earlier model has the better rank, it is
measured again on the same part, so the figure of the best model is the loss of record.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Protocol

from tui_gpt.events import Evaluated
from tui_gpt.metrics import TokenSize
from tui_gpt.training.budget.planner import TRAIN_TOKENS_PER_VAL_TOKEN
from tui_gpt.training.budget.time_budget import TimeBudget
from tui_gpt.training.clock import RunClock
from tui_gpt.training.evaluation.loss import Measured
from tui_gpt.training.evaluation.meter import Meter
from tui_gpt.training.settings import RunSettings
from tui_gpt.training.state import Kind, Snapshot, TrainerState

MIN_TRAIN_TOKENS = 512
"""Training characters that an evaluation reads, however short the validation split."""


class Checkpoints(Protocol):
    """What an evaluator needs of the run's checkpoints."""

    def save(self, kind: Kind) -> None:
        """Save the current model."""

    def save_best(self, snapshot: Snapshot) -> None:
        """Save a model that was trained before as the best one."""

    def newest_best(self) -> Snapshot | None:
        """Return the best model so far; None where it is lost."""

    def mark_unsaved(self) -> None:
        """Have the current step saved again, since its state has changed."""


class Evaluator:
    """Evaluates one run."""

    def __init__(
        self,
        state: TrainerState,
        settings: RunSettings,
        clock: RunClock,
        *,
        meter: Meter,
        budget: TimeBudget,
        checkpoints: Checkpoints,
        remember_good: Callable[[], None],
        token_size: TokenSize,
    ) -> None:
        """`remember_good` is called after each evaluation with finite losses; `token_size` is that of the text."""
        self._state = state
        self._settings = settings
        self._clock = clock
        self._meter = meter
        self._budget = budget
        self._checkpoints = checkpoints
        self._remember_good = remember_good
        self._token_size = token_size

    def evaluate(self) -> Iterator[Evaluated]:
        """Measure the current model; save it if it is the best. Yield nothing if a stop was requested meanwhile."""
        began, tokens = self._clock.seconds(), self._rank_tokens()
        train = self._meter.training(max(MIN_TRAIN_TOKENS, int(tokens * TRAIN_TOKENS_PER_VAL_TOKEN)))
        rank = self._meter.validation(tokens)
        if train is None or rank is None:
            return
        rank = self._meter.corrected(rank)
        self._rank_best_again(rank.tokens)
        self._budget.costs.note_evaluation(self._clock.seconds() - began, train.tokens + rank.tokens)
        yield from self._conclude(train.loss, rank)

    def _rank_tokens(self) -> int:
        """Return the number of validation characters that models are compared on: fewer than those of record if a
        time budget requires it."""
        record = self._state.record_tokens
        if self._settings.config.max_seconds is None:
            return record
        return min(record, self._state.estimate_tokens or record)

    def _rank_best_again(self, tokens: int) -> None:
        """Measure the best model so far on `tokens` characters, the number that models are compared on from now on."""
        state = self._state
        if state.best_val_loss is None or state.best_rank_tokens == tokens:
            return
        _, measured = self._best_again(tokens)
        state.best_rank_loss, state.best_rank_tokens = (None if measured is None else measured.loss), tokens

    def _conclude(self, train_loss: float, rank: Measured) -> Iterator[Evaluated]:
        """Measure the last model of the run more exactly, and find out whether the current model is the best."""
        is_best = self._is_best(rank)
        is_last = self._state.step >= self._state.max_iters
        final = self._measure_to_the_end(rank, 1 if is_best else 2) if is_last else rank
        if final is None:
            return
        best, again = None, None
        if not is_best and self._state.best_tokens < final.tokens:
            best, again = self._best_again(final.tokens)
        is_best = is_best or (again is not None and final.loss < again.loss)
        yield from self._report(train_loss, final, rank, is_best=is_best)
        if best is not None and again is not None and not is_best:
            yield from self._report_best_again(best, again)

    def _is_best(self, rank: Measured) -> bool:
        best = self._state.best_rank_loss
        return math.isfinite(rank.loss) and (best is None or rank.loss < best)

    def _measure_to_the_end(self, rank: Measured, models: int) -> Measured | None:
        """Return the current model's loss of record or, with a time budget, its loss on the number of characters that
        there is time for when `models` models are measured."""
        record = self._state.record_tokens
        if rank.tokens >= record:
            return rank
        deadline = self._budget.deadline(models)
        if deadline is None:
            return self._meter.validation(record)
        measured = self._meter.validation(record, lambda done: done > rank.tokens and self._clock.seconds() >= deadline)
        return measured and self._meter.corrected(measured)

    def _best_again(self, tokens: int) -> tuple[Snapshot | None, Measured | None]:
        """Return the best checkpoint so far and its loss on that many characters; None where it is lost."""
        best = self._checkpoints.newest_best()
        if best is None:
            return None, None
        return best, self._meter.validation_of(best.weights, tokens)

    def _report(self, train_loss: float, final: Measured, rank: Measured, *, is_best: bool) -> Iterator[Evaluated]:
        """Report the current model's losses, and save it if it is the best.

        The event is logged before a checkpoint that includes the evaluation can be on disk.
        """
        self._note_evaluation(train_loss, final, rank, is_best=is_best)
        try:
            yield self._event(self._state.step, train_loss, final, is_best=is_best)
        finally:
            if is_best:
                self._checkpoints.save("best")

    def _note_evaluation(self, train_loss: float, final: Measured, rank: Measured, *, is_best: bool) -> None:
        state = self._state
        state.train_loss, state.val_loss, state.val_tokens = train_loss, final.loss, final.tokens
        state.evaluated_step = state.step
        state.budget_evaluations += 1
        self._checkpoints.mark_unsaved()
        if is_best:
            state.best_val_loss, state.best_tokens = final.loss, final.tokens
            state.best_rank_loss, state.best_rank_tokens = rank.loss, rank.tokens
        state.evaluations_without_best = 0 if is_best else state.evaluations_without_best + 1
        if math.isfinite(train_loss) and math.isfinite(final.loss):
            self._remember_good()

    def _report_best_again(self, best: Snapshot, again: Measured) -> Iterator[Evaluated]:
        """Report the new figure of the best model, which is not the current one, and save it with that figure."""
        self._state.best_val_loss, self._state.best_tokens = again.loss, again.tokens
        state = dataclasses.replace(
            best.state,
            val_loss=again.loss,
            val_tokens=again.tokens,
            best_val_loss=again.loss,
            best_tokens=again.tokens,
        )
        try:
            yield self._event(state.step, state.train_loss or again.loss, again, is_best=True)
        finally:
            self._checkpoints.save_best(dataclasses.replace(best, state=state))

    def _event(self, step: int, train_loss: float, val: Measured, *, is_best: bool) -> Evaluated:
        return Evaluated(
            step=step,
            train_loss=train_loss,
            val_loss=val.loss,
            bits_per_char=self._token_size.bits_per_char(val.loss),
            bits_per_byte=self._token_size.bits_per_byte(val.loss),
            is_best=is_best,
            val_tokens=val.tokens,
            is_estimate=self._state.is_estimate(val.tokens),
        )
