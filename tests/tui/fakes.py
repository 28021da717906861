"""Waiting for the app in a test."""

from collections.abc import Callable
from typing import Any

from textual.pilot import Pilot


async def wait_until(pilot: Pilot[Any], predicate: Callable[[], bool], tries: int = 400) -> None:
    """Let the app work until `predicate` holds; fails after about eight seconds."""
    for _ in range(tries):
        if predicate():
            return
        await pilot.pause(0.02)
    raise AssertionError("it never came true")
