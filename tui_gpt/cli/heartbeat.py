"""A thread that calls a function a few times per second."""

import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

BEAT_SECONDS = 0.25


class Heartbeat:
    """Calls a function every `BEAT_SECONDS`, in its own thread, while it is entered."""

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat = beat
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        with suppress(RuntimeError):  # no more threads: then nothing is shown between events
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(BEAT_SECONDS):
            self._beat()
