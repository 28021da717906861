"""Limits how often a widget is drawn while its data changes all the time."""

import math
import time
from collections.abc import Callable

from textual.widget import Widget

SECONDS = 0.25
"""The shortest time between two drawings of new data; a change after a quiet time is drawn at once."""


class Pace:
    """Calls a function soon after each request, but not more often than every `seconds`."""

    def __init__(self, widget: Widget, call: Callable[[], object], seconds: float = SECONDS) -> None:
        self._widget = widget
        self._call = call
        self._is_scheduled = False
        self._seconds = seconds
        self._called_at = -math.inf

    def request(self) -> None:
        """Request a call; one that is scheduled already serves this request too."""
        if self._is_scheduled or not self._widget.is_running:
            return
        self._is_scheduled = True
        wait = self._called_at + self._seconds - time.monotonic()
        if wait > 0:
            self._widget.set_timer(wait, self._run)
        else:
            self._widget.call_later(self._run)

    def _run(self) -> None:
        self._is_scheduled = False
        self._called_at = time.monotonic()
        self._call()
