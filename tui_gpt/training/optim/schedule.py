"""The learning rate of each step, a pure function of the step and the settings."""

import math

from tui_gpt.config import Schedule, TrainConfig


def learning_rate_at(step: int, max_iters: int, config: TrainConfig) -> float:
    """Return the learning rate of the step that follows `step` steps: linear warm-up, then the schedule's decay.

    `linear` with min_lr_ratio 0 would reach exactly zero on the step after the last one. A run shorter than ten
    warm-ups warms up for a tenth of its steps.
    """
    warmup = min(config.warmup_iters, max_iters // 10)
    if step < warmup:
        return config.learning_rate * (step + 1) / (warmup + 1)
    progress = min(1.0, (step - warmup) / max(1, max_iters - warmup))
    return config.learning_rate * _decay(config.schedule, progress, config.min_lr_ratio)


def _decay(schedule: Schedule, progress: float, floor: float) -> float:
    if schedule == "constant":
        return 1.0
    if schedule == "linear":
        return floor + (1.0 - floor) * (1.0 - progress)
    return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * progress))
