"""Threads with a lower priority than the one that draws and handles keys.

Training uses every core and generation one more, and a key must wait neither for a processor nor for the interpreter's
lock. What the operating system does not support is skipped.
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
"""How long a thread may run Python code before it must release the interpreter (Python's default is 0.005)."""
BACKGROUND_NICENESS = 5


def set_switch_interval() -> None:
    """Make the interpreter switch threads more often."""
    sys.setswitchinterval(SWITCH_SECONDS)


@contextmanager
def gc_paused() -> Iterator[None]:
    """Disable the garbage collector within the block.

    While a large package is being imported, each collection scans more objects, frees none, and stops all threads.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def lower_thread_priority() -> None:
    """Lower the priority of the calling thread and of those it starts (Linux only)."""
    if sys.platform == "linux":
        with suppress(OSError):
            thread = threading.get_native_id()
            niceness = max(BACKGROUND_NICENESS, os.getpriority(os.PRIO_PROCESS, thread))
            os.setpriority(os.PRIO_PROCESS, thread, niceness)


def start_in_background(work: Callable[[], object], name: str, *, is_urgent: bool = False) -> None:
    """Run `work`, which must not raise, in a new daemon thread of lower priority; of normal priority if it `is_urgent`:
    short, and waited for.

    Not in one of asyncio's threads: they would keep the low priority for later work, and are joined when the app exits.
    A thread that has computed with several cores also keeps its OpenMP helpers while it lives, and where helpers
    outnumber cores, OpenMP lets all of them sleep between two operations, including those of training.

    Raises RuntimeError if the system has no thread left.
    """

    def run() -> None:
        if not is_urgent:
            lower_thread_priority()
        work()

    threading.Thread(target=run, name=name, daemon=True).start()


async def in_background(work: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Return the result of `work`, computed in a thread of `start_in_background`."""
    future: Future[Result] = Future()

    def compute() -> None:
        try:
            future.set_result(work(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)

    future.set_running_or_notify_cancel()
    start_in_background(compute, "background")
    return await asyncio.wrap_future(future)


def has_daemon_threads() -> bool:
    """Return whether a daemon thread is still running, which must not lose its interpreter."""
    return any(thread.daemon for thread in threading.enumerate())
