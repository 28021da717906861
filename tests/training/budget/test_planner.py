"""A time budget's plan is arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_gpt.training.budget.planner import (
    EVALUATION_FRACTION,
    EVALUATIONS,
    TRAIN_TOKENS_PER_VAL_TOKEN,
    Costs,
    Planner,
    is_replanning_step,
    is_worth_changing,
)


def planner(
    seconds: float, step: float = 0.1, token: float = 1e-5, record: int = 100_000, save: float = 0.0
) -> Planner:
    return Planner(seconds, 0.0, record, Costs(step=step, token=token, save=save))


@given(
    st.floats(10, 3600),
    st.floats(0.001, 1.0),
    st.floats(1e-7, 1e-4),
    st.integers(2_000, 120_000),
    st.floats(0, 0.3),
)
def test_steps_evaluations_and_saves_fit_into_the_budget(
    seconds: float, step: float, token: float, record: int, used: float
) -> None:
    plan = planner(seconds, step, token, record, save=0.5)
    estimate = plan.estimate_tokens()
    steps = plan.plan(0, used * seconds, estimate)
    evaluations = (
        EVALUATIONS * estimate * (1 + TRAIN_TOKENS_PER_VAL_TOKEN) * token + plan.final_tokens(estimate) * token
    )
    assert used * seconds + steps * step + evaluations * (1 - used) + 0.5 <= seconds + step + 0.2 * evaluations


@given(st.floats(20, 3600), st.floats(1e-7, 1e-5))
def test_evaluations_take_at_most_a_tenth_of_the_budget(seconds: float, token: float) -> None:
    plan = planner(seconds, token=token)
    estimate = plan.estimate_tokens()
    reading = (EVALUATIONS - 1) * estimate * (1 + TRAIN_TOKENS_PER_VAL_TOKEN) + plan.final_tokens(estimate)
    assert reading * token <= 1.05 * EVALUATION_FRACTION * seconds


def test_the_last_evaluation_measures_the_whole_record_where_there_is_time() -> None:
    assert planner(600.0).final_tokens(5_000) == 100_000
    assert 5_000 <= planner(10.0).final_tokens(5_000) < 100_000


def test_a_small_validation_split_is_measured_completely_every_time() -> None:
    small = planner(60.0, record=900)
    assert small.estimate_tokens() == small.final_tokens(900) == 900


def test_a_spent_budget_still_makes_one_step() -> None:
    assert planner(10.0, step=1.0).plan(7, 20.0, 1_000) == 8
    assert planner(10.0, step=1.0).plan(7, 20.0, 1_000, least=0) <= 7


def test_a_budget_that_begins_in_the_middle_of_a_run_counts_from_there() -> None:
    late = Planner(100.0, 500.0, 1_000, Costs(step=1.0, token=1e-6))
    assert 80 <= late.plan(40, 500.0, 1_000) - 40 <= 100


def test_a_second_model_to_measure_at_the_end_leaves_fewer_steps() -> None:
    plan = planner(60.0)
    assert plan.plan(0, 0.0, 4_000, final_passes=2) < plan.plan(0, 0.0, 4_000)


def test_costs_follow_what_was_measured() -> None:
    costs = Costs(step=1.0, token=1.0)
    costs.note_step(2.0, steps=1)
    assert costs.step == pytest.approx(1.25)
    costs.note_step(8.0, steps=4)
    assert costs.step == pytest.approx(2.0)
    costs.note_evaluation(2.0, tokens=10)
    assert costs.token == pytest.approx(0.6)
    costs.note_save(0.5)
    costs.note_save(0.2)
    assert costs.save == 0.5


def test_a_run_is_replanned_early_then_seldom_and_after_every_step_near_the_end() -> None:
    looks = [step for step in range(1, 1001) if is_replanning_step(step, 1000)]
    assert looks[:5] == [1, 2, 4, 8, 16]
    assert looks[-101:] == list(range(900, 1001))


def test_a_small_difference_does_not_change_the_plan() -> None:
    assert not is_worth_changing(planned=1040, max_iters=1000, step=0)
    assert is_worth_changing(planned=1100, max_iters=1000, step=0)
    assert is_worth_changing(planned=1023, max_iters=1000, step=990)
    assert not is_worth_changing(planned=1003, max_iters=1000, step=990)
