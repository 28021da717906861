"""The model's predictions at a position of a text, requested by a cursor that may move faster than the model computes.

Only the latest request is computed, and results are cached. A position is evaluated exactly as a branch from it would
be generated, so the probabilities shown are those that the branch is sampled from.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tui_gpt.errors import TuiGptError
from tui_gpt.generation.text_model import TextModel
from tui_gpt.session import SessionLike

if TYPE_CHECKING:
    from tui_gpt.generation.explanation import Explanation

_MAX_CACHED = 64
"""Predictions; each may hold half a megabyte of attention weights."""
_TOKEN_CHARACTERS = 32


class Position(NamedTuple):
    """A place in a text."""

    source: str | None
    """As `SessionLike.open_model` takes it."""
    before: str
    after: str = ""
    """The beginning of the text from the position on: the token there is in it."""

    @classmethod
    def at(cls, source: str | None, text: str, index: int) -> Position:
        """Return the position of the character at `index` of `text`."""
        return cls(source, text[:index], text[index : index + _TOKEN_CHARACTERS])


@dataclass(frozen=True, slots=True)
class Prediction:
    """The most likely next characters with their probabilities, or the reason why they are missing."""

    alternatives: tuple[tuple[str, float], ...] = ()
    token: str = ""
    """The token of the text at the position if it is one of the alternatives; else its character."""
    explanation: Explanation | None = None
    nearest: tuple[tuple[str, float], ...] = ()
    """The tokens with the embeddings most similar to that of `token`."""
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
        self._is_stopped = False

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
        self._is_stopped = True
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
            if position is None or self._is_stopped:
                self._running = False
                return None
            return position

    def _predict(self, position: Position) -> Prediction:
        with self._turn:
            model = self._open(position.source)
            explanation = model.explain(position.before)
            alternatives = explanation.alternatives()
            token = token_at(position.after, 0, [text for text, _ in alternatives])
            return Prediction(alternatives, token, explanation, model.nearest(token))

    def _open(self, source: str | None) -> TextModel:
        """Return the model, opened once for all positions of a text."""
        if self._model is None or self._model[0] != source:
            self._model = (source, self._session.open_model(source))
        return self._model[1]


def token_at(text: str, index: int, alternatives: Sequence[str]) -> str:
    """Return the longest of the predicted tokens that `text` has at `index`, else its character there."""
    found = [token for token in alternatives if text.startswith(token, index)]
    return max(found, key=len, default=text[index : index + 1])
