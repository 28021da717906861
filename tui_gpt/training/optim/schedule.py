"""The learning rate of each step: arithmetic on numbers that are passed in."""

import math

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
