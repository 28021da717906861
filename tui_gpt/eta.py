"""Estimate how long a run will still take, from its recent pace.

The recent pace, and not the average since the start, reflects at once that the machine has become busier. The estimator
has no clock and does not know the learning-rate schedule.
"""

from collections import deque


class EtaEstimator:
    """Estimates the seconds left from the pace of the last `window_seconds` of a run."""

    def __init__(self, window_seconds: float = 30.0) -> None:
        self._window_seconds = window_seconds
        self._marks: deque[tuple[int, float]] = deque()

    def mark(self, step: int, elapsed_seconds: float) -> None:
        """Record that `step` steps took `elapsed_seconds`; a decrease of either, as by a resume, resets the pace."""
        if self._marks and (step < self._marks[-1][0] or elapsed_seconds < self._marks[-1][1]):
            self._marks.clear()
        self._marks.append((step, elapsed_seconds))
        while len(self._marks) > 2 and self._marks[1][1] <= elapsed_seconds - self._window_seconds:
            self._marks.popleft()

    @property
    def steps_per_second(self) -> float | None:
        """The recent pace; None before two marks that differ in both step and time."""
        if len(self._marks) < 2:
            return None
        (first_step, begin), (last_step, end) = self._marks[0], self._marks[-1]
        if last_step <= first_step or end <= begin:
            return None
        return (last_step - first_step) / (end - begin)

    def seconds_left(self, max_iters: int) -> float | None:
        """Return the seconds from the last mark until step `max_iters`; None while the pace is unknown."""
        pace = self.steps_per_second
        return None if pace is None else max(0, max_iters - self._marks[-1][0]) / pace
