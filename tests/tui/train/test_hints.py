"""Hints appear with evidence, and not without; each names a key that exists."""

import dataclasses
import math
import random
from collections.abc import Callable

import pytest

from tests.fakes import evaluated, finished, progress, started
from tui_gpt.events import RolledBack, SettingChanged, StepSkipped
from tui_gpt.tui.train.hints import banner, evaluation_noise, explanation, hint_of
from tui_gpt.tui.train.record import RunView

STEPS = 2_000
Curve = Callable[[float], float]
"""A loss by the fraction of the run."""


def falling(done: float) -> float:
    return 1.5 + 2.6 * math.exp(-6 * done)


def record_of(
    train: Curve, validation: Curve | None = None, *, until: float = 1.0, noise: float = 0.05, seed: int = 0
) -> RunView:
    """Return a live run with these losses, a progress event every 5 steps and an evaluation every 100."""
    chance = random.Random(seed)
    record = RunView()
    record.apply(started(STEPS))
    for step in range(5, int(STEPS * until) + 1, 5):
        done = step / STEPS
        record.apply(progress(step, train(done) + chance.gauss(0, noise)))
        if validation is not None and step % 100 == 0:
            loss = validation(done) + chance.gauss(0, noise / 20)
            record.apply(dataclasses.replace(evaluated(step, loss), train_loss=train(done)))
    return record


def kind_of(record: RunView) -> str | None:
    hint = hint_of(record)
    assert hint is None or len(hint.words) <= 76, "it fits on 80 columns"
    return hint.kind if hint else None


SEEDS = pytest.mark.parametrize("seed", range(8))


@SEEDS
def test_a_healthy_run_gets_no_hint_at_any_time(seed: int) -> None:
    for until in (0.02, 0.1, 0.3, 0.5, 0.7, 0.95):
        slow = record_of(
            lambda done: 1.2 + 2 * (1 - done) ** 1.5, lambda done: 1.3 + 2 * (1 - done) ** 1.5, until=until, seed=seed
        )
        assert hint_of(slow) is None, until


@SEEDS
def test_over_fitting_is_found_with_the_step_at_which_it_began(seed: int) -> None:
    record = record_of(
        falling, lambda done: 1.6 + 2.5 * math.exp(-9 * done) + 0.5 * max(0.0, done - 0.5), until=0.8, seed=seed
    )
    hint = hint_of(record)
    assert hint is not None
    assert hint.kind == "over_fitting"
    began = int(hint.words.split("step ")[1].split(":")[0].replace(",", ""))
    assert 800 <= began <= 1_200
    assert "x stops" in hint.words
    record.phase = "finished"
    after = hint_of(record)
    assert after is not None
    assert "g generates" in after.words


@SEEDS
def test_a_validation_loss_that_only_scatters_is_not_over_fitting(seed: int) -> None:
    """The noise of `record_of` is a twentieth of this for evaluations: 0.03 nats."""
    for until in (0.3, 0.5, 0.7, 1.0):
        record = record_of(lambda done: 1.5 - 0.3 * done, lambda done: 1.6, noise=0.6, seed=seed, until=until)
        assert kind_of(record) != "over_fitting"


def test_both_losses_rising_is_not_over_fitting() -> None:
    record = record_of(lambda done: 2.0 + done, lambda done: 2.1 + done)
    assert kind_of(record) == "rate_too_high"


@SEEDS
def test_a_rising_training_loss_means_that_the_rate_is_too_high(seed: int) -> None:
    record = record_of(lambda done: falling(done) + 3 * max(0.0, done - 0.3), until=0.6, seed=seed)
    hint = hint_of(record)
    assert hint is not None
    assert hint.kind == "rate_too_high"
    assert "p pauses, e lowers it" in hint.words


def test_one_spike_does_not_mean_that_the_rate_is_too_high() -> None:
    record = record_of(lambda done: 8.0 if 0.4 < done < 0.403 else 1.2 + 2 * (1 - done) ** 1.5, until=0.42)
    assert hint_of(record) is None


def test_a_step_that_was_not_finite_is_evidence_until_the_rate_is_lowered() -> None:
    record = record_of(lambda done: 3.0 - done, until=0.5)
    record.apply(StepSkipped(step=1_001))
    assert kind_of(record) == "rate_too_high"
    record.apply(SettingChanged(step=1_002, setting="learning_rate", value=1e-4))
    assert hint_of(record) is None


@SEEDS
def test_a_flat_loss_is_found(seed: int) -> None:
    record = record_of(lambda done: falling(min(1.0, done * 6)), until=0.8, noise=0.02, seed=seed)
    assert kind_of(record) == "flat"


@SEEDS
def test_a_slowly_falling_loss_is_not_flat(seed: int) -> None:
    record = record_of(lambda done: 1.8 - 0.3 * done, until=0.8, noise=0.05, seed=seed)
    assert hint_of(record) is None


def test_noise_that_hides_the_slope_is_no_evidence_for_a_flat_loss() -> None:
    assert hint_of(record_of(lambda done: 2.0, until=0.8, noise=1.0)) is None


@SEEDS
def test_a_run_that_ended_while_its_loss_fell_would_gain_from_more_steps(seed: int) -> None:
    record = record_of(lambda done: 3.0 - done, lambda done: 3.1 - done, seed=seed)
    assert hint_of(record) is None
    record.apply(finished(STEPS))
    hint = hint_of(record)
    assert hint is not None
    assert hint.kind == "longer"
    assert "r adds steps" in hint.words


@SEEDS
def test_a_run_that_had_converged_would_not(seed: int) -> None:
    record = record_of(lambda done: falling(done * 4), lambda done: falling(done * 4) + 0.1, seed=seed)
    record.apply(finished(STEPS))
    assert hint_of(record) is None


def test_a_hint_does_not_flicker() -> None:
    """It changes a few times at most while a run over-fits, however often it is asked for."""
    full = record_of(falling, lambda done: 1.6 + 2.5 * math.exp(-9 * done) + 0.5 * max(0.0, done - 0.5))
    points = list(full.train)
    record = RunView()
    record.apply(started(STEPS))
    kinds: list[str | None] = []
    for point in points:
        record.apply(progress(point.step, point.mean))
        for one in full.measured:
            if one.step == point.step:
                record.apply(one)
        if kind_of(record) not in kinds[-1:]:
            kinds.append(kind_of(record))
    assert kinds == [None, "over_fitting"]


def test_the_noise_of_evaluations_is_estimated_beside_their_trend() -> None:
    chance = random.Random(0)
    losses = [3.0 - 0.05 * k + chance.gauss(0, 0.02) for k in range(60)]
    assert 0.01 < evaluation_noise(losses) < 0.04
    assert evaluation_noise([1.0, 2.0]) == 0.0


def test_the_loss_is_explained_beside_guessing() -> None:
    record = RunView()
    assert explanation(record, None) == ""
    record.apply(started(10))
    assert explanation(record, math.log(8)) == (
        "now as if choosing among 8 characters; guessing 1 of 65 = ln 65 = 4.17"
    )


def test_the_banner_reports_a_step_that_was_not_finite_until_the_next_evaluation() -> None:
    record = RunView()
    assert banner(record) == ""
    record.apply_all([started(100), progress(10, 2.0), StepSkipped(step=11)])
    assert banner(record).startswith("NaN: step 11 was skipped")
    record.apply(RolledBack(step=12, to_step=5))
    assert "rolled back to step 5" in banner(record)
    record.apply(evaluated(20, 1.9))
    assert banner(record) == ""
    record.failure = "it failed"
    assert banner(record) == "it failed"
