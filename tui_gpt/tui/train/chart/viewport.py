"""The visible part of a chart's x axis: everything, a window that was zoomed to, or the last part of what is measured.

A window whose right end is the newest value follows it. All places are in the unit of the axis.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

TAILS = (0.5, 0.2, 0.1, 0.05)
"""The fractions of the measured steps that the tail window can show."""
_MIN_FRACTION = 1e-4
"""The smallest window, as a fraction of everything."""


@dataclass(frozen=True)
class Extent:
    """The places that can be shown: from 0 to `end`; values exist up to `newest`."""

    end: float
    newest: float


@dataclass(frozen=True)
class Viewport:
    """What part is visible; without `width` and `tail`, everything."""

    width: float | None = None
    right: float = 0.0
    """The right end of a window that does not follow."""
    is_following: bool = False
    tail: float | None = None

    def window(self, extent: Extent) -> tuple[float, float]:
        """Return the first and the last visible place."""
        if self.tail is not None:
            return extent.newest * (1.0 - self.tail), max(extent.newest, extent.end * _MIN_FRACTION)
        if self.width is None:
            return 0.0, extent.end
        width = min(self.width, extent.end)
        right = extent.newest if self.is_following else self.right
        right = min(max(right, width), extent.end)
        return right - width, right

    def zoomed(self, factor: float, center: float, extent: Extent) -> "Viewport":
        """Return a window `factor` times as wide, in which `center` keeps its place on the screen."""
        low, high = self.window(extent)
        if (high - low) * factor >= extent.end:
            return WHOLE
        width = max((high - low) * factor, extent.end * _MIN_FRACTION)
        center = min(max(center, low), high)
        left = center - (center - low) / (high - low) * width
        is_following = self.is_following or self.tail is not None
        return Viewport(width, min(max(left + width, width), extent.end), is_following=is_following)

    def panned(self, fraction: float, extent: Extent) -> "Viewport":
        """Return the window moved by a fraction of its width; it follows only if it has reached the newest value."""
        low, high = self.window(extent)
        width = high - low
        right = min(max(high + fraction * width, width), max(extent.newest, width))
        if width >= extent.end:
            return self
        return Viewport(width, right, is_following=fraction > 0 and right >= extent.newest)

    def followed(self, extent: Extent) -> "Viewport":
        """Return the window at the newest value, which it follows; one that follows already stays where it is.

        Everything becomes the last fifth, and the other way round.
        """
        if self.tail is not None:
            return WHOLE
        if self.width is None:
            return Viewport(tail=0.2)
        if self.is_following:
            return Viewport(self.width, self.window(extent)[1])
        return Viewport(min(self.width, extent.end), extent.newest, is_following=True)

    def next_tail(self) -> "Viewport":
        """Return the next smaller tail window; everything after the smallest."""
        later = [tail for tail in TAILS if self.tail is None or tail < self.tail]
        return Viewport(tail=later[0]) if later else WHOLE

    def mapped(self, extent: Extent, place: Callable[[float], float]) -> "Viewport":
        """Return the same window on another axis, on which `place` finds a place of this one."""
        if self.width is None:
            return self
        low, high = (place(end) for end in self.window(extent))
        return dataclasses.replace(self, width=high - low, right=high)

    @property
    def words(self) -> str:
        """What is visible, unless it is everything."""
        if self.tail is not None:
            return f"last {self.tail:.0%}"
        if self.width is None:
            return ""
        return "zoomed, following" if self.is_following else "zoomed"


WHOLE = Viewport()
"""Everything."""
