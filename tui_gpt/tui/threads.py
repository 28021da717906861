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
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
Result = TypeVar("Result")

SWITCH_SECONDS = 0.001
"""After how long a thread that computes in Python lets another one have the interpreter (Python's own is 0.005)."""
BACKGROUND_NICENESS = 5


def set_switch_interval() -> None:
    """For the app's own thread, once."""
    sys.setswitchinterval(SWITCH_SECONDS)


@contextmanager
def gc_paused() -> Iterator[None]:
    """Within the block no thread looks for garbage: while a large package is imported there is ever more to look
    through, nothing to find, and nothing else runs meanwhile."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def lower_thread_priority() -> None:
    """Let the calling thread, and those it starts, have the processor after the screen's thread, where Linux runs."""
    if sys.platform == "linux":
        with suppress(OSError):
            thread = threading.get_native_id()
            niceness = max(BACKGROUND_NICENESS, os.getpriority(os.PRIO_PROCESS, thread))
            os.setpriority(os.PRIO_PROCESS, thread, niceness)


def start_in_background(work: Callable[[], object], name: str) -> None:
    """Let `work`, which raises nothing, run in a thread of its own that steps back and ends with it.

    Not in one of asyncio's: those would stay slow for whatever they do next, and are waited for when the app leaves.
    A thread that has computed with several cores keeps helpers for as long as it lives, and where there are more
    helpers than cores OpenMP lets all of them sleep between two operations, training's too.

    Raises RuntimeError where the system has no thread left.
    """

    def run() -> None:
        lower_thread_priority()
        work()

    threading.Thread(target=run, name=name, daemon=True).start()


async def in_background(work: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """What `work` returns, computed by `start_in_background`."""
    future: Future[Result] = Future()

    def compute() -> None:
        try:
            future.set_result(work(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)

    future.set_running_or_notify_cancel()
    start_in_background(compute, "background")
    return await asyncio.wrap_future(future)


def is_anybody_at_work() -> bool:
    """Whether a thread that nobody waits for has not ended: the interpreter must not be taken from under it."""
    return any(thread.daemon for thread in threading.enumerate())
