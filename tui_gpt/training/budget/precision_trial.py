"""Chooses the precision of a run on CUDA by measurement: a step in each that the GPU has."""

import math
import time
from collections.abc import Callable

from tui_gpt.config import Precision, RunConfig
from tui_gpt.control import Control
from tui_gpt.text.dataset import Corpus
from tui_gpt.training.budget.calibration import trial_of
from tui_gpt.training.compute.device import ComputeDevice
from tui_gpt.training.compute.interruption import StepAbortedError, abort_on_stop
from tui_gpt.training.compute.precision import fastest

TRIALS = 2
"""Passes that are timed, after one that is not."""


def with_measured_precision(
    config: RunConfig,
    corpus: Corpus,
    compute: ComputeDevice,
    control: Control,
    clock: Callable[[], float] = time.monotonic,
) -> ComputeDevice:
    """Return `compute` with the fastest of its precisions; a request to stop keeps the most exact one."""
    if len(compute.precisions) == 1:
        return compute
    control.report("comparing precisions")
    seconds: dict[Precision, float | None] = {}
    try:
        for precision in compute.precisions:
            seconds[precision] = _pass_seconds(config, corpus, compute.with_precision(precision), control, clock)
    except StepAbortedError:
        return compute.with_precision(compute.precision)
    return compute.with_precision(fastest(seconds))


def _pass_seconds(
    config: RunConfig, corpus: Corpus, compute: ComputeDevice, control: Control, clock: Callable[[], float]
) -> float | None:
    """Return the seconds of a forward and a backward pass; None where the loss is not finite."""
    with trial_of(config, corpus, compute, clock) as trial, abort_on_stop(trial.replicas.models, control):
        trial.passes(trial.batch)
        timed = [trial.passes(trial.batch) for _ in range(TRIALS)]
    return min(seconds for seconds, _ in timed) if all(math.isfinite(loss) for _, loss in timed) else None
