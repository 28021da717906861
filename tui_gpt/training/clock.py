"""The seconds that a run has trained: a clock that leaves out pauses and counts the time before a resume."""

from collections.abc import Callable


class RunClock:
    """Seconds of training since the run began, over all its sessions."""

    def __init__(self, read: Callable[[], float], before: float = 0.0, began: float | None = None) -> None:
        """Start at `before` seconds; `began` is the reading of `read` at which this session began, None for now."""
        self.read = read
        """The underlying clock, in seconds."""
        self._before = before
        self._began = read() if began is None else began

    def seconds(self) -> float:
        """Return the seconds of training so far."""
        return self._before + self.read() - self._began

    def exclude_since(self, reading: float) -> float:
        """Leave out the time since the underlying clock read `reading`; return what it reads now."""
        now = self.read()
        self._began += now - reading
        return now
