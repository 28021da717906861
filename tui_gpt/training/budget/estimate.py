"""Finds out before the first step what a run needs: time per step, ensemble members, memory.

A run whose time budget is too short to be useful is refused here, with a budget that is enough.
"""

import math
from collections.abc import Callable

from tui_gpt.config import RunConfig, TrainConfig
from tui_gpt.control import Control
from tui_gpt.errors import ConfigError, CorpusError
from tui_gpt.formatting import format_duration
from tui_gpt.prior.orders import validation_loss
from tui_gpt.prior.sizing import capped_order, counting_seconds
from tui_gpt.requests import Estimate
from tui_gpt.text.corpora import unscanned_bytes
from tui_gpt.text.dataset import Corpus
from tui_gpt.text.large.beginning import read_beginning
from tui_gpt.text.split import Split
from tui_gpt.text.windows import record_tokens
from tui_gpt.training.budget.calibration import StepTime, time_step
from tui_gpt.training.budget.memory import MemoryLimits, members_that_fit, require_memory
from tui_gpt.training.budget.planner import Costs, Planner, evaluation_seconds
from tui_gpt.training.budget.precision_trial import with_measured_precision
from tui_gpt.training.budget.sizing import MAX_MEMBERS, choose_members, needs_sizing
from tui_gpt.training.compute.device import ComputeDevice

CALIBRATION_FRACTION = 0.01
"""Fraction of a time budget for timing whole steps."""
MAX_CALIBRATION_SECONDS = 1.5
SHORT_BUDGET = 20.0
"""Seconds below which a budget may hold fewer than MIN_STEPS steps."""
MIN_STEPS = 8
"""Steps that a time budget must hold, so that its chart shows a curve."""
UNTIMED = StepTime(1.0, 0)
"""Used where no time budget needs the time of a step."""
SAMPLE_BYTES = 16 << 20
"""Bytes of a text that an estimate reads at most."""
PREPARING_SECONDS_PER_BYTE = 20e-9
"""Time to read and to tokenize a large text."""
IMPORT_SECONDS = 3.0
"""Time to import PyTorch, which an estimate adds because it is made where PyTorch is imported already."""

_ngram_losses: dict[tuple[str, int, int], float] = {}
"""The last validation loss of an n-gram prior, by text, training characters and order: the form asks at each change."""


def size_run(
    config: RunConfig,
    corpus: Corpus,
    compute: ComputeDevice,
    control: Control,
    elapsed: Callable[[], float],
    max_members: int = MAX_MEMBERS,
) -> tuple[RunConfig, StepTime]:
    """Return `config` with its number of ensemble members, and the time of a step, measured only for a time budget.

    Raises ConfigError where the run does not fit into memory or its time budget.
    """
    vocab_size, replicas = corpus.tokenizer.vocab_size, compute.replica_count(config.train)
    limits = MemoryLimits.of(compute.capabilities, compute.precision)
    if needs_sizing(config):
        max_members = members_that_fit(config, vocab_size, replicas, max_members, limits)
    require_memory(config, vocab_size, replicas, limits)
    step = UNTIMED
    if config.train.max_seconds is not None:
        step = calibrate(config, corpus, compute, control, config.train.max_seconds)
    if needs_sizing(config):
        config = choose_members(config, step.seconds, len(corpus.train), max_members)
        step = StepTime(step.seconds * config.model.networks, step.parameters * config.model.networks)
    if config.train.max_seconds is not None:
        _require_steps(config, corpus, step.seconds, elapsed())
    return config, step


def calibrate(
    config: RunConfig, corpus: Corpus, compute: ComputeDevice, control: Control, budget_seconds: float | None
) -> StepTime:
    """Return the time of a step, measured in a small fraction of the budget and at most MAX_CALIBRATION_SECONDS."""
    control.report("timing steps")
    limit = MAX_CALIBRATION_SECONDS if budget_seconds is None else CALIBRATION_FRACTION * budget_seconds
    return time_step(config, corpus, compute, control, min(limit, MAX_CALIBRATION_SECONDS))


