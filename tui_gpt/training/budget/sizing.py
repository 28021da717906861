"""Chooses the number of ensemble members that fit a time budget.

On a small text one network over-fits after little more than one epoch. More time is then better spent on more networks
(models/ensemble.py), each trained for the number of epochs that is best for it.
"""

import dataclasses

from tui_gpt.config import RunConfig

EPOCHS_PER_NETWORK = 1.25
"""Epochs that each network is trained for."""
MAX_MEMBERS = 8
"""Members of the largest ensemble: another one would gain too little for its time."""
MAX_EPOCHS = 2.0
"""Epochs after which the largest ensemble stops, if there is time for more."""
MIN_STEPS = 100
"""Steps below which one network learns more than an ensemble."""


def needs_sizing(config: RunConfig) -> bool:
    """Return whether the number of members is to be chosen by the time budget."""
    return config.model.members == 0


def choose_members(config: RunConfig, step_seconds: float, train_tokens: int, most: int = MAX_MEMBERS) -> RunConfig:
    """Return `config` with the number of members that its time budget allows, at most `most`.

    `step_seconds` is the time of a step of one network. Where there is time for more than `most` members, the number of
    steps is limited instead.
    """
    train = config.train
    tokens_per_step = train.batch_size * train.gradient_accumulation * config.model.block_size
    steps_per_epoch = max(1.0, train_tokens / tokens_per_step)
    members = 1
    if train.max_seconds is not None:
        steps = max(EPOCHS_PER_NETWORK * steps_per_epoch, MIN_STEPS)
        members = int(train.max_seconds / step_seconds / steps)
    if members > most and train.max_iters is None:
        train = dataclasses.replace(train, max_iters=max(round(MAX_EPOCHS * steps_per_epoch), MIN_STEPS))
    members = max(1, min(members, most))
    return dataclasses.replace(config, model=dataclasses.replace(config.model, members=members), train=train)
