"""One answer on its way from a model to the screen: a thread fills a buffer, the screen empties it when it draws.

The two meet in one lock and never wait for each other, so a fast model cannot flood the screen and a slow screen cannot
hold the model. Stopping is at once for who looks: nothing arrives any more, whatever the thread is still doing.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from tui_gpt.control import Control
from tui_gpt.errors import TuiGptError
from tui_gpt.notebook import Answer
from tui_gpt.session import SessionLike
from tui_gpt.writing import Piece

Phase = Literal["opening", "writing", "done"]


@dataclass(frozen=True, slots=True)
class Burst:
    """What arrived since the last look."""

    text: str
    logprobs: tuple[float, ...]


class Writer:
    """Writes (or measures) `answer`. `run` is for a thread; everything else for the screen."""

    def __init__(self, answer: Answer, clock: Callable[[], float] = time.perf_counter) -> None:
        self.control = Control()
        self._clock = clock
        self._lock = threading.Lock()
        self._answer = answer
        self._phase: Phase = "opening"
        self._fresh: list[Piece] = []
        self._texts = [answer.text] if answer.kind == "written" else []
        self._logprobs: list[float] = []
        self._began: float | None = None
        self._seconds = 0.0

    @property
    def phase(self) -> Phase:
        """How far it is."""
        return self._phase

    @property
    def answer(self) -> Answer:
        """The answer as far as it has come, without what `take` has not handed out."""
        with self._lock:
            return replace(
                self._answer,
                text="".join(self._texts),
                logprobs=(*self._answer.logprobs, *self._logprobs),
                seconds=self._seconds,
            )

    def take(self) -> Burst:
        """What arrived since the last call."""
        with self._lock:
            fresh, self._fresh = self._fresh, []
            burst = Burst("".join(piece.text for piece in fresh), tuple(piece.logprob for piece in fresh))
            self._texts.append(burst.text)
            self._logprobs.extend(burst.logprobs)
            if self._began is not None and fresh:
                self._seconds = self._clock() - self._began
        return burst

    def stop(self) -> None:
        """Let nothing more arrive, and the thread come to an end."""
        self.control.stop()
        with self._lock:
            if self._phase != "done":
                self._phase = "done"
                self._answer = replace(self._answer, stopped=True)

    def run(self, session: SessionLike, turn: threading.Lock) -> None:
        """Open the model and write, when the model is free: one stream at a time has its `turn`."""
        try:
            with turn:
                for piece in self._pieces(session):
                    if not self._arrived(piece):
                        return
            self._finish()
        except TuiGptError as error:
            self._finish(str(error))
        except Exception as error:
            self._finish(f"something unexpected happened while writing ({type(error).__name__}: {error})")

    def _pieces(self, session: SessionLike) -> Iterator[Piece]:
        if self.control.stop_requested:
            return
        model = session.open_model(self._answer.source)
        asked = self._answer.text if self._answer.kind == "measured" else self._answer.given
        with self._lock:
            if self._phase == "opening":
                self._phase = "writing"
            self._answer = replace(
                self._answer, model=model.name, step=model.step, left_out=model.unknown(asked), text=""
            )
            self._began = self._clock()
        if self._answer.kind == "measured":
            yield from model.surprise(asked)
        else:
            yield from model.stream(asked, self._answer.config, self.control)

    def _arrived(self, piece: Piece) -> bool:
        """Put a piece into the buffer, unless nobody waits for it any more."""
        with self._lock:
            if self._phase == "done":
                return False
            self._fresh.append(piece)
            return True

    def _finish(self, error: str = "") -> None:
        with self._lock:
            if self._phase != "done":
                self._phase = "done"
                self._answer = replace(self._answer, error=error)
