"""The model's predictions at a position of a text, requested by a cursor that may move faster than the model computes.

Only the latest request is computed, and results are cached. A position is evaluated exactly as a branch from it would
be generated, so the probabilities shown are those that the branch is sampled from.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from tui_gpt.config import SampleConfig
from tui_gpt.control import Control
from tui_gpt.errors import TuiGptError
from tui_gpt.generation.text_model import TextModel
from tui_gpt.session import SessionLike

_MAX_CACHED = 500

Position = tuple[str | None, str]
"""A source, as `SessionLike.open_model` takes it, and the text before the position."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The most likely next characters with their probabilities, or the reason why they are missing."""

    alternatives: tuple[tuple[str, float], ...] = ()
    error: str = ""


class AlternativesLookup:
    """Predictions for the latest position requested. `run` is for a thread, the rest for the event loop."""

    def __init__(self, session: SessionLike, turn: threading.Lock) -> None:
        self._session = session
        self._turn = turn
        self._lock = threading.Lock()
        self._requested: Position | None = None
        self._running = False
        self._cache: dict[Position, Prediction] = {}
        self._model: tuple[str | None, TextModel] | None = None
        self._control = Control()

    def cached(self, position: Position) -> Prediction | None:
        """Return the prediction at a position if it has been computed."""
        return self._cache.get(position)

    def request(self, position: Position) -> bool:
        """Request a position; return whether a thread has to be started to `run`."""
        with self._lock:
            self._requested = position
            running, self._running = self._running, True
            return not running

    def forget(self) -> None:
        """Drop the model and the cache: another model may have the same name by now."""
        with self._lock:
            self._cache.clear()
            self._model = None
            self._requested = None

    def fail(self, sentence: str) -> None:
        """Answer the request with the reason why no thread could be started."""
        with self._lock:
            self._running = False
            if self._requested is not None:
                self._cache[self._requested] = Prediction(error=sentence)
                self._requested = None

    def stop(self) -> None:
        """Ask the thread to end."""
        self._control.stop()
        self.forget()

    def run(self, ready: Callable[[], object]) -> None:
        """Compute until nothing is requested, calling `ready` after each prediction."""
        while (position := self._take()) is not None:
            try:
                prediction = self._predict(position)
            except TuiGptError as error:
                prediction = Prediction(error=str(error))
            except Exception as error:
                prediction = Prediction(error=f"unexpected error ({type(error).__name__}: {error})")
            with self._lock:
                if len(self._cache) >= _MAX_CACHED:
                    self._cache.clear()
                self._cache[position] = prediction
            ready()

    def _take(self) -> Position | None:
        with self._lock:
            position, self._requested = self._requested, None
            if position is None or self._control.stop_requested:
                self._running = False
                return None
            return position

    def _predict(self, position: Position) -> Prediction:
        source, text = position
        config = SampleConfig(max_new_tokens=1, temperature=1.0, seed=0)
        with self._turn:
            model = self._open(source)
            piece = next(iter(model.stream(text, config, self._control, details=True)), None)
        return Prediction(piece.alternatives if piece is not None else ())

    def _open(self, source: str | None) -> TextModel:
        """Return the model, opened once for all positions of a text."""
        if self._model is None or self._model[0] != source:
            self._model = (source, self._session.open_model(source))
        return self._model[1]
