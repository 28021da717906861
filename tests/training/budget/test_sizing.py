"""The number of networks is what the time allows, and no more than improves the loss."""

import pytest

from tui_gpt.config import RunConfig, resolve
from tui_gpt.training.budget.sizing import EPOCHS_PER_NETWORK, MAX_EPOCHS, MAX_MEMBERS, choose_members, needs_sizing

TOKENS = 100 * 8 * 256
"""A hundred steps' worth."""


def members(config: RunConfig, step_seconds: float = 0.1) -> int:
    return choose_members(config, step_seconds, TOKENS).model.members


@pytest.mark.parametrize(
    ("epochs", "count"),
    [
        (0.1, 1),
        (EPOCHS_PER_NETWORK, 1),
        (2.01 * EPOCHS_PER_NETWORK, 2),
        (5.01 * EPOCHS_PER_NETWORK, 5),
        (1e6, MAX_MEMBERS),
    ],
)
def test_each_network_is_trained_for_enough_epochs_before_there_is_another(epochs: float, count: int) -> None:
    assert members(resolve("quick", max_seconds=10.0 * epochs)) == count


def test_a_run_without_a_time_budget_has_one_network() -> None:
    assert members(resolve("quick", max_iters=100_000)) == 1


def test_time_that_would_only_over_fit_is_not_used() -> None:
    config = choose_members(resolve("quick", max_seconds=100_000), 0.1, TOKENS)
    assert config.train.max_iters == MAX_EPOCHS * 100
    assert choose_members(resolve("quick", max_seconds=60), 0.1, TOKENS).train.max_iters is None


def test_an_explicit_number_of_members_is_kept() -> None:
    assert not needs_sizing(resolve("best"))
    assert not needs_sizing(resolve("classic"))
    assert needs_sizing(resolve("quick"))
