"""Rates are arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_gpt.config import Schedule, TrainConfig
from tui_gpt.training.optim.schedule import learning_rate_at


def config(schedule: Schedule, **settings: float) -> TrainConfig:
    return TrainConfig(max_iters=100, schedule=schedule, learning_rate=1.0, warmup_iters=10, **settings)  # type: ignore[arg-type]  # floats only


def test_the_rate_rises_to_its_peak_and_falls() -> None:
    rates = [learning_rate_at(step, 100, config("linear", min_lr_ratio=0.0)) for step in range(100)]
    assert rates[:11] == sorted(rates[:11])
    assert rates[10] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_a_linear_schedule_would_reach_exactly_zero_on_the_step_after_the_last() -> None:
    assert learning_rate_at(100, 100, config("linear", min_lr_ratio=0.0)) == 0.0
    assert learning_rate_at(99, 100, config("linear", min_lr_ratio=0.0)) > 0.0


def test_a_cosine_ends_at_its_floor() -> None:
    assert learning_rate_at(100, 100, config("cosine", min_lr_ratio=0.1)) == pytest.approx(0.1)


def test_a_constant_rate_stays() -> None:
    assert learning_rate_at(99, 100, config("constant")) == 1.0


def test_a_short_run_warms_up_for_a_tenth_of_it() -> None:
    assert learning_rate_at(1, 10, config("constant")) == 1.0


@given(st.integers(0, 300), st.integers(1, 200), st.sampled_from(["linear", "cosine", "constant"]))
def test_a_rate_is_never_negative_nor_above_its_peak(step: int, max_iters: int, schedule: Schedule) -> None:
    assert 0.0 <= learning_rate_at(step, max_iters, config(schedule, min_lr_ratio=0.0)) <= 1.0
