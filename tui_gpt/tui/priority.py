"""The screen first: threads that compute step back behind the one that draws and listens.

Training takes every core, writing one more, and a key must not wait for either: neither for the processor nor for the
interpreter's lock. What a system does not offer is left as it is.
"""

import asyncio
import gc
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
Result = TypeVar("Result")

SWITCH_SECONDS = 0.001
"""After how long a thread that computes in Python lets another one have the interpreter (Python's own is 0.005)."""
BACKGROUND_NICENESS = 5


def keep_the_screen_quick() -> None:
    """For the app's own thread, once."""
    sys.setswitchinterval(SWITCH_SECONDS)


@contextmanager
def nothing_collected() -> Iterator[None]:
    """Within the block no thread looks for garbage: while a large package is imported there is ever more to look
    through, nothing to find, and nothing else runs meanwhile."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def step_back() -> None:
    """Let the calling thread, and those it starts, have the processor after the screen's thread, where Linux runs."""
    if sys.platform == "linux":
        with suppress(OSError):
            thread = threading.get_native_id()
            niceness = max(BACKGROUND_NICENESS, os.getpriority(os.PRIO_PROCESS, thread))
            os.setpriority(os.PRIO_PROCESS, thread, niceness)


async def in_a_passing_thread(work: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """What `work` returns, computed in a thread that ends with it.

    A thread that has computed with several cores keeps helpers for as long as it lives, and where there are more
    helpers than cores OpenMP lets all of them sleep between two operations, training's too.
    """
    threads = ThreadPoolExecutor(1, "passing")
    try:
        return await asyncio.wrap_future(threads.submit(work, *args, **kwargs))
    finally:
        threads.shutdown(wait=False)
