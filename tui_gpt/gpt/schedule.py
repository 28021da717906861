"""When: the learning rate of each step, and how many steps fit into a time budget.

All of it is arithmetic on numbers that are passed in, the clock's included, so that a schedule can be tested in no
time.
"""

import math
from dataclasses import dataclass

from tui_gpt.config import Schedule, TrainConfig


def learning_rate_at(step: int, max_iters: int, config: TrainConfig) -> float:
    """The rate of the step after `step` steps are done: a linear climb, then the schedule's descent.

    `linear` with min_lr_ratio 0 would reach exactly zero on the step after the last.
    """
    warmup = min(config.warmup_iters, max_iters // 10)
    if step < warmup:
        return config.learning_rate * (step + 1) / (warmup + 1)
    share_done = min(1.0, (step - warmup) / max(1, max_iters - warmup))
    return config.learning_rate * _decay(config.schedule, share_done, config.min_lr_ratio)


def _decay(schedule: Schedule, share_done: float, floor: float) -> float:
    if schedule == "constant":
        return 1.0
    if schedule == "linear":
        return floor + (1.0 - floor) * (1.0 - share_done)
    return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * share_done))


def is_replanning_step(steps_done: int, max_iters: int) -> bool:
    """Whether to look at the clock after so many steps: 1, 2, 4, 8 ..., each twentieth of the run, and its end."""
    if steps_done & (steps_done - 1) == 0 or steps_done >= max_iters:
        return steps_done > 0
    return steps_done % max(8, max_iters // 20) == 0


@dataclass(frozen=True)
class TimeBudget:
    """Seconds that a run may take, and the most steps it may make in them."""

    seconds: float
    max_iters: int | None = None

    def plan(
        self,
        step: int,
        elapsed_seconds: float,
        step_seconds: float,
        evaluation_seconds: float,
        eval_interval: int,
    ) -> int:
        """The step at which to end so that the evaluations, the last one included, fit in as well; above `step`."""
        left = self.seconds - elapsed_seconds - evaluation_seconds
        with_share_of_evaluation = step_seconds + evaluation_seconds / eval_interval
        planned = step + max(1, int(left / max(with_share_of_evaluation, 1e-9)))
        return planned if self.max_iters is None else min(planned, max(self.max_iters, step + 1))


def is_worth_changing(planned: int, max_iters: int, step: int) -> bool:
    """Whether a new plan differs enough from the old one, by one part in twenty of the steps left, to be announced."""
    return abs(planned - max_iters) > max(1, (max_iters - step) // 20)
