"""One bad step is skipped, the second rolls back, the third ends the run."""

import math

import pytest
import torch

from tests.training.fakes import settings_of, snapshot_of
from tests.training.workbench import TRAIN
from tui_gpt.errors import DivergedError
from tui_gpt.events import RolledBack, SettingChanged, StepSkipped
from tui_gpt.training.checkpoints.copies import Tensors
from tui_gpt.training.nan_guard import NanGuard
from tui_gpt.training.settings import RunSettings
from tui_gpt.training.state import TrainerState


class Guarded:
    """A guard, its run's state, and the weights that were restored."""

    def __init__(self, step: int = 0) -> None:
        self.state = TrainerState(step=step)
        self.settings: RunSettings = settings_of(self.state)
        self.restored: list[float] = []
        self.guard = NanGuard(
            self.state, self.settings, take_snapshot=lambda: snapshot_of(self.state), restore=self._restore
        )

    def _restore(self, weights: Tensors, training: Tensors) -> None:
        self.restored.append(float(weights["weight"]))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_step_is_bad_if_its_loss_or_its_gradient_is_not_finite(bad: float) -> None:
    guard, good = Guarded().guard, torch.tensor(1.0)
    assert guard.is_finite(good, good)
    assert not guard.is_finite(torch.tensor(bad), good)
    assert not guard.is_finite(good, torch.tensor(bad))


def test_the_first_bad_step_is_skipped() -> None:
    run = Guarded(step=6)
    assert run.guard.handle_bad_step(7) == [StepSkipped(step=7)]
    assert run.restored == []


def test_the_second_bad_step_rolls_back_at_half_the_learning_rate() -> None:
    run = Guarded(step=5)
    run.guard.remember()
    run.state.step, run.state.bad_steps = 8, 1
    rate = TRAIN.learning_rate / 2
    assert run.guard.handle_bad_step(9) == [
        RolledBack(step=9, to_step=5),
        SettingChanged(step=9, setting="learning_rate", value=rate, origin="trainer"),
    ]
    assert run.restored == [5.0]
    assert run.settings.config.learning_rate == rate


def test_the_third_bad_step_ends_the_run() -> None:
    run = Guarded(step=9)
    run.state.bad_steps = 2
    with pytest.raises(DivergedError, match="third time, at step 10"):
        run.guard.handle_bad_step(10)


def test_a_learning_rate_of_the_user_resets_the_count() -> None:
    run = Guarded(step=9)
    run.state.bad_steps = 2
    run.settings.change({"learning_rate": 1e-4})
    assert run.guard.handle_bad_step(10) == [StepSkipped(step=10)]


def test_the_start_is_remembered_only_by_a_run_that_has_nothing_to_return_to() -> None:
    run = Guarded(step=3)
    run.guard.remember()
    run.state.step = 4
    run.guard.remember_start()
    assert run.state.good_step == 3


def test_a_snapshot_to_return_to_is_none_while_it_is_the_current_state() -> None:
    run = Guarded(step=3)
    run.guard.remember()
    assert run.guard.good is None
    run.state.step = 4
    assert run.guard.good is not None
    assert run.guard.good.state.step == 3
