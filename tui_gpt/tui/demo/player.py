"""Play a recorded log in another time: arithmetic without a clock and without widgets."""

import itertools
import statistics
from collections.abc import Sequence

from tui_gpt.events import Event, Progress

DEMO_SECONDS = 30.0
"""How long the whole recording takes at speed 1."""
_LONGEST_GAP = 3.0
"""The longest pause between two progress events, in medians: a recording has evaluations and saves to wait for."""
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


class Player:
    """Yields the events of a recording as their time comes."""

    def __init__(self, events: Sequence[Event], seconds: float = DEMO_SECONDS) -> None:
        self._events = events
        self._times = times_of(events, seconds)
        self._seconds = seconds
        self._speed_index = SPEEDS.index(1.0)
        self.restart()

    def restart(self) -> None:
        """Go back to the beginning, at the same speed."""
        self.position = 0.0
        """Seconds of the demo that were played at speed 1."""
        self.is_paused = False
        self._next = 0

    @property
    def speed(self) -> float:
        """How fast it plays; 1 takes the whole time."""
        return SPEEDS[self._speed_index]

    @property
    def is_done(self) -> bool:
        """Whether all events were played."""
        return self._next == len(self._events)

    @property
    def fraction_done(self) -> float:
        """The part that was played, 0 to 1."""
        return min(1.0, self.position / self._seconds)

    def change_speed(self, steps: int) -> None:
        """Play faster, or slower for a negative number of steps."""
        self._speed_index = max(0, min(len(SPEEDS) - 1, self._speed_index + steps))

    def advance(self, seconds: float) -> Sequence[Event]:
        """Let time pass, unless paused; return the events that have come due."""
        if self.is_paused:
            return ()
        self.position += seconds * self.speed
        begin = self._next
        while self._next < len(self._events) and self._times[self._next] <= self.position:
            self._next += 1
        return self._events[begin : self._next]


def times_of(events: Sequence[Event], seconds: float) -> list[float]:
    """Return when each event is due, from 0 to `seconds`.

    Progress events come in proportion to the recorded time, in which pauses are shortened; every other event comes
    with the progress before it.
    """
    clock = [event.elapsed_seconds for event in events if isinstance(event, Progress)]
    gaps = [max(0.0, later - earlier) for earlier, later in itertools.pairwise(clock)]
    longest = _LONGEST_GAP * statistics.median(gaps or [0.0])
    passed = list(itertools.accumulate((min(gap, longest) for gap in gaps), initial=0.0))
    scale = seconds / passed[-1] if passed[-1] else 0.0
    due, now, times = iter(passed), 0.0, list[float]()
    for event in events:
        if isinstance(event, Progress):
            now = next(due) * scale
        times.append(now)
    return times
