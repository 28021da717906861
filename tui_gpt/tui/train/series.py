"""A curve of bounded size at every resolution: values by step, merged in pairs, pairs of pairs, and so on.

The lowest level holds every value (groups of them once there are more than the limit); each level above halves the
number of buckets. A bucket keeps its minimum, maximum and mean, so a spike of one step remains visible at any zoom, and
drawing reads about as many buckets as the screen has columns. 20,000 steps and 20,000,000 take the same time to draw.
"""

import bisect
import itertools
import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

DEFAULT_SMOOTHING = 0.025
"""The averaging window as a fraction of a curve's values."""
_BUCKETS_PER_WINDOW = 4
_MIN_LINE_POINTS = 64
"""Points that a smoothed line has at least, if there are values enough."""


@dataclass(frozen=True, slots=True)
class Point:
    """The values up to and including `step`, since the previous point."""

    step: int
    min: float
    max: float
    mean: float
    count: int


@dataclass(slots=True)
class Buckets:
    """Consecutive buckets as columns of equal length."""

    steps: "array[int]"
    """The last step of each bucket."""
    seconds: "array[float]"
    """The seconds of training at that step."""
    mins: "array[float]"
    maxs: "array[float]"
    means: "array[float]"

    @classmethod
    def empty(cls) -> "Buckets":
        """Return no buckets."""
        return cls(array("q"), array("d"), array("d"), array("d"), array("d"))

    def __len__(self) -> int:
        return len(self.steps)

    def places(self, *, by_seconds: bool) -> "array[int] | array[float]":
        """Return the place of each bucket on the x axis: its last step, or the seconds at it."""
        return self.seconds if by_seconds else self.steps

    def part(self, first: int, last: int | None = None) -> "Buckets":
        """Return a copy of the buckets from index `first` to before `last`."""
        where = slice(first, last)
        return Buckets(self.steps[where], self.seconds[where], self.mins[where], self.maxs[where], self.means[where])

    def extend(self, later: "Buckets") -> None:
        """Append the buckets of another resolution."""
        self.steps += later.steps
        self.seconds += later.seconds
        self.mins += later.mins
        self.maxs += later.maxs
        self.means += later.means

    def append(self, step: int, seconds: float, value: float) -> None:
        """Append a bucket of one value."""
        self.steps.append(step)
        self.seconds.append(seconds)
        self.mins.append(value)
        self.maxs.append(value)
        self.means.append(value)

    def widen(self, step: int, seconds: float, value: float, count: int) -> None:
        """Add a value to the last bucket, which holds `count` values."""
        self.steps[-1], self.seconds[-1] = step, seconds
        self.mins[-1] = min(self.mins[-1], value)
        self.maxs[-1] = max(self.maxs[-1], value)
        self.means[-1] += (value - self.means[-1]) / (count + 1)

    def append_pairs(self, finer: "Buckets", first: int, last: int) -> None:
        """Append the buckets of `finer` from index `first` to before `last` in pairs of equally many values."""
        one, other = slice(first, last, 2), slice(first + 1, last, 2)
        self.steps += finer.steps[other]
        self.seconds += finer.seconds[other]
        self.mins.extend(map(min, finer.mins[one], finer.mins[other]))
        self.maxs.extend(map(max, finer.maxs[one], finer.maxs[other]))
        self.means.extend((a + b) / 2 for a, b in zip(finer.means[one], finer.means[other], strict=True))

    def truncate(self, length: int) -> None:
        """Remove all buckets from index `length` on."""
        for column in (self.steps, self.seconds, self.mins, self.maxs, self.means):
            del column[length:]


@dataclass(frozen=True, slots=True)
class Line:
    """A smoothed curve: three columns of equal length."""

    steps: "array[int]"
    seconds: "array[float]"
    values: "array[float]"

    def places(self, *, by_seconds: bool) -> "array[int] | array[float]":
        """Return the place of each point on the x axis: its step or its seconds."""
        return self.seconds if by_seconds else self.steps

    def at(self, step: float) -> float | None:
        """Return the value at the last point up to `step`; None without points."""
        if not self.steps:
            return None
        return self.values[max(0, min(bisect.bisect_left(self.steps, step), len(self.steps) - 1))]


