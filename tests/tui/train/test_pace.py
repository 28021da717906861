"""New data is drawn at once after a quiet time, and a few times per second otherwise."""

import math
import time
from collections.abc import Callable
from typing import Any

import pytest

from tui_gpt.tui.train.pace import Pace


class FakeWidget:
    """Keeps what is scheduled, with its delay."""

    is_running = True

    def __init__(self) -> None:
        self.scheduled: list[tuple[float, Callable[[], None]]] = []

    def set_timer(self, seconds: float, call: Callable[[], None]) -> None:
        self.scheduled.append((seconds, call))

    def call_later(self, call: Callable[[], None]) -> None:
        self.scheduled.append((0.0, call))


def test_requests_are_served_together_and_not_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    widget: Any = FakeWidget()
    calls: list[float] = []
    paced = Pace(widget, lambda: calls.append(now), 0.25)
    paced.request()
    paced.request()
    assert [seconds for seconds, _ in widget.scheduled] == [0.0]
    widget.scheduled.pop()[1]()
    now = 100.1
    paced.request()
    assert math.isclose(widget.scheduled[0][0], 0.15)
    now = 100.25
    widget.scheduled.pop()[1]()
    assert calls == [100.0, 100.25]


def test_a_widget_that_is_not_on_screen_is_not_drawn() -> None:
    widget: Any = FakeWidget()
    widget.is_running = False
    Pace(widget, lambda: None).request()
    assert widget.scheduled == []
