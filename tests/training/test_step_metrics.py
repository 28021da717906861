"""The mean loss, the gradient norm and the speed between two progress events."""

import pytest
import torch

from tests.training.fakes import ManualClock
from tui_gpt.training.clock import RunClock
from tui_gpt.training.state import TrainerState
from tui_gpt.training.step_metrics import StepMetrics


class Measuring:
    """Metrics of a run whose steps take a second each."""

    def __init__(self, state: TrainerState | None = None) -> None:
        self.state = state or TrainerState(max_iters=100)
        self.clock = ManualClock()
        self.metrics = StepMetrics(self.state, RunClock(self.clock), torch.device("cpu"))

    def step(self, loss: float, grad_norm: float = 1.0) -> None:
        self.metrics.add(torch.tensor(loss), torch.tensor(grad_norm))
        self.state.step += 1
        self.clock.now += 1.0


def test_progress_is_the_mean_since_the_last_one() -> None:
    run = Measuring()
    for loss in (4.0, 2.0):
        run.step(loss, grad_norm=loss / 2)
    first = run.metrics.progress(1e-3, tokens_per_step=64)
    assert (first.step, first.loss, first.grad_norm, first.learning_rate) == (2, 3.0, 1.0, 1e-3)
    assert (first.tokens_per_second, first.elapsed_seconds) == (64.0, 2.0)
    run.step(1.0)
    assert run.metrics.progress(1e-3, tokens_per_step=64).loss == 1.0


def test_progress_is_due_at_its_interval_and_at_the_end_if_there_was_a_good_step() -> None:
    run = Measuring(TrainerState(max_iters=3))
    run.step(1.0)
    assert not run.metrics.is_due(2)
    run.step(1.0)
    assert run.metrics.is_due(2)
    run.step(1.0)
    assert run.metrics.is_due(2)
    run.metrics.progress(1e-3, 1)
    assert not run.metrics.is_due(1)


def test_a_resumed_run_continues_the_mean_of_the_interrupted_one() -> None:
    run = Measuring()
    run.step(4.0, grad_norm=3.0)
    run.metrics.store()
    resumed = Measuring(run.state)
    resumed.step(2.0)
    assert resumed.metrics.progress(1e-3, 1).loss == 3.0


def test_a_step_that_was_skipped_counts_for_neither_loss_nor_norm() -> None:
    run = Measuring()
    run.step(4.0, grad_norm=3.0)
    run.state.step += 1
    progress = run.metrics.progress(1e-3, 1)
    assert (progress.loss, progress.grad_norm) == (4.0, 3.0)


@pytest.mark.parametrize("restart", [False, True])
def test_the_time_of_an_evaluation_or_a_pause_does_not_slow_the_speed(restart: bool) -> None:
    run = Measuring()
    run.clock.now += 100.0
    if restart:
        run.metrics.restart_timing()
    else:
        run.metrics.exclude(100.0)
    run.step(1.0)
    assert run.metrics.progress(1e-3, tokens_per_step=64).tokens_per_second == 64.0
