"""Waiting for the app in a test."""

import time
from collections.abc import Callable
from typing import Any

from textual.pilot import Pilot

TIMEOUT_SECONDS = 90.0
"""Far longer than anything takes, so that no test depends on how busy the machine is."""


async def wait_until(pilot: Pilot[Any], predicate: Callable[[], bool]) -> None:
    """Let the app work until `predicate` holds; fails after a long time."""
    until = time.monotonic() + TIMEOUT_SECONDS
    while not predicate():
        if time.monotonic() > until:
            raise AssertionError("it never came true")
        await pilot.pause(0.01)
