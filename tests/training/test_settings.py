"""Settings change together or not at all."""

from typing import Any

import pytest

from tests.training.fakes import settings_of
from tests.training.workbench import TRAIN
from tui_gpt.errors import ConfigError
from tui_gpt.training.settings import RunSettings
from tui_gpt.training.state import TrainerState


def run_at(step: int) -> tuple[TrainerState, RunSettings]:
    state = TrainerState(step=step, max_iters=20, bad_steps=2)
    return state, settings_of(state)


def test_several_settings_change_together() -> None:
    state, settings = run_at(5)
    settings.change({"max_iters": 30, "learning_rate": 1e-4})
    assert (settings.config.max_iters, settings.config.learning_rate) == (30, 1e-4)
    assert (state.max_iters, state.bad_steps) == (30, 0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"learning_rate": 50.0}, "learning_rate is 50"),
        ({"learning_rate": 1e-4, "n_embd": 3}, "n_embd cannot change during a run"),
        ({"learning_rate": 1e-4, "max_iters": 4}, "max_iters is 4 and 5 steps are done"),
        ({"max_iters": None}, "the run has no end"),
    ],
)
def test_an_impossible_change_leaves_everything_as_it_was(changes: dict[str, Any], words: str) -> None:
    state, settings = run_at(5)
    with pytest.raises(ConfigError, match=words):
        settings.change(changes)
    assert settings.config == TRAIN
    assert (state.max_iters, state.bad_steps) == (20, 2)


def test_half_the_learning_rate_keeps_all_other_settings_and_the_count_of_bad_steps() -> None:
    state, settings = run_at(5)
    settings.halve_learning_rate()
    assert settings.config.learning_rate == TRAIN.learning_rate / 2
    assert state.bad_steps == 2
