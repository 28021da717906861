"""What a worker is doing between two events, in words that are updated every second.

A worker reports its activity to its `Control`, which the screen polls ten times per second. What takes less than a
second is not shown.
"""

import time
from collections.abc import Callable

from tui_gpt.control import Activity
from tui_gpt.tui.train.record import Phase

_PATIENCE_SECONDS = 1.0
"""Seconds after which an activity is shown."""
_REQUESTS: dict[Phase, tuple[str, str]] = {
    "loading": ("preparing", ""),
    "pausing": ("pausing after this step", "pausing"),
    "stopping": ("saving", "saving"),
}
"""For a phase: the activity if the worker reports none, and the prefix if it reports one."""


class ActivityWatch:
    """Describes activities, with the seconds that each has taken."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._name = ""
        self._since = 0.0

    def words(self, activity: Activity | None) -> str:
        """Return e.g. `evaluating 40 %, 3 s`; empty for None and for an activity that has just begun."""
        name, now = activity.name if activity else "", self._clock()
        if name != self._name:
            self._name, self._since = name, now
        seconds = now - self._since
        if activity is None or seconds < _PATIENCE_SECONDS:
            return ""
        percentage = "" if activity.done is None else f" {min(max(activity.done, 0.0), 1.0) * 100:.0f} %"
        return f"{name}{percentage}, {int(seconds)} s"


def run_activity(activity: Activity | None, phase: Phase, step: int) -> Activity | None:
    """Return what a run is doing: what its worker reports, with what the user is waiting for."""
    if phase == "paused":
        return None
    request, prefix = _REQUESTS.get(phase, ("", ""))
    if phase == "stopping" and not step:
        request = prefix = "stopping"
    if activity is None:
        return Activity(request) if request else None
    name = activity.name if prefix in ("", activity.name) else f"{prefix}: {activity.name}"
    return Activity(name, activity.done)
