"""When a run reports, evaluates and samples is arithmetic."""

import dataclasses

import pytest

from tests.training.workbench import TRAIN
from tui_gpt.training.intervals import is_evaluation_due, is_sample_due, log_interval, sample_interval
from tui_gpt.training.state import TrainerState

PLAIN = dataclasses.replace(TRAIN, max_iters=100, eval_interval=20, log_interval=7, sample_interval=50)
BUDGET = dataclasses.replace(PLAIN, max_iters=None, max_seconds=60.0)


def test_without_a_budget_the_intervals_are_those_of_the_settings() -> None:
    state = TrainerState(max_iters=100)
    assert (log_interval(PLAIN, state), sample_interval(PLAIN, state)) == (7, 50)


@pytest.mark.parametrize(("max_iters", "logs", "samples"), [(40, 1, 10), (300, 3, 50), (10_000, 7, 50)])
def test_a_budget_with_few_steps_reports_and_samples_more_often(max_iters: int, logs: int, samples: int) -> None:
    state = TrainerState(max_iters=max_iters)
    assert (log_interval(BUDGET, state), sample_interval(BUDGET, state)) == (logs, samples)


def test_no_samples_are_due_without_an_interval() -> None:
    config = dataclasses.replace(PLAIN, sample_interval=0)
    assert not any(is_sample_due(config, TrainerState(step=step, max_iters=100)) for step in range(101))
    assert not is_sample_due(dataclasses.replace(BUDGET, sample_interval=0), TrainerState(step=9, max_iters=100))


def test_each_step_is_sampled_and_evaluated_once() -> None:
    done = TrainerState(step=100, max_iters=100, sampled_step=100, evaluated_step=100)
    assert not is_sample_due(PLAIN, done)
    assert not is_evaluation_due(PLAIN, done)


@pytest.mark.parametrize(("max_iters", "due"), [(40, [20, 40]), (41, [20, 41]), (42, [20, 40, 42])])
def test_an_evaluation_shortly_before_the_last_is_left_out(max_iters: int, due: list[int]) -> None:
    states = [TrainerState(step=step, max_iters=max_iters) for step in range(max_iters + 1)]
    assert [state.step for state in states if is_evaluation_due(PLAIN, state)] == due


@pytest.mark.parametrize("max_iters", [10, 95, 1000])
def test_a_budget_is_evaluated_ten_times_from_its_beginning_to_its_end(max_iters: int) -> None:
    state = TrainerState(max_iters=500 + max_iters, budget_step=500, evaluated_step=500)
    evaluated = []
    for step in range(501, 500 + max_iters + 1):
        state.step = step
        if is_evaluation_due(BUDGET, state):
            evaluated.append(step)
            state.evaluated_step = step
            state.budget_evaluations += 1
    assert len(evaluated) == 10
    assert evaluated[-1] == 500 + max_iters
