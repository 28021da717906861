"""Which model is the best, and what is measured again at the end, with scripted losses."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from tests.training.fakes import ManualClock, snapshot_of
from tests.training.workbench import TRAIN
from tui_gpt.config import TrainConfig
from tui_gpt.events import Evaluated
from tui_gpt.metrics import ASCII_CHARACTER
from tui_gpt.training.budget.planner import Costs
from tui_gpt.training.budget.time_budget import TimeBudget
from tui_gpt.training.clock import RunClock
from tui_gpt.training.evaluation.evaluator import Evaluator
from tui_gpt.training.evaluation.loss import Measured
from tui_gpt.training.evaluation.meter import Meter
from tui_gpt.training.settings import RunSettings
from tui_gpt.training.state import Kind, Snapshot, TrainerState

RECORD = 1_000
BUDGET = dataclasses.replace(TRAIN, max_iters=None, max_seconds=100.0)


class ScriptedMeter:
    """Returns losses from a list for the current model, and one loss for any other weights."""

    def __init__(self, losses: list[float], other: float = math.nan) -> None:
        self._losses, self._other = iter(losses), other
        self.measured: list[int] = []

    def training(self, tokens: int) -> Measured:
        return Measured(1.0, tokens)

    def validation(self, tokens: int, is_enough: Callable[[int], bool] = lambda _: False) -> Measured:
        done = next((done for done in range(100, tokens, 100) if is_enough(done)), tokens)
        self.measured.append(done)
        return Measured(next(self._losses), done)

    def validation_of(self, weights: object, tokens: int) -> Measured:
        return Measured(self._other, tokens)

    def corrected(self, estimate: Measured) -> Measured:
        return estimate


class StoppedMeter(ScriptedMeter):
    """A control that requests a stop."""

    def validation(self, tokens: int, is_enough: Callable[[int], bool] = lambda _: False) -> Measured:
        return cast(Measured, None)


class FakeCheckpoints:
    """Keeps the best snapshot, and the state at each save."""

    def __init__(self, state: TrainerState) -> None:
        self._state = state
        self.best: Snapshot | None = None
        self.saved: list[Snapshot] = []
        self.is_unsaved = False

    def save(self, kind: Kind) -> None:
        assert kind == "best"
        self.save_best(snapshot_of(self._state))

    def save_best(self, snapshot: Snapshot) -> None:
        self.best = snapshot
        self.saved.append(snapshot)

    def newest_best(self) -> Snapshot | None:
        return self.best

    def mark_unsaved(self) -> None:
        self.is_unsaved = True


class Evaluating:
    """An evaluator with its state, its checkpoints and a clock."""

    def __init__(self, meter: ScriptedMeter, config: TrainConfig = TRAIN) -> None:
        self.meter, self.manual = meter, ManualClock()
        self.state = TrainerState(max_iters=20, record_tokens=RECORD, estimate_tokens=100)
        settings, clock = RunSettings(config, self.state), RunClock(self.manual)
        self.costs = Costs(step=1.0, token=0.001)
        self.checkpoints, self.good_steps = FakeCheckpoints(self.state), list[int]()
        self.evaluator = Evaluator(
            self.state,
            settings,
            clock,
            meter=cast(Meter, meter),
            budget=TimeBudget(self.state, settings, clock, self.costs),
            checkpoints=self.checkpoints,
            remember_good=lambda: self.good_steps.append(self.state.step),
            token_size=ASCII_CHARACTER,
        )

    def evaluate(self, step: int) -> list[Evaluated]:
        self.state.step = step
        return list(self.evaluator.evaluate())


def figures(events: list[Evaluated]) -> list[tuple[int, float, bool, bool]]:
    """Step, loss, and whether it is the best and an estimate."""
    return [(event.step, event.val_loss, event.is_best, event.is_estimate) for event in events]


def test_the_best_model_is_the_one_with_the_lowest_loss_and_is_saved() -> None:
    run = Evaluating(ScriptedMeter([3.0, 2.0, 2.5]))
    events = [event for step in (5, 10, 15) for event in run.evaluate(step)]
    assert figures(events) == [(5, 3.0, True, False), (10, 2.0, True, False), (15, 2.5, False, False)]
    assert [snapshot.state.step for snapshot in run.checkpoints.saved] == [5, 10]
    assert (run.state.best_val_loss, run.state.evaluations_without_best) == (2.0, 1)


def test_an_evaluation_is_reported_before_its_checkpoint_is_saved() -> None:
    """A log that ends before the event must not belong to a checkpoint that includes it."""
    run = Evaluating(ScriptedMeter([3.0]))
    run.state.step = 5
    events: Iterator[Evaluated] = run.evaluator.evaluate()
    next(events)
    assert run.checkpoints.saved == []
    assert list(events) == []
    assert len(run.checkpoints.saved) == 1
    assert run.checkpoints.is_unsaved


def test_only_an_evaluation_with_finite_losses_is_one_to_return_to() -> None:
    run = Evaluating(ScriptedMeter([3.0, math.nan]))
    assert len(run.evaluate(5) + run.evaluate(10)) == 2
    assert run.good_steps == [5]
    assert run.state.best_val_loss == 3.0


def test_a_measurement_that_is_stopped_reports_and_changes_nothing() -> None:
    run = Evaluating(StoppedMeter([]))
    before = dataclasses.replace(run.state, step=5)
    assert run.evaluate(5) == []
    assert run.state == before


def test_evaluations_in_a_budget_are_estimates_before_the_last() -> None:
    run = Evaluating(ScriptedMeter([3.0, 2.0, 2.1]), BUDGET)
    assert figures(run.evaluate(10)) == [(10, 3.0, True, True)]
    assert figures(run.evaluate(20)) == [(20, 2.1, True, False)]
    assert run.meter.measured == [100, 100, RECORD]


def test_a_better_earlier_model_is_measured_again_at_the_end_and_saved_with_that_figure() -> None:
    run = Evaluating(ScriptedMeter([2.0, 3.0, 2.5], other=1.5), BUDGET)
    run.evaluate(10)
    assert figures(run.evaluate(20)) == [(20, 2.5, False, False), (10, 1.5, True, False)]
    assert run.checkpoints.saved[-1].state.step == 10
    assert run.checkpoints.saved[-1].state.best_val_loss == run.state.best_val_loss == 1.5


def test_the_last_model_is_the_best_if_the_earlier_one_is_worse_on_the_whole_split() -> None:
    run = Evaluating(ScriptedMeter([2.0, 3.0, 2.5], other=2.7), BUDGET)
    run.evaluate(10)
    assert figures(run.evaluate(20)) == [(20, 2.5, True, False)]
    assert run.state.best_val_loss == 2.5


def test_the_last_measurement_ends_when_the_budget_does() -> None:
    run = Evaluating(ScriptedMeter([3.0, 3.0]), BUDGET)
    run.manual.now = 200.0
    (last,) = run.evaluate(20)
    assert (last.val_tokens, last.is_estimate) == (200, True)


@pytest.mark.parametrize(("other", "is_best"), [(2.5, False), (3.5, True)])
def test_the_best_model_is_measured_again_when_a_budget_changes_what_models_are_compared_on(
    other: float, is_best: bool
) -> None:
    run = Evaluating(ScriptedMeter([3.0], other=other), BUDGET)
    run.state.best_val_loss, run.state.best_rank_loss, run.state.best_rank_tokens = 2.0, 2.0, RECORD
    run.state.best_tokens, run.checkpoints.best = RECORD, snapshot_of(TrainerState(step=3))
    assert figures(run.evaluate(10)) == [(10, 3.0, is_best, True)]
    assert run.state.best_rank_tokens == 100


def test_a_best_model_that_is_lost_gives_way_to_the_current_one() -> None:
    run = Evaluating(ScriptedMeter([9.0]), BUDGET)
    run.state.best_val_loss, run.state.best_rank_loss, run.state.best_rank_tokens = 2.0, 2.0, RECORD
    run.state.max_iters = 50
    assert figures(run.evaluate(10)) == [(10, 9.0, True, True)]


def test_the_time_of_an_evaluation_is_a_cost() -> None:
    class SlowMeter(ScriptedMeter):
        def training(self, tokens: int) -> Measured:
            run.manual.now += 6.12
            return Measured(1.0, tokens)

    run = Evaluating(SlowMeter([3.0]), BUDGET)
    run.state.max_iters = 50
    run.evaluate(10)
    assert run.costs.token == pytest.approx(0.5 * (0.001 + 6.12 / (512 + 100)))
