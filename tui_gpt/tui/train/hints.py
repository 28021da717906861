"""Plain-language hints on a run, computed from its record alone: what the curves show, and which key acts on it.

Every hint needs evidence that is larger than the noise of the measurements, which is estimated from their own scatter.
Evidence is only looked at when a fortieth of the run has passed or a model was evaluated, so a hint does not flicker.
"""

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tui_gpt.events import Evaluated
from tui_gpt.keys import DEFAULT_KEYMAP, Keymap
from tui_gpt.metrics import perplexity
from tui_gpt.tui.train.record import RunView

HintKind = Literal["rate_too_high", "over_fitting", "flat", "longer"]

_BLOCKS = 40
"""Parts that a run is divided into."""
_POINTS_PER_BLOCK = 16
_MIN_BLOCKS = 8
_MIN_EVALUATIONS = 4
_LEAST_RISE = 0.15
"""By how much the training loss must have risen, in nats, to be called rising."""
_LEAST_GAIN = 0.01
"""A difference of validation losses, in nats, that matters."""
_SIGMAS = 4.0
_FLAT_BLOCKS = 12
_FLAT_FALL = 0.03
"""A fall of the training loss over these blocks, in nats, below which it is flat."""
_LATER_EVALUATIONS = 3
_RECENT = 0.25
"""The fraction of a run for which a step that was not finite counts."""
_LATE = 0.9
"""The fraction of a run after which a flat loss needs no action."""
_LOW_RATE = 0.5
"""A learning rate below this fraction of its peak counts as lowered."""


@dataclass(frozen=True)
class Hint:
    """What the curves show, and what to do."""

    kind: HintKind
    words: str


@dataclass(frozen=True)
class Block:
    """The mean of the training loss over a part of the run, and its standard error."""

    step: int
    mean: float
    error: float


def evidence_of(record: RunView) -> tuple[object, ...]:
    """Return what changes whenever the hint on a run may change: there is no need to look for one before."""
    block = record.step * _BLOCKS // max(1, record.max_iters, record.step if not record.is_live else 1)
    seen = (len(record.measured), len(record.problems), record.rate_changed_at)
    return id(record), block, *seen, record.is_live, record.finished is None


def hint_of(record: RunView, keys: Keymap = DEFAULT_KEYMAP) -> Hint | None:
    """Return the most important hint on a run, with the keys that act on it; None without evidence."""
    for find in (_rate_too_high, _over_fitting, _flat, _longer):
        hint = find(record)
        if hint is not None:
            return Hint(hint.kind, keys.fill(hint.words))
    return None


# Measurements


