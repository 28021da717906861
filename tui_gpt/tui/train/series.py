"""A curve of bounded size: losses by step, thinned as the run grows.

When there are too many points, neighbours are merged; a merged point keeps its minimum, maximum and mean, so spikes
remain visible. 20,000 steps and 20,000,000 take the same memory and the same time to draw.
"""

import bisect
import math
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """The values up to and including `step`, since the previous point."""

    step: int
    min: float
    max: float
    mean: float
    count: int

    def merge(self, later: "Point") -> "Point":
        """Return one point for both."""
        count = self.count + later.count
        mean = (self.mean * self.count + later.mean * later.count) / count
        return Point(later.step, min(self.min, later.min), max(self.max, later.max), mean, count)


class Series:
    """Points in the order of their steps. Values that are not finite are ignored."""

    def __init__(self, limit: int = 1024) -> None:
        self._points: list[Point] = []
        self._limit = limit
        self._group = 1

    def __len__(self) -> int:
        return len(self._points)

    def __iter__(self) -> Iterator[Point]:
        return iter(self._points)

    def add(self, step: int, value: float) -> None:
        """Append a value measured at `step`."""
        if not math.isfinite(value):
            return
        point = Point(step, value, value, value, 1)
        if self._points and self._points[-1].count < self._group:
            self._points[-1] = self._points[-1].merge(point)
        else:
            self._points.append(point)
        if len(self._points) > self._limit:
            self._thin()

    def _thin(self) -> None:
        points = self._points
        pairs = zip(points[::2], points[1::2], strict=False)
        rest = points[-1:] if len(points) % 2 else []
        self._points = [first.merge(second) for first, second in pairs] + rest
        self._group *= 2

    def cut(self, step: int) -> None:
        """Remove the points after `step`."""
        while self._points and self._points[-1].step > step:
            self._points.pop()

    def at(self, step: float) -> Point | None:
        """Return the point that covers `step`, or the last one before it; None without points."""
        if not self._points:
            return None
        index = bisect.bisect_left(self._points, step, key=lambda point: point.step)
        return self._points[min(index, len(self._points) - 1)]

    def smoothed(self, window: float | None = None) -> list[tuple[int, float]]:
        """Return (step, exponential moving average) of each point, with bias correction.

        `window` is in points; the default is a fortieth of them, so the line is equally smooth at any length.
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
