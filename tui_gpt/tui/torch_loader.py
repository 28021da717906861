"""PyTorch is imported after the first paint, in a daemon thread; only training waits for it, and may give up.

The import takes two seconds and cannot be interrupted, so no other thread may start it. `DeferredSession` waits until
it is done, and returns at once when the app is closing.
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


class ClosingError(TuiGptError):
    """The app is closing, so the error is not shown."""


class TorchLoader:
    """Imports torch once, in the background."""

    def __init__(self, session: SessionLike) -> None:
        self._session = session
        self._imported = threading.Event()
        self._collected = threading.Event()
        self._closing = threading.Event()
        self.error: Exception | None = None
        """Why it could not be imported."""
        self._thread = threading.Thread(target=self._load, name="loading-torch", daemon=True)

    def start(self) -> None:
        """Begin the import."""
        self._thread.start()

    def start_once(self) -> None:
        """Begin the import, unless it has begun."""
        if self._thread.ident is None:
            self.start()

    def leave(self) -> None:
        """Release the threads that wait."""
        self._closing.set()

    @property
    def is_done(self) -> bool:
        """Whether torch has been imported, or could not be."""
        return self._imported.is_set()

    @property
    def is_busy(self) -> bool:
        """Whether the thread is still at work."""
        return self._thread.is_alive()

    def wait(self) -> None:
        """Wait until training can begin.

        Raises ClosingError when the app closes first, TuiGptError when torch could not be imported.
        """
        while not self._collected.wait(_POLL_SECONDS):
            if self._closing.is_set():
                raise ClosingError("the app is closing")
        if self.error is not None:
            message = f"PyTorch could not be imported ({self.error}): run `tui-gpt doctor` to find out why"
            raise TuiGptError(message) from self.error

    def _load(self) -> None:
        with gc_paused():
            try:
                self._session.load_torch()
            except Exception as error:
                self.error = error
            finally:
                self._imported.set()
            if self.error is None and not self._closing.is_set():
                with suppress(Exception):  # training fails in the same way, and reports it
                    self._session.collect_garbage()
            self._collected.set()


class DeferredSession:
    """A session that waits for torch before it trains or evaluates. Call its methods from a thread."""

    def __init__(self, session: SessionLike, loader: TorchLoader) -> None:
        self._session = session
        self._loader = loader

    def load_torch(self) -> None:
        """Wait until torch has been imported."""
        self._loader.wait()

    def collect_garbage(self) -> None:
        """Do nothing: the loader does it."""

    def train(self, request: TrainRequest, control: Control) -> Iterator[Event]:
        """See `SessionLike.train`."""
        self._wait(control)
        yield from self._session.train(request, control)

    def attach(self, name: str, control: Control) -> Iterator[Event]:
        """See `SessionLike.attach`; following needs no torch."""
        return self._session.attach(name, control)

    def estimate(self, config: RunConfig, control: Control) -> Estimate:
        """See `SessionLike.estimate`."""
        self._wait(control)
        return self._session.estimate(config, control)

    def evaluate(self, source: str | Path | None, control: Control) -> Evaluation:
        """See `SessionLike.evaluate`."""
        self._wait(control)
        return self._session.evaluate(source, control)

    def open_model(self, source: str | Path | None) -> TextModel:
        """See `SessionLike.open_model`; generation needs no torch."""
        return self._session.open_model(source)

    def release_models(self) -> None:
        """See `SessionLike.release_models`."""
        self._session.release_models()

    @property
    def run_name(self) -> str | None:
        """See `SessionLike.run_name`."""
        return self._session.run_name

    def _wait(self, control: Control) -> None:
        control.report(LOADING)
        self._loader.wait()
        control.report_idle()
