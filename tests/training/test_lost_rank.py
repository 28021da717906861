"""A rank is lost while another one trains: the step that was reached is saved, and nothing else of it is left."""

import dataclasses
from collections.abc import Mapping

import pytest
from torch import Tensor

from tests.training.workbench import MODEL, TRAIN, Workbench, learning_log, same_weights
from tui_gpt.errors import RankLostError
from tui_gpt.events import Event
from tui_gpt.training.step_gradients import Step, StepGradients


class FragileGradients:
    """The gradients of one process, until a rank is lost: in the middle of step `lost_at`, or between two steps."""

    def __init__(self, whole: StepGradients, lost_at: int, *, in_step: bool) -> None:
        self._whole = whole
        self._lost_at = lost_at
        self._in_step = in_step
        self._is_lost = False
        self.replaced = 0

    def accumulate(self, step: Step) -> Tensor:
        loss = self._whole.accumulate(step)
        self._is_lost = step.number == self._lost_at
        if self._in_step:
            self.require_ranks()
        return loss

    def replace_state(self, weights: Mapping[str, Tensor], training: Mapping[str, Tensor]) -> None:
        self.replaced += 1

    def close(self) -> None:
        self._whole.close()

    def require_ranks(self) -> None:
        if self._is_lost:
            raise RankLostError("another process of this run was lost")


def with_fragile_gradients(bench: Workbench, lost_at: int, *, in_step: bool) -> FragileGradients:
    fragile = FragileGradients(bench.parts.gradients, lost_at, in_step=in_step)
    bench.trainer._components = dataclasses.replace(bench.parts, gradients=fragile)
    return fragile


@pytest.mark.parametrize(("in_step", "saved"), [(True, 7), (False, 8)])
def test_the_step_that_was_reached_is_saved_and_resumed_exactly(in_step: bool, saved: int) -> None:
    """With dropout: an incomplete step has drawn nothing."""
    whole = Workbench()
    expected = learning_log(whole.run())
    bench, events = Workbench(), list[Event]()
    with_fragile_gradients(bench, 7, in_step=in_step)
    with pytest.raises(RankLostError):
        events.extend(bench.trainer.run())
    snapshot = bench.checkpoints["last"][-1]
    assert snapshot.state.step == saved
    resumed = Workbench(MODEL, TRAIN, snapshot=snapshot)
    later = [entry for entry in expected if isinstance(entry[1], int) and entry[1] > saved]
    assert learning_log(resumed.run()) == later
    assert same_weights(resumed.weights, whole.weights)


def test_a_roll_back_takes_the_other_ranks_along() -> None:
    bench = Workbench()
    fragile = with_fragile_gradients(bench, -1, in_step=True)
    bench.guard.remember_start()
    bench.state.bad_steps = 1
    bench.guard.handle_bad_step(1)
    assert fragile.replaced == 1
