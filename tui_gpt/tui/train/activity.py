"""What a worker is busy with between two events, in words that change every second while it lasts.

A thread says by its `Control` what it does; the screen asks ten times a second. Whatever is over at once is not shown.
"""

import time
from collections.abc import Callable

from tui_gpt.control import Activity
from tui_gpt.tui.train.record import Phase

_PATIENCE_SECONDS = 1.0
"""How long something must have lasted to be worth words."""
_REQUESTS: dict[Phase, tuple[str, str]] = {
    "loading": ("preparing", ""),
    "pausing": ("pausing after this step", "pausing"),
    "stopping": ("saving", "saving"),
}
"""What a run does in a phase if its worker does not say, and what was asked for if it does."""


class ActivityWatch:
    """Puts activities into words, with the seconds that each has taken."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._name = ""
        self._since = 0.0

    def words(self, activity: Activity | None) -> str:
        """E.g. `evaluating 40 %, 3 s`; empty for None, and for what has only just begun."""
        name, now = activity.name if activity else "", self._clock()
        if name != self._name:
            self._name, self._since = name, now
        seconds = now - self._since
        if activity is None or seconds < _PATIENCE_SECONDS:
            return ""
        share = "" if activity.done is None else f" {min(max(activity.done, 0.0), 1.0) * 100:.0f} %"
        return f"{name}{share}, {int(seconds)} s"


def run_activity(activity: Activity | None, phase: Phase, step: int) -> Activity | None:
    """What a run is busy with, given what its worker says: also what the user has asked for and waits for."""
    if phase == "paused":
        return None
    alone, beside = _REQUESTS.get(phase, ("", ""))
    if phase == "stopping" and not step:
        alone = beside = "stopping"
    if activity is None:
        return Activity(alone) if alone else None
    name = activity.name if beside in ("", activity.name) else f"{beside}: {activity.name}"
    return Activity(name, activity.done)