def _steps_in_time(config: RunConfig, corpus: Corpus, step_seconds: float, elapsed: float) -> int:
    """Return how many steps the time budget holds after set-up; 0 or less if there is no time for one."""
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
    min_steps = min(MIN_STEPS if seconds >= SHORT_BUDGET else 1, config.train.max_iters or MIN_STEPS)
    steps = _steps_in_time(config, corpus, step_seconds, elapsed)
    if steps >= min_steps:
        return
    spent = elapsed + counting_seconds(config, len(corpus.train))
    enough = _rounded_up(max(SHORT_BUDGET, (spent + (MIN_STEPS + 2) * step_seconds) / 0.85))
    holds = "not one step fits" if steps < 1 else "only one step fits" if steps == 1 else f"only {steps} steps fit"
    raise ConfigError(
        f"max_seconds is {seconds:g}, and {holds} into that here: set-up takes about {format_duration(spent)} and a "
        f"step of this model {step_seconds:.1f} s: choose --max-seconds {enough}"
        f"{_smaller_batch(config, step_seconds) if spent < seconds / 2 else ''}"
    )


def _smaller_batch(config: RunConfig, step_seconds: float) -> str:
    """Return another remedy for slow steps, if there is one."""
    if config.train.batch_size < 2 or step_seconds < 1.0:
        return ""
    if config.preset in ("classic", "best"):
        return ", a smaller --batch-size, or --preset quick"
    return " or a smaller --batch-size"


def _rounded_up(seconds: float) -> int:
    """Return a round number of seconds: 20, 30, 60, 120, 180 …"""
    unit = 10 if seconds <= 60 else 60
    return math.ceil(seconds / unit) * unit


def estimate(config: RunConfig, control: Control) -> Estimate:
    """Return the time, steps and parameters of such a run on this machine. Raises TuiGptError."""
    corpus, scale = _corpus_to_estimate(config)
    train_tokens = round(len(corpus.train) * scale)
    compute = ComputeDevice.of(config.train)
    compute = with_measured_precision(config, corpus, compute, control)
    unprepared = 0 if config.model.reads_bytes else unscanned_bytes(config.corpus)
    begun = IMPORT_SECONDS + PREPARING_SECONDS_PER_BYTE * unprepared
    config, step = size_run(config, corpus, compute, control, lambda: begun)
    if config.train.max_seconds is None:
        step = calibrate(config, corpus, compute, control, None)
    iterations = config.train.max_iters
    set_up = begun + counting_seconds(config, train_tokens)
    if config.train.max_seconds is not None:
        fitting = max(1, _steps_in_time(config, corpus, step.seconds, begun))
        iterations = fitting if iterations is None else min(iterations, fitting)
    assert iterations is not None
    seconds = min(config.train.max_seconds or math.inf, set_up + iterations * step.seconds)
    return Estimate(
        seconds=seconds,
        iterations=iterations,
        parameters=step.parameters,
        train_tokens=train_tokens,
        tokenizer=corpus.tokenizer.kind,
        ngram_loss=_ngram_loss(config, corpus, control),
    )


def _corpus_to_estimate(config: RunConfig) -> tuple[Corpus, float]:
    """Return the text, or the beginning of a large one, and how many times as long all of it is."""
    as_bytes = config.model.reads_bytes
    text, fraction = read_beginning(config.corpus, SAMPLE_BYTES, as_bytes=as_bytes)
    split = Split.of(config.train) if config.train.val_file is None else _beginning_split(config.train, as_bytes)
    return Corpus.of(config.model, text, split), 1.0 / fraction


def _beginning_split(config: TrainConfig, as_bytes: bool) -> Split:
    """Return the split with a validation text, of which the beginning is read. Raises CorpusError."""
    assert config.val_file is not None
    try:
        validation, _ = read_beginning(config.val_file, SAMPLE_BYTES, as_bytes=as_bytes)
    except CorpusError as error:
        raise CorpusError(f"val_file: {error}") from error
    return Split(config.val_share, validation, config.seed if config.shuffle_documents else None)


def _ngram_loss(config: RunConfig, corpus: Corpus, control: Control) -> float | None:
    """Return the validation loss of the run's n-gram prior alone; None where it has none, or is not waited for."""
    if config.model.ngram_order == 0 or control.stop_requested:
        return None
    control.report("counting n-grams")
    order = capped_order(config.model.ngram_order, corpus.tokenizer.vocab_size)
    key = corpus.digest, len(corpus.train), order
    if key not in _ngram_losses:
        _ngram_losses.clear()
        _ngram_losses[key] = validation_loss(corpus, order)
    return _ngram_losses[key]
