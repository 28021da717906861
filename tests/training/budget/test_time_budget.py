"""The plan of a run follows the clock, or its log."""

import dataclasses

import pytest

from tests.training.fakes import ManualClock
from tests.training.workbench import TRAIN
from tui_gpt.config import TrainConfig
from tui_gpt.events import Event, SettingChanged
from tui_gpt.training.budget.planner import Costs
from tui_gpt.training.budget.time_budget import ESTIMATE, PLAN, TimeBudget
from tui_gpt.training.clock import RunClock
from tui_gpt.training.settings import RunSettings
from tui_gpt.training.state import TrainerState

BUDGET = dataclasses.replace(TRAIN, max_iters=None, max_seconds=100.0)


class Budgeted:
    """A budget of 100 seconds, with steps of one second and a clock that a test sets."""

    def __init__(self, config: TrainConfig = BUDGET, state: TrainerState | None = None) -> None:
        self.state, self.manual = state or TrainerState(), ManualClock()
        self.state.record_tokens = 1_000
        self.settings = RunSettings(config, self.state)
        clock = RunClock(self.manual, self.state.elapsed_seconds)
        self.budget = TimeBudget(self.state, self.settings, clock, Costs(step=1.0, token=1e-6))

    def step(self, count: int, seconds: float) -> None:
        """Let some steps pass, of that many seconds each."""
        self.state.step += count
        self.manual.now += count * seconds


def changed_iters(events: list[Event]) -> list[object]:
    return [event.value for event in events if isinstance(event, SettingChanged) and event.setting == "max_iters"]


def test_a_budget_becomes_a_number_of_steps() -> None:
    run = Budgeted()
    run.budget.make_plan()
    assert 90 <= run.state.max_iters <= 100
    assert run.state.estimate_tokens == 1_000


def test_without_a_budget_the_steps_are_those_of_the_settings_and_never_change() -> None:
    run = Budgeted(TRAIN)
    run.budget.make_plan()
    assert run.state.max_iters == TRAIN.max_iters
    run.step(2, seconds=50.0)
    assert list(run.budget.correct()) == []
    assert run.budget.deadline(1) is None


def test_a_limit_of_steps_bounds_the_plan() -> None:
    run = Budgeted(dataclasses.replace(BUDGET, max_iters=30))
    run.budget.make_plan()
    assert run.state.max_iters == 30


def test_steps_that_are_slower_than_planned_shorten_the_plan() -> None:
    run = Budgeted()
    run.budget.make_plan()
    run.step(4, seconds=2.0)
    (event,) = run.budget.correct()
    assert event == SettingChanged(step=4, setting="max_iters", value=run.state.max_iters, origin="plan")
    assert 45 <= run.state.max_iters <= 50


def test_a_run_that_follows_its_log_is_not_planned_again() -> None:
    run = Budgeted(state=TrainerState(step=2, max_iters=80, follows_clock=False))
    run.budget.make_plan()
    run.step(2, seconds=20.0)
    assert list(run.budget.correct()) == []
    assert run.state.max_iters == 80
    assert run.budget.deadline(1) is None


def test_excluded_seconds_are_not_the_steps() -> None:
    run = Budgeted()
    run.budget.make_plan()
    run.step(4, seconds=1.0)
    run.manual.now += 3.0
    run.budget.exclude(3.0)
    list(run.budget.correct())
    assert run.budget.costs.step == 1.0


def test_a_budget_that_begins_during_a_run_counts_from_there_and_reports_its_plan() -> None:
    run = Budgeted(TRAIN, TrainerState(step=40, max_iters=50, follows_clock=False))
    run.manual.now = 500.0
    run.settings.change({"max_iters": None, "max_seconds": 100.0})
    events = list(run.budget.begin())
    assert changed_iters(events) == [run.state.max_iters]
    assert 40 + 90 <= run.state.max_iters <= 40 + 100
    assert (run.state.budget_step, run.state.budget_evaluations) == (40, 0)
    assert events[1] == SettingChanged(step=40, setting=ESTIMATE, value=1_000, origin="plan")


def test_a_logged_plan_is_repeated() -> None:
    run = Budgeted(state=TrainerState(step=40, max_iters=50, follows_clock=False))
    events = list(run.budget.repeat({"max_seconds": 100.0, ESTIMATE: 300, PLAN: 77}))
    assert (run.state.max_iters, run.state.estimate_tokens, run.state.budget_step) == (77, 300, 40)
    assert changed_iters(events) == [77]


def test_the_time_for_the_last_measurements_is_divided_by_their_number() -> None:
    run = Budgeted()
    run.manual.now = 80.0
    one, two = run.budget.deadline(1), run.budget.deadline(2)
    assert one is not None
    assert two is not None
    assert one == 100.0 - run.budget.costs.end
    assert two - 80.0 == pytest.approx((one - 80.0) / 2)
