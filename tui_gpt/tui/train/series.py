"""A curve of bounded size: losses by step, thinned as they grow, with nothing lost that a chart could show.

Neighbouring points are merged once there are too many; a merged point keeps its smallest, largest and mean value, so
that spikes survive. 20,000 steps and 20,000,000 cost the same memory and the same time to draw.
"""

import bisect
import math
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """What was measured up to and including `step`, since the point before."""

    step: int
    least: float
    most: float
    mean: float
    count: int

    def joined(self, later: "Point") -> "Point":
        """One point for both."""
        count = self.count + later.count
        mean = (self.mean * self.count + later.mean * later.count) / count
        return Point(later.step, min(self.least, later.least), max(self.most, later.most), mean, count)


class Series:
    """Points in the order of their steps. Values that are not finite are passed over."""

    def __init__(self, limit: int = 1024) -> None:
        self._points: list[Point] = []
        self._limit = limit
        self._group = 1

    def __len__(self) -> int:
        return len(self._points)

    def __iter__(self) -> Iterator[Point]:
        return iter(self._points)

    @property
    def last(self) -> Point | None:
        """The newest point."""
        return self._points[-1] if self._points else None

    def add(self, step: int, value: float) -> None:
        """Append what was measured at `step`."""
        if not math.isfinite(value):
            return
        point = Point(step, value, value, value, 1)
        if self._points and self._points[-1].count < self._group:
            self._points[-1] = self._points[-1].joined(point)
        else:
            self._points.append(point)
        if len(self._points) > self._limit:
            self._thin()

    def _thin(self) -> None:
        points = self._points
        pairs = zip(points[::2], points[1::2], strict=False)
        rest = points[-1:] if len(points) % 2 else []
        self._points = [first.joined(second) for first, second in pairs] + rest
        self._group *= 2

    def cut(self, step: int) -> None:
        """Forget what came after `step`."""
        while self._points and self._points[-1].step > step:
            self._points.pop()

    def at(self, step: float) -> Point | None:
        """The point that covers `step`, or the last before it."""
        if not self._points:
            return None
        index = bisect.bisect_left(self._points, step, key=lambda point: point.step)
        return self._points[min(index, len(self._points) - 1)]

    def smoothed(self, window: float | None = None) -> list[tuple[int, float]]:
        """(step, exponential moving average) of each point, free of the start's bias.

        `window` is in points; by default a fortieth of them, so that the line is equally smooth at any length.
        """
        window = max(1.0, len(self._points) / 40) if window is None else window
        keep = 1.0 - 1.0 / window
        total = weight = 0.0
        line: list[tuple[int, float]] = []
        for point in self._points:
            total = keep * total + (1.0 - keep) * point.mean
            weight = keep * weight + (1.0 - keep)
            line.append((point.step, total / weight))
        return line
