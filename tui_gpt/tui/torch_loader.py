"""PyTorch is imported behind the first picture, in a daemon thread; who needs it waits here, and may give up.

Importing takes two seconds and cannot be interrupted. So nobody else starts that import: a session is handed out that
waits until it is done, and lets go at once when the app leaves.
"""

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tui_gpt.config import RunConfig
from tui_gpt.control import Control
from tui_gpt.errors import TuiGptError
from tui_gpt.events import Event
from tui_gpt.generation.text_model import TextModel
from tui_gpt.requests import Estimate, Evaluation, TrainRequest
from tui_gpt.session import SessionLike
from tui_gpt.tui.threads import gc_paused

LOADING = "loading PyTorch"
"""The name of that activity."""
_POLL_SECONDS = 0.05


class LeavingError(TuiGptError):
    """The app is closing; nobody will see this."""


class TorchLoader:
    """Imports torch once, in the background."""

    def __init__(self, session: SessionLike) -> None:
        self._session = session
        self._done = threading.Event()
        self._settled = threading.Event()
        self._leaving = threading.Event()
        self.error: Exception | None = None
        """Why it could not be imported."""
        self._thread = threading.Thread(target=self._wake, name="waking", daemon=True)

    def start(self) -> None:
        """Begin to import."""
        self._thread.start()

    def leave(self) -> None:
        """Let go whoever waits."""
        self._leaving.set()

    @property
    def is_done(self) -> bool:
        """Whether torch is there, or cannot be."""
        return self._done.is_set()

    @property
    def is_busy(self) -> bool:
        """Whether the import is under way."""
        return self._thread.is_alive()

    def wait(self, *, to_train: bool = False) -> None:
        """Return once torch is there, and what only training needs. Raises LeavingError when the app closes first,
        TuiGptError when it cannot be."""
        awaited = self._settled if to_train else self._done
        while not awaited.wait(_POLL_SECONDS):
            if self._leaving.is_set():
                raise LeavingError("the app is closing")
        if self.error is not None:
            raise TuiGptError(waking_sentence(self.error)) from self.error

    def _wake(self) -> None:
        with gc_paused():
            try:
                self._session.load_torch()
            except Exception as error:
                self.error = error
            finally:
                self._done.set()
            if self.error is None and not self._leaving.is_set():
                with suppress(Exception):  # training will meet the same, and say so
                    self._session.collect_garbage()
            self._settled.set()


def waking_sentence(error: Exception) -> str:
    """Why nothing can be trained or written."""
    return f"PyTorch could not be imported ({error}): run `tui-gpt doctor` to find out why"


class DeferredSession:
    """A session whose methods wait for torch first, where they need it. Call them from a thread."""

    def __init__(self, session: SessionLike, waker: TorchLoader) -> None:
        self._session = session
        self._waker = waker

    def load_torch(self) -> None:
        """Return once torch is there."""
        self._waker.wait()

    def collect_garbage(self) -> None:
        """Nothing: the waker sees to it."""

    def train(self, request: TrainRequest, control: Control) -> Iterator[Event]:
        """See `SessionLike.train`."""
        control.report(LOADING)
        self._waker.wait(to_train=True)
        control.report_idle()
        yield from self._session.train(request, control)

    def estimate(self, config: RunConfig, control: Control) -> Estimate:
        """See `SessionLike.estimate`."""
        control.report(LOADING)
        self._waker.wait(to_train=True)
        control.report_idle()
        return self._session.estimate(config, control)

    def open_model(self, source: str | Path | None) -> TextModel:
        """See `SessionLike.open_model`; generating needs no torch."""
        return self._session.open_model(source)

    def evaluate(self, source: str | Path | None, control: Control) -> Evaluation:
        """See `SessionLike.evaluate`."""
        control.report(LOADING)
        self._waker.wait()
        control.report_idle()
        return self._session.evaluate(source, control)

    @property
    def run_name(self) -> str | None:
        """See `SessionLike.run_name`."""
        return self._session.run_name
