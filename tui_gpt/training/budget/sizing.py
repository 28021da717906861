"""How large a model the time allows: a few steps are timed, and the rest is arithmetic.

On a small text one network has learned what it can from little more than one reading; after that it learns the text by
heart, and its loss on other text rises. More time is then better spent on more networks (committee.py), each of which
reads the text as often as is good for it.
"""

import dataclasses

from tui_gpt.config import RunConfig

EPOCHS_PER_NETWORK = 1.25
"""How often each network should read the training text."""
MAX_MEMBERS = 8
"""Networks beyond which one more is hardly worth its time."""
MAX_EPOCHS = 2.0
"""How often each may read it, where there is time for more than the most networks need."""
FEWEST_STEPS = 100
"""Steps that a run with several networks has at least: with fewer, one network learns more."""


def needs_sizing(config: RunConfig) -> bool:
    """Return whether the number of networks is left to the time."""
    return config.model.members == 0


def choose_members(config: RunConfig, step_seconds: float, train_tokens: int, most: int = MAX_MEMBERS) -> RunConfig:
    """Return `config` with as many networks, up to `most`, as its time allows, `step_seconds` being what one network
    takes for a step.

    Where there is time for more than the most, the number of steps is limited instead.
    """
    train = config.train
    tokens_per_step = train.batch_size * train.gradient_accumulation * config.model.block_size
    steps_per_epoch = max(1.0, train_tokens / tokens_per_step)
    members = 1
    if train.max_seconds is not None:
        steps = max(EPOCHS_PER_NETWORK * steps_per_epoch, FEWEST_STEPS)
        members = int(train.max_seconds / step_seconds / steps)
    if members > most and train.max_iters is None:
        train = dataclasses.replace(train, max_iters=max(round(MAX_EPOCHS * steps_per_epoch), FEWEST_STEPS))
    members = max(1, min(members, most))
    return dataclasses.replace(config, model=dataclasses.replace(config.model, members=members), train=train)
