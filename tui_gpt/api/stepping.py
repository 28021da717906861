"""Advances an iterator in its own thread, one item at a time.

Ctrl+C raises KeyboardInterrupt in the main thread, between any two bytecodes. It can stop the wait for an item, but it
cannot leave a training step half done, as the steps are made in the other thread. Between two requests that thread
sleeps, so the consumer sets the pace, and there is nothing to lock.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from enum import Enum
from typing import Any, Generic, Literal, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_POLL_SECONDS = 0.2
"""Windows handles Ctrl+C only between two waits."""


class _End(Enum):
    END = "the iterator has no more items"


class SteppingThread(Generic[T]):
    """A thread that computes the items of an iterator on request."""

    def __init__(self, items: Iterator[T]) -> None:
        self._items = items
        self._thread = ThreadPoolExecutor(1, "tui-gpt")
        self._ident: int | None = None
        self._requested: deque[Future[T | Literal[_End.END]]] = deque()
        """Requests whose answers have not been taken."""

    @property
    def is_current(self) -> bool:
        """Whether this is called in that thread."""
        return self._ident == threading.get_ident()

    def run(self, work: Callable[[], R]) -> R:
        """Return the result of a function that is called in the thread; what it raises is raised here."""
        return _awaited(self._thread.submit(work)).result()

    def take(self) -> T:
        """Return the next item. Raises StopIteration at the end, and what the iterator raises."""
        if not self._requested:
            self._request()
        _awaited(self._requested[0])
        item = self._requested.popleft().result()
        if item is _End.END:
            raise StopIteration
        return item

    def request_until(self, done: Future[Any]) -> None:
        """Request items, which `take` will return, until a future is done or the iterator has ended."""
        last = self._request()
        while not done.done():
            if _has_ended(last):
                return
            if last.done():
                last = self._request()
            wait([done, last], _POLL_SECONDS, "FIRST_COMPLETED")

    def finish(self) -> None:
        """Take all items and let the thread end. If the wait is interrupted, the thread continues to the end."""
        done = self._thread.submit(deque[T], self._items, 0)
        self._thread.shutdown(wait=False)
        requested, self._requested = self._requested, deque()
        for future in requested:
            _awaited(future).result()
        _awaited(done).result()

    def _request(self) -> Future[T | Literal[_End.END]]:
        """Request one more item, without waiting for it."""
        future = self._thread.submit(self._next)
        self._requested.append(future)
        return future

    def _next(self) -> T | Literal[_End.END]:
        self._ident = threading.get_ident()
        return next(self._items, _End.END)


def _awaited(future: Future[R]) -> Future[R]:
    """Return a future once it is done, such that Ctrl+C ends the wait on every system."""
    while not future.done():
        wait([future], _POLL_SECONDS)
    return future


def _has_ended(future: Future[T | Literal[_End.END]]) -> bool:
    return future.done() and (future.exception() is not None or future.result() is _End.END)
