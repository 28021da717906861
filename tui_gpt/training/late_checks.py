"""Finds bad steps late, on a device that computes while Python continues: reading a value would wait for it each time.

There the optimizers skip a bad step on the device (see `Optimizer.step`), so it never changes the weights. Whether
there was one is read together with the figures of a progress event, before an evaluation and before a checkpoint; then
the NaN guard does what it would have done at once elsewhere. The steps after a roll-back's are discarded.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from tui_gpt.errors import DivergedError
from tui_gpt.events import Event, RolledBack
from tui_gpt.training.nan_guard import NanGuard
from tui_gpt.training.step_metrics import StepMetrics

MAX_UNREAD = 256
"""Steps after which the checks are read at the latest."""


class LateChecks:
    """The checks of the steps since they were last read."""

    def __init__(self, guard: NanGuard, metrics: StepMetrics) -> None:
        self._guard = guard
        self._metrics = metrics
        self._unread: list[tuple[int, Tensor]] = []
        self._events: list[Event] = []
        self._error: DivergedError | None = None

    def add(self, step: int, is_finite: Tensor) -> None:
        """Note the check of step number `step`, a boolean scalar on the device."""
        self._unread.append((step, is_finite))

    @property
    def is_full(self) -> bool:
        """Whether it is time to read them."""
        return len(self._unread) >= MAX_UNREAD

    def read(self) -> None:
        """Wait for the device, and handle the bad steps; `report` yields their events."""
        bad = self._bad_steps()
        self._metrics.uncount(len(bad))
        for step in bad:
            try:
                events = self._guard.handle_bad_step(step)
            except DivergedError as error:
                self._error = error
                return
            self._events += events
            if any(isinstance(event, RolledBack) for event in events):
                return

    def _bad_steps(self) -> list[int]:
        if not self._unread:
            return []
        steps, checks = zip(*self._unread, strict=True)
        self._unread = []
        return [step for step, is_finite in zip(steps, torch.stack(checks).tolist(), strict=True) if not is_finite]

    def report(self) -> Iterator[Event]:
        """Yield the events of the bad steps that were read since the last call. Raises DivergedError."""
        events, self._events = self._events, []
        yield from events
        if self._error:
            raise self._error
