"""Computing for the screen in a thread: only the latest request, and models that are opened for it."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from tui_gpt.control import Control
from tui_gpt.errors import TuiGptError
from tui_gpt.generation.text_model import TextModel
from tui_gpt.session import SessionLike
from tui_gpt.storage.names import LIVE
from tui_gpt.tui.generate.controller import NO_THREAD
from tui_gpt.tui.text.tail import in_a_row
from tui_gpt.tui.threads import start_in_background

Request = TypeVar("Request")
Result = TypeVar("Result")

LIVE_SECONDS = 20.0
"""For how long the weights of a run in training are used before newer ones are requested."""


class LatestTask(Generic[Request, Result]):
    """Computes the latest request and stops the one before it, with one thread at most.

    `compute` yields results in the thread; `deliver` and `fail` are called there with the request, too, unless a later
    request has been made.
    """

    def __init__(
        self,
        compute: Callable[[Request, Control], Iterator[Result]],
        deliver: Callable[[Request, Result], object],
        fail: Callable[[Request, str], object],
    ) -> None:
        self._compute, self._deliver, self._fail = compute, deliver, fail
        self._lock = threading.Lock()
        self._pending: list[Request] = []
        self._control = Control()
        self._is_running = False

    def request(self, request: Request) -> None:
        """Compute this, and stop computing what was requested before."""
        with self._lock:
            self._control.stop()
            self._pending = [request]
            is_running, self._is_running = self._is_running, True
        if not is_running:
            try:
                start_in_background(self._run, "latest")
            except RuntimeError:
                self.cancel()
                self._is_running = False
                self._fail(request, NO_THREAD)

    def cancel(self) -> None:
        """Stop computing."""
        with self._lock:
            self._control.stop()
            self._pending = []

    def _run(self) -> None:
        while (taken := self._take()) is not None:
            request, control = taken
            try:
                for result in self._compute(request, control):
                    if control.stop_requested:
                        break
                    self._deliver(request, result)
            except Exception as error:
                if not control.stop_requested:
                    self._fail(request, sentence_of(error))

    def _take(self) -> tuple[Request, Control] | None:
        with self._lock:
            if not self._pending:
                self._is_running = False
                return None
            self._control = Control()
            return self._pending.pop(), self._control


def model_words(model: TextModel, text: str) -> str:
    """Return the name of a model, and the characters of a text that it does not know and that are left out."""
    unknown = model.unknown(text)
    return f"{model.name}, without {in_a_row(unknown[:12])}" if unknown else model.name


def sentence_of(error: Exception) -> str:
    """Return an error as one sentence."""
    return str(error) if isinstance(error, TuiGptError) else f"unexpected error ({type(error).__name__}: {error})"


class OpenModels:
    """Opens models for many small requests; live weights are requested only now and then. For one thread."""

    def __init__(self, session: SessionLike, clock: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._clock = clock
        self._live: tuple[float, TextModel] | None = None

    def open(self, source: str | None) -> TextModel:
        """Return a model, see `SessionLike.open_model`; one with live weights is LIVE_SECONDS old at most."""
        if source is None or source.rpartition("@")[2] != LIVE:
            return self._session.open_model(source)
        if self._live is None or self._clock() - self._live[0] > LIVE_SECONDS:
            self._live = self._clock(), self._session.open_model(source)
        return self._live[1]
