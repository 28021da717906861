"""What the user has chosen to see of a chart, and the actions that change it, without a widget."""

import dataclasses
from collections.abc import Sequence

from tui_gpt.tui.train.chart.curves import ChartSettings
from tui_gpt.tui.train.chart.plot import extent_of
from tui_gpt.tui.train.chart.quantities import QUANTITIES, X_AXES, place_of, step_at
from tui_gpt.tui.train.chart.viewport import WHOLE
from tui_gpt.tui.train.record import RunView

SMOOTHINGS = (0.0, 0.01, 0.025, 0.05, 0.1, 0.2)
_ZOOM = 0.6
_PAN = 0.25

CHART_ACTIONS = (
    "axis",
    "value",
    "smoother",
    "rougher",
    "zoom_in",
    "zoom_out",
    "earlier",
    "later",
    "tail",
    "follow",
    "whole",
)
"""What keys and the command palette can change."""


class ChartState:
    """The settings of a chart. Actions need the runs that it shows, the one with the cursor first."""

    def __init__(self) -> None:
        self.settings = ChartSettings()

    def perform(self, action: str, records: Sequence[RunView], center: float | None = None) -> None:
        """Perform one of `CHART_ACTIONS`; `center` is the place on the x axis to zoom at."""
        match action:
            case "axis":
                self._next_axis(records)
            case "value":
                place = QUANTITIES.index(self.settings.quantity)
                self._set(quantity=QUANTITIES[(place + 1) % len(QUANTITIES)])
            case "smoother" | "rougher":
                self._smooth(1 if action == "smoother" else -1)
            case _:
                self._move(action, records, center)

    def _set(self, **changes: object) -> None:
        self.settings = dataclasses.replace(self.settings, **changes)  # type: ignore[arg-type]  # names of the fields

    def set_log(self, log: bool) -> None:
        """Choose a logarithmic or a linear y axis."""
        self._set(log_y=log)

    def _next_axis(self, records: Sequence[RunView]) -> None:
        """Change the x axis; the visible steps of the first run stay visible."""
        old = self.settings.axis
        new = X_AXES[(X_AXES.index(old) + 1) % len(X_AXES)]
        extent = extent_of(records, self.settings)
        viewport = self.settings.viewport
        if records:
            first = records[0]
            viewport = viewport.mapped(extent, lambda place: place_of(first, step_at(first, place, old), new))
        self._set(axis=new, viewport=viewport)

    def _smooth(self, steps: int) -> None:
        place = SMOOTHINGS.index(self.settings.smoothing) + steps
        self._set(smoothing=SMOOTHINGS[min(max(place, 0), len(SMOOTHINGS) - 1)])

    def _move(self, action: str, records: Sequence[RunView], center: float | None) -> None:
        viewport, extent = self.settings.viewport, extent_of(records, self.settings)
        center = extent.newest if center is None else center
        match action:
            case "zoom_in":
                viewport = viewport.zoomed(_ZOOM, center, extent)
            case "zoom_out":
                viewport = viewport.zoomed(1.0 / _ZOOM, center, extent)
            case "earlier":
                viewport = viewport.panned(-_PAN, extent)
            case "later":
                viewport = viewport.panned(_PAN, extent)
            case "tail":
                viewport = viewport.next_tail()
            case "follow":
                viewport = viewport.followed(extent)
            case _:
                viewport = WHOLE
        self._set(viewport=viewport)


def smoothing_words(smoothing: float) -> str:
    """Return the smoothing for a legend."""
    return f"smoothed {smoothing * 100:g} %" if smoothing else "not smoothed"
