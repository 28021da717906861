"""Times, counts and rates as people read them, and how long a run has still to go.

Pure arithmetic, shared by the progress line and the app. The estimate follows the recent pace, not the average since
the start, so a machine that gets busier shows at once; it knows nothing of schedules and keeps no clock of its own.
"""

import math
from collections import deque

_UNITS = ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k"))


def format_duration(seconds: float) -> str:
    """`7 s`, `3 min 20 s`, `1 h 05 min`, `2 d 03 h`; below ten seconds with one decimal where there is one."""
    if not math.isfinite(seconds):
        return "–"
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600:02d} h"


def format_count(count: float) -> str:
    """Three telling digits and a unit: `812`, `12.3 k`, `10.8 M`."""
    for size, unit in _UNITS:
        if abs(count) >= size * 0.9995:
            scaled = count / size
            return f"{scaled:.{_decimals(scaled)}f} {unit}"
    return f"{count:.0f}"


def _decimals(scaled: float) -> int:
    return 2 if abs(scaled) < 9.995 else 1 if abs(scaled) < 99.95 else 0


def format_loss(loss: float | None, *, is_estimate: bool, digits: int = 4) -> str:
    """`1.4521`; `~1.4521` for an estimate, `–` where there is none."""
    return "–" if loss is None else f"{'~' if is_estimate else ''}{loss:.{digits}f}"


def format_rate(characters_per_second: float) -> str:
    """`12.3 k chars/s`."""
    return f"{format_count(characters_per_second)} chars/s"


def format_bytes(count: float) -> str:
    """`812 B`, `1.12 MB`, in powers of a thousand."""
    counted = format_count(count)
    return f"{counted}B" if " " in counted else f"{counted} B"


def format_age(seconds: float) -> str:
    """`just now`, `5 min ago`, `3 h ago`, `2 d ago`."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"


class EtaEstimator:
    """Seconds left, from the pace of the last `window_seconds` of a run."""

    def __init__(self, window_seconds: float = 30.0) -> None:
        self._window_seconds = window_seconds
        self._marks: deque[tuple[int, float]] = deque()

    def mark(self, step: int, elapsed_seconds: float) -> None:
        """The run had made `step` steps after `elapsed_seconds`; a step back in either (a resume) starts afresh."""
        if self._marks and (step < self._marks[-1][0] or elapsed_seconds < self._marks[-1][1]):
            self._marks.clear()
        self._marks.append((step, elapsed_seconds))
        while len(self._marks) > 2 and self._marks[1][1] <= elapsed_seconds - self._window_seconds:
            self._marks.popleft()

    @property
    def steps_per_second(self) -> float | None:
        """The recent pace; None until two marks lie apart."""
        if len(self._marks) < 2:
            return None
        (first_step, begin), (last_step, end) = self._marks[0], self._marks[-1]
        if last_step <= first_step or end <= begin:
            return None
        return (last_step - first_step) / (end - begin)

    def seconds_left(self, max_iters: int) -> float | None:
        """Seconds from the last mark until step `max_iters`; None while the pace is unknown."""
        pace = self.steps_per_second
        return None if pace is None else max(0, max_iters - self._marks[-1][0]) / pace
