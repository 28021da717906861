"""What a run will take, found out before its first step: time per step, number of networks, memory.

A run that cannot do anything useful within its time budget is refused here, with what would fit.
"""

import math
from collections.abc import Callable

from tui_gpt.config import RunConfig
from tui_gpt.control import Control
from tui_gpt.errors import ConfigError
from tui_gpt.formatting import format_duration
from tui_gpt.prior.sizing import counting_seconds
from tui_gpt.requests import Estimate
from tui_gpt.text.corpora import read_corpus
from tui_gpt.text.dataset import Corpus
from tui_gpt.text.split import Split
from tui_gpt.text.windows import record_tokens
from tui_gpt.training.budget.calibration import StepTime, time_step
from tui_gpt.training.budget.memory import members_that_fit, require_memory
from tui_gpt.training.budget.planner import Costs, Planner, evaluation_seconds
from tui_gpt.training.budget.sizing import MAX_MEMBERS, needs_sizing, sized
from tui_gpt.training.device import ComputeDevice

CALIBRATION_SHARE = 0.01
"""Of a time budget, for trying whole steps."""
MOST_CALIBRATION_SECONDS = 1.5
SHORT_BUDGET = 20.0
"""Seconds below which a budget may hold less than FEWEST_STEPS."""
FEWEST_STEPS = 8
"""Steps that a time budget must hold, so that its course can be seen."""
UNTIMED = StepTime(1.0, 0)
"""Where no time budget needs to know."""
IMPORT_SECONDS = 3.0
"""Loading PyTorch, for an estimate made where it is loaded already."""


def planned(
    config: RunConfig,
    corpus: Corpus,
    world: ComputeDevice,
    control: Control,
    elapsed: Callable[[], float],
    most_members: int = MAX_MEMBERS,
) -> tuple[RunConfig, StepTime]:
    """Return `config` with its number of networks, and what a step takes, which is tried only for a time budget.

    Raises ConfigError where the run does not fit into memory or its time budget.
    """
    vocab_size, replicas = corpus.tokenizer.vocab_size, world.shards(config.train)
    if needs_sizing(config):
        most_members = members_that_fit(config, vocab_size, replicas, most_members)
    require_memory(config, vocab_size, replicas)
    step = UNTIMED
    if config.train.max_seconds is not None:
        step = timed(config, corpus, world, control, config.train.max_seconds)
    if needs_sizing(config):
        config = sized(config, step.seconds, len(corpus.train), most_members)
        step = StepTime(step.seconds * config.model.networks, step.parameters * config.model.networks)
    if config.train.max_seconds is not None:
        _require_steps(config, corpus, step.seconds, elapsed())
    return config, step


def timed(
    config: RunConfig, corpus: Corpus, world: ComputeDevice, control: Control, budget_seconds: float | None
) -> StepTime:
    """Return what a step takes, tried for a small part of a budget and at most MOST_CALIBRATION_SECONDS."""
    control.report("timing steps")
    limit = MOST_CALIBRATION_SECONDS if budget_seconds is None else CALIBRATION_SHARE * budget_seconds
    return time_step(config, corpus, world, control, min(limit, MOST_CALIBRATION_SECONDS))


def _steps_in_time(config: RunConfig, corpus: Corpus, step_seconds: float, elapsed: float) -> int:
    """Return how many steps the time budget holds after set-up; 0 or less where there is not even time for one."""
    assert config.train.max_seconds is not None
    planner = _planner(config, corpus, step_seconds)
    tokens = planner.estimate_tokens()
    used = elapsed + counting_seconds(config, len(corpus.train))
    return planner.plan(0, used, tokens, least=0)


def _planner(config: RunConfig, corpus: Corpus, step_seconds: float) -> Planner:
    tokens = config.train.batch_size * config.train.gradient_accumulation * config.model.block_size
    costs = Costs(step=step_seconds, token=evaluation_seconds(step_seconds, tokens))
    record = record_tokens(len(corpus.val), config.model.block_size)
    return Planner(config.train.max_seconds or math.inf, 0.0, record, costs)


def _require_steps(config: RunConfig, corpus: Corpus, step_seconds: float, elapsed: float) -> None:
    seconds = config.train.max_seconds
    assert seconds is not None
    fewest = min(FEWEST_STEPS if seconds >= SHORT_BUDGET else 1, config.train.max_iters or FEWEST_STEPS)
    steps = _steps_in_time(config, corpus, step_seconds, elapsed)
    if steps >= fewest:
        return
    spent = elapsed + counting_seconds(config, len(corpus.train))
    enough = _rounded_up(max(SHORT_BUDGET, (spent + (FEWEST_STEPS + 2) * step_seconds) / 0.85))
    holds = "not one step fits" if steps < 1 else "only one step fits" if steps == 1 else f"only {steps} steps fit"
    raise ConfigError(
        f"max_seconds is {seconds:g}, and {holds} into that here: set-up takes about {format_duration(spent)} and a "
        f"step of this model {step_seconds:.1f} s: choose --max-seconds {enough}"
        f"{_smaller_batch(config, step_seconds) if spent < seconds / 2 else ''}"
    )


def _smaller_batch(config: RunConfig, step_seconds: float) -> str:
    """Return one more remedy for slow steps, if there is one."""
    if config.train.batch_size < 2 or step_seconds < 1.0:
        return ""
    if config.preset in ("classic", "best"):
        return ", a smaller --batch-size, or --preset quick"
    return " or a smaller --batch-size"


def _rounded_up(seconds: float) -> int:
    """Return a number of seconds that reads well: 20, 30, 60, 120, 180 ..."""
    unit = 10 if seconds <= 60 else 60
    return math.ceil(seconds / unit) * unit


def estimate(config: RunConfig, control: Control) -> Estimate:
    """Return what such a run will take on this machine, as `planned` finds it. Raises TuiGptError."""
    corpus = Corpus.build(read_corpus(config.corpus), config.model.block_size, split=Split.of(config.train))
    world = ComputeDevice.of(config.train)
    config, step = planned(config, corpus, world, control, lambda: IMPORT_SECONDS)
    if config.train.max_seconds is None:
        step = timed(config, corpus, world, control, None)
    iterations = config.train.max_iters
    set_up = IMPORT_SECONDS + counting_seconds(config, len(corpus.train))
    if config.train.max_seconds is not None:
        fitting = max(1, _steps_in_time(config, corpus, step.seconds, IMPORT_SECONDS))
        iterations = fitting if iterations is None else min(iterations, fitting)
    assert iterations is not None
    seconds = min(config.train.max_seconds or math.inf, set_up + iterations * step.seconds)
    return Estimate(seconds=seconds, iterations=iterations, parameters=step.parameters, train_tokens=len(corpus.train))
