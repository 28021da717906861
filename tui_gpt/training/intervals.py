"""When a run reports its progress, evaluates and samples: arithmetic on the settings and the state.

Without a time budget the intervals are those of the settings. With one they are shorter where the budget holds few
steps, so that every run shows its course: at least 100 progress events, 10 evaluations and 4 samples.
"""

import math

from tui_gpt.config import TrainConfig
from tui_gpt.training.budget.planner import EVALUATIONS
from tui_gpt.training.state import TrainerState

MIN_PROGRESS_EVENTS = 100
"""Progress events of a run with a time budget, if it has that many steps."""
MIN_SAMPLES = 4
"""Samples of a run with a time budget."""
MIN_REMAINING_FRACTION = 0.1
"""An evaluation with fewer steps left than this fraction of eval_interval is left to the one at the end."""


def log_interval(config: TrainConfig, state: TrainerState) -> int:
    """Return the steps between two progress events."""
    if config.max_seconds is None:
        return config.log_interval
    return min(config.log_interval, max(1, state.max_iters // MIN_PROGRESS_EVENTS))


def sample_interval(config: TrainConfig, state: TrainerState) -> int:
    """Return the steps between two samples; 0 for no samples."""
    if config.max_seconds is None:
        return config.sample_interval
    return min(config.sample_interval, math.ceil(state.max_iters / MIN_SAMPLES))


def is_sample_due(config: TrainConfig, state: TrainerState) -> bool:
    """Return whether to write a sample after the current step."""
    interval = sample_interval(config, state)
    if not interval or state.step in (0, state.sampled_step):
        return False
    if config.max_seconds is None:
        return state.step % interval == 0
    return state.step - state.sampled_step >= interval


def is_evaluation_due(config: TrainConfig, state: TrainerState) -> bool:
    """Return whether to evaluate after the current step: at every interval and at the end, but not shortly before it.

    With a time budget the interval is a tenth of the budget's steps.
    """
    if state.step in (0, state.evaluated_step):
        return False
    left = state.max_iters - state.step
    if left <= 0:
        return True
    if config.max_seconds is None:
        return state.step % config.eval_interval == 0 and left >= config.eval_interval * MIN_REMAINING_FRACTION
    interval = max(1.0, (state.max_iters - state.budget_step) / EVALUATIONS)
    is_time = (state.step - state.budget_step) / interval >= state.budget_evaluations + 1
    return is_time and state.step - state.evaluated_step >= interval / 2 and left >= interval / 2
