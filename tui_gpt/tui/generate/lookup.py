"""What a model thinks comes next at one place of a text: asked for by a cursor that moves faster than a model thinks.

Only the last place asked for is worth an answer; places passed by are skipped, and answers are kept. A place is asked
exactly as a branch from it would be written, so the shares shown are those that the branch will be drawn from.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from tui_gpt.config import SampleConfig
from tui_gpt.control import Control
from tui_gpt.errors import TuiGptError
from tui_gpt.generation.text_model import TextModel
from tui_gpt.session import SessionLike

_KEPT = 500

Place = tuple[str | None, str]
"""A source, as `SessionLike.open_model` takes it, and the text before the place."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The likeliest characters with their probabilities, or the sentence that says why there are none."""

    alternatives: tuple[tuple[str, float], ...] = ()
    error: str = ""


class AlternativesLookup:
    """Answers for the last place asked for. `run` is for a thread, the rest for the screen."""

    def __init__(self, session: SessionLike, turn: threading.Lock) -> None:
        self._session = session
        self._turn = turn
        self._lock = threading.Lock()
        self._wanted: Place | None = None
        self._running = False
        self._known: dict[Place, Prediction] = {}
        self._model: tuple[str | None, TextModel] | None = None
        self._control = Control()

    def known(self, place: Place) -> Prediction | None:
        """What is known of a place already."""
        return self._known.get(place)

    def want(self, place: Place) -> bool:
        """Ask for a place; whether a thread has to be started for it."""
        with self._lock:
            self._wanted = place
            started, self._running = self._running, True
            return not started

    def forget(self) -> None:
        """Let go of the model and of what it thought: another one may answer to the same name."""
        with self._lock:
            self._known.clear()
            self._model = None
            self._wanted = None

    def fail(self, sentence: str) -> None:
        """There is no thread for what is wanted: answer it with that sentence."""
        with self._lock:
            self._running = False
            if self._wanted is not None:
                self._known[self._wanted] = Prediction(error=sentence)
                self._wanted = None

    def stop(self) -> None:
        """Let the thread come to an end."""
        self._control.stop()
        self.forget()

    def run(self, ready: Callable[[], object]) -> None:
        """Answer until nothing is wanted, calling `ready` after each answer."""
        while (place := self._take()) is not None:
            try:
                thought = self._think(place)
            except TuiGptError as error:
                thought = Prediction(error=str(error))
            except Exception as error:
                thought = Prediction(error=f"something unexpected happened ({type(error).__name__}: {error})")
            with self._lock:
                if len(self._known) >= _KEPT:
                    self._known.clear()
                self._known[place] = thought
            ready()

    def _take(self) -> Place | None:
        with self._lock:
            place, self._wanted = self._wanted, None
            if place is None or self._control.stop_requested:
                self._running = False
                return None
            return place

    def _think(self, place: Place) -> Prediction:
        source, text = place
        config = SampleConfig(max_new_tokens=1, temperature=1.0, seed=0)
        with self._turn:
            model = self._opened(source)
            piece = next(iter(model.stream(text, config, self._control, details=True)), None)
        return Prediction(piece.alternatives if piece is not None else ())

    def _opened(self, source: str | None) -> TextModel:
        """The model, opened once for all the places of one text."""
        if self._model is None or self._model[0] != source:
            self._model = (source, self._session.open_model(source))
        return self._model[1]