class Series:
    """Values in the order of their steps. One that is not finite is a gap. `limit` (even) bounds the lowest level."""

    def __init__(self, limit: int = 131_072) -> None:
        self._limit = limit
        self._levels = [Buckets.empty()]
        self._group = 1
        """Values in a bucket of the lowest level."""
        self._last_count = 0
        """Values in the last one of them."""
        self.gaps: list[int] = []
        """Steps without a value, ascending."""
        self.version = 0
        """Changes with every change of the values."""
        self._smoothed: dict[float, tuple[int, Line]] = {}

    def __len__(self) -> int:
        return len(self._levels[0])

    def __iter__(self) -> Iterator[Point]:
        return (self._point(index) for index in range(len(self)))

    @property
    def value_count(self) -> int:
        """How many values were added."""
        return max(0, len(self) - 1) * self._group + self._last_count

    def _point(self, index: int) -> Point:
        low = self._levels[0]
        count = self._group if index < len(low) - 1 else self._last_count
        return Point(low.steps[index], low.mins[index], low.maxs[index], low.means[index], count)

    def add(self, step: int, value: float, seconds: float = 0.0) -> None:
        """Append a value measured at `step`, after `seconds` of training."""
        if not math.isfinite(value):
            self.add_gap(step)
            return
        lowest = self._levels[0]
        if 0 < self._last_count < self._group:
            lowest.widen(step, seconds, value, self._last_count)
            self._last_count += 1
        else:
            lowest.append(step, seconds, value)
            self._last_count = 1
        self.version += 1
        if len(lowest.steps) > self._limit:
            self._thin()

    def add_gap(self, step: int) -> None:
        """Mark that `step` has no value."""
        if not self.gaps or self.gaps[-1] < step:
            self.gaps.append(step)
            self.version += 1

    @property
    def _complete_count(self) -> int:
        """How many buckets of the lowest level are full."""
        return len(self._levels[0]) - (self._last_count < self._group and len(self._levels[0]) > 0)

    def _merge_pairs(self) -> None:
        """Bring the levels above the lowest up to date."""
        complete = self._complete_count
        for k in itertools.count():
            if complete < 2:
                return
            if k + 1 == len(self._levels):
                self._levels.append(Buckets.empty())
            upper = self._levels[k + 1]
            complete //= 2
            if complete > len(upper):
                upper.append_pairs(self._levels[k], 2 * len(upper), 2 * complete)

    def _thin(self) -> None:
        """Drop the lowest level; its last bucket, which has no partner yet, is kept."""
        self._merge_pairs()
        lowest = self._levels.pop(0)
        self._levels[0].extend(lowest.part(len(lowest) - 1))
        self._group *= 2

    def cut(self, step: int) -> None:
        """Remove the values after `step`."""
        lowest = self._levels[0]
        length = bisect.bisect_right(lowest.steps, step)
        if length < len(lowest):
            lowest.truncate(length)
            self._last_count = self._group if length else 0
        complete = self._complete_count
        for level in self._levels[1:]:
            complete //= 2
            level.truncate(complete)
        self._levels = [level for k, level in enumerate(self._levels) if k == 0 or len(level)]
        self.gaps = [gap for gap in self.gaps if gap <= step]
        self.version += 1

    def at(self, step: float) -> Point | None:
        """Return the point that covers `step`, or the last one before it; None without points."""
        if not len(self):
            return None
        return self._point(min(bisect.bisect_left(self._levels[0].steps, step), len(self) - 1))

    @property
    def last_seconds(self) -> float:
        """The seconds of training at the newest value."""
        return self._levels[0].seconds[-1] if len(self) else 0.0

    def seconds_at(self, step: float) -> float:
        """Return the seconds of training at `step`, on a straight line between the values around it."""
        return _between(step, self._levels[0].steps, self._levels[0].seconds)

    def step_at(self, seconds: float) -> float:
        """Return the step after `seconds` of training: the inverse of `seconds_at`."""
        return _between(seconds, self._levels[0].seconds, self._levels[0].steps)

    def buckets(self, low: float, high: float, most: int, *, by_seconds: bool = False) -> Buckets:
        """Return the values from `low` to `high` (steps, or seconds) in `most` to 2 * `most` buckets.

        One bucket beyond each end is included, so that a line can be drawn to the edge.
        """
        self._merge_pairs()
        wanted = self._slice(0, low, high, by_seconds)
        halvings = max(0, math.floor(math.log2(max(1, wanted.stop - wanted.start - 2) / most)))
        k = min(halvings, len(self._levels) - 1)
        wanted = self._slice(k, low, high, by_seconds)
        found = self._levels[k].part(wanted.start, wanted.stop)
        if wanted.stop == len(self._levels[k]):
            found.extend(self._tail(k))
        return found

    def _slice(self, k: int, low: float, high: float, by_seconds: bool) -> slice:
        places = self._levels[k].places(by_seconds=by_seconds)
        first = max(0, bisect.bisect_left(places, low) - 1)
        return slice(first, min(len(places), bisect.bisect_right(places, high, lo=first) + 1))

    def _tail(self, k: int) -> Buckets:
        """Return the newest values, which have not completed a bucket of level `k`, in those of the levels below."""
        tail = Buckets.empty()
        for j in range(k - 1, -1, -1):
            tail.extend(self._levels[j].part(2 * len(self._levels[j + 1])))
        return tail

    def line(self, smoothing: float = DEFAULT_SMOOTHING) -> Line:
        """Return the curve, averaged over a fraction `smoothing` of its values."""
        version, line = self._smoothed.get(smoothing, (-1, None))
        if line is None or version != self.version:
            line = self._averaged(self.value_count * smoothing)
            self._smoothed[smoothing] = self.version, line
        return line

    def smoothed(self, window: float | None = None) -> list[tuple[int, float]]:
        """Return (step, moving average) of each point; `window` is in values, by default a fortieth of them."""
        line = self.line() if window is None else self._averaged(window)
        return list(zip(line.steps, line.values, strict=True))

    def _averaged(self, window: float) -> Line:
        """Return the exponential moving average over `window` values, with bias correction.

        It is computed from the coarsest buckets that are much smaller than the window.
        """
        self._merge_pairs()
        ratio = min(window / _BUCKETS_PER_WINDOW / self._group, len(self) / _MIN_LINE_POINTS)
        k = min(math.floor(math.log2(max(1.0, ratio))), len(self._levels) - 1)
        buckets = self._levels[k].part(0)
        buckets.extend(self._tail(k))
        keep = 1.0 - 1.0 / max(1.0, window / (self._group << k))
        total = weight = 0.0
        values = array("d")
        for mean in buckets.means:
            total = keep * total + (1.0 - keep) * mean
            weight = keep * weight + (1.0 - keep)
            values.append(total / weight)
        return Line(buckets.steps, buckets.seconds, values)


def _between(value: float, keys: "array[int] | array[float]", values: "array[int] | array[float]") -> float:
    """Return the value at a key, interpolated; beyond the ends, at the pace of the nearest half of the curve."""
    if not keys:
        return 0.0
    right = bisect.bisect_left(keys, value)
    if right == len(keys):
        left, right = len(keys) // 2, len(keys) - 1
        if left == right or keys[right] <= keys[left]:
            return _share(value, 0.0, keys[-1], 0.0, values[-1])
    elif right == 0:
        return _share(value, 0.0, keys[0], 0.0, values[0])
    else:
        left = right - 1
    return _share(value, keys[left], keys[right], values[left], values[right])


def _share(value: float, low: float, high: float, first: float, last: float) -> float:
    return first + (value - low) / (high - low) * (last - first) if high > low else float(last)