def blocks_of(record: RunView) -> list[Block]:
    """Return the complete blocks of the training loss: equal parts of the planned steps."""
    width = max(1, max(record.max_iters, record.step) // _BLOCKS)
    blocks: list[Block] = []
    found = record.train.buckets(0, record.step, _BLOCKS * _POINTS_PER_BLOCK)
    pairs = zip(found.steps, found.means, strict=True)
    for index, points in itertools.groupby(pairs, key=lambda pair: (pair[0] - 1) // width):
        means = [mean for _, mean in points]
        end = (index + 1) * width
        if len(means) >= 3 and end <= record.step:
            blocks.append(Block(end, statistics.fmean(means), _error(means)))
    return blocks


def _error(values: Sequence[float]) -> float:
    """Return the standard error of a mean, from differences of neighbours, so that a trend is not counted as noise."""
    differences = [b - a for a, b in itertools.pairwise(values)]
    return math.sqrt(statistics.fmean(d * d for d in differences) / 2 / len(values))


def comparable_evaluations(record: RunView) -> list[Evaluated]:
    """Return the evaluations of one kind, in the order of their steps: losses of record, or the estimates if more."""
    kinds = [[one for one in record.measured if one.is_estimate is kind] for kind in (False, True)]
    newest = {one.step: one for one in max(kinds, key=len)}
    return [newest[step] for step in sorted(newest)]


def evaluation_noise(losses: Sequence[float]) -> float:
    """Return the standard deviation of one validation loss about a smooth curve, from second differences."""
    bends = [abs(a - 2 * b + c) for a, b, c in zip(losses, losses[1:], losses[2:], strict=False)]
    return statistics.median(bends) / 0.6745 / math.sqrt(6) if bends else 0.0


# Hints


_LOWER = "{run.pause} pauses, {run.change_learning_rate} lowers"
_STOP = "{run.stop} stops, the best model is kept"


def _lower_the_rate(record: RunView) -> str:
    return f"{_LOWER} it" if record.is_live else "{run.new} sets a lower one"


def _rate_too_high(record: RunView) -> Hint | None:
    """Find steps that were not finite, or a training loss far above what it was before."""
    changed = record.rate_changed_at
    recent = record.step - _RECENT * max(record.max_iters, record.step)
    problems = [problem for problem in record.problems if problem.step > max(changed, recent)]
    if problems:
        seen = "a step was not finite" if len(problems) == 1 else f"{len(problems)} steps were not finite"
        return Hint("rate_too_high", f"{seen}, the rate may be too high: {_lower_the_rate(record)}")
    blocks = [block for block in blocks_of(record) if block.step > changed]
    if len(blocks) < 3:
        return None
    lowest = min(blocks[:-2], key=lambda block: block.mean)
    for block in blocks[-2:]:
        if block.mean - lowest.mean < _LEAST_RISE + _SIGMAS * (block.error + lowest.error):
            return None
    words = f"loss rising since step {lowest.step:,}, rate too high: {_lower_the_rate(record)}"
    return Hint("rate_too_high", words)


def _over_fitting(record: RunView) -> Hint | None:
    """Find a validation loss that rises while the training loss falls."""
    measured = comparable_evaluations(record)
    if len(measured) < _MIN_EVALUATIONS:
        return None
    best = min(measured, key=lambda one: one.val_loss)
    later = [one for one in measured if one.step > best.step]
    noise = evaluation_noise([one.val_loss for one in measured])
    margin = max(_LEAST_GAIN, _SIGMAS * noise)
    if len(later) < _LATER_EVALUATIONS:
        return None
    if any(one.val_loss - best.val_loss < margin for one in later[-_LATER_EVALUATIONS:]):
        return None
    if later[-1].train_loss >= best.train_loss:
        return None
    action = _STOP if record.is_live else "{run.generate} generates with the best model"
    return Hint("over_fitting", f"over-fitting began at step {best.step:,}: {action}")


def _flat(record: RunView) -> Hint | None:
    """Find a training loss that has not fallen for a good part of an unfinished run."""
    if not record.is_live or record.fraction_done > _LATE:
        return None
    blocks = [block for block in blocks_of(record) if block.step > record.rate_changed_at]
    recent = blocks[-_FLAT_BLOCKS:]
    if len(blocks) < _MIN_BLOCKS + _FLAT_BLOCKS // 2 or len(recent) < _FLAT_BLOCKS:
        return None
    fall, error = _fall(recent)
    if fall + 2 * error > _FLAT_FALL or fall < -_LEAST_RISE:
        return None
    since = recent[0].step
    if (_rate_fraction(record) or 1.0) > _LOW_RATE:
        return Hint("flat", f"loss flat since step {since:,}: {_LOWER} the learning rate")
    return Hint("flat", f"loss flat since step {since:,}: {{run.stop}} stops; a larger model may gain more")


def _fall(blocks: Sequence[Block]) -> tuple[float, float]:
    """Return by how much a straight line through the blocks falls from end to end, and its standard error."""
    n = len(blocks)
    centre = (n - 1) / 2
    spread = sum((k - centre) ** 2 for k in range(n))
    slope = sum((k - centre) * block.mean for k, block in enumerate(blocks)) / spread
    level = statistics.fmean(block.mean for block in blocks)
    scatter = sum((block.mean - level - slope * (k - centre)) ** 2 for k, block in enumerate(blocks)) / (n - 2)
    return -slope * (n - 1), math.sqrt(scatter / spread) * (n - 1)


def _rate_fraction(record: RunView) -> float | None:
    """Return the learning rate as a fraction of the highest so far."""
    highest = max(record.rates.buckets(0, record.step, _BLOCKS).maxs, default=0.0)
    return record.progress.learning_rate / highest if record.progress and highest else None


def _longer(record: RunView) -> Hint | None:
    """Find a validation loss that was still falling when the run ended."""
    if record.finished is None or record.finished.reason == "early_stop":
        return None
    measured = comparable_evaluations(record)
    if len(measured) < _MIN_EVALUATIONS:
        return None
    losses = [one.val_loss for one in measured]
    last = losses[-1]
    earlier = [one.val_loss for one in measured if one.step <= measured[-1].step * 0.8]
    margin = max(_LEAST_GAIN, _SIGMAS * evaluation_noise(losses))
    if not earlier or last > min(losses) or min(earlier) - last < margin:
        return None
    return Hint("longer", "a longer run would still gain, as validation was falling: {run.resume} adds steps")


# Explanation and banner


def explanation(record: RunView, loss: float | None) -> str:
    """Return in words what a loss means, beside guessing; "" without a loss."""
    if loss is None:
        return ""
    choices = perplexity(loss)
    shown = f"{choices:.2g}" if choices < 100 else f"{choices:,.0f}"
    now = f"now as if choosing among {shown} {record.unit}s"
    guessing = record.guessing_loss
    if guessing is None or record.started is None:
        return now
    count = f"{record.started.vocab_size:,}"
    return f"{now}; guessing 1 of {count} = ln {count} = {guessing:.2f}"


def banner(record: RunView) -> str:
    """Return the problem to show above the chart: why it failed, what is not saved, or a step that was not finite."""
    if record.failure or record.warning:
        return record.failure or record.warning or ""
    if not record.problems:
        return ""
    problem = record.problems[-1]
    if any(one.step > problem.step for one in record.measured):
        return ""
    sentence = next(
        (one.sentence for one in reversed(record.notices) if one.step == problem.step and one.kind == "warning"), ""
    )
    return f"NaN: {sentence}"
