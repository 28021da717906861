"""A generation in progress: a thread fills a buffer, and the screen empties it when it draws.

The two share one lock and never wait for each other, so a fast model cannot flood the screen and a slow screen cannot
hold up the model. After `stop` nothing more arrives, whatever the thread is still doing.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tui_gpt.config import SampleConfig
from tui_gpt.control import Control
from tui_gpt.errors import TuiGptError
from tui_gpt.generation.text_model import CHANGEABLE, CharacterLogprobs, Piece, TextModel
from tui_gpt.session import SessionLike
from tui_gpt.tui.generate.notebook import Answer, Change

Phase = Literal["opening", "generating", "done"]


@dataclass(frozen=True, slots=True)
class Burst:
    """The characters that arrived since the last `take`."""

    text: str
    logprobs: tuple[float, ...]
    changes: tuple[Change, ...] = ()


class GenerationJob:
    """Generates answers to one prompt, or scores one text. `run` is for a thread, the rest for the event loop."""

    def __init__(self, *answers: Answer, clock: Callable[[], float] = time.perf_counter) -> None:
        self.control = Control()
        self._clock = clock
        self._lock = threading.Lock()
        self._answers = answers
        self._phase: Phase = "opening"
        self._is_over = False
        self._fresh: list[tuple[Piece, ...]] = []
        self._texts: list[list[str]] = [[] for _ in answers]
        self._logprobs: list[list[float]] = [[] for _ in answers]
        self._spread = [CharacterLogprobs() for _ in answers]
        self._changes: list[list[Change]] = [[] for _ in answers]
        self._ends = [""] * len(answers)
        self._model: TextModel | None = None
        self._copied: list[float | None] = [None] * len(answers)
        self._requested_at = clock()
        self._began = 0.0
        self._arrived_at = 0.0
        self.seconds = 0.0
        """From opening the model to the last character taken."""

    @property
    def phase(self) -> Phase:
        """The stage of the generation."""
        return self._phase

    @property
    def is_over(self) -> bool:
        """Whether `run` has returned; only then is the copied fraction of a stopped answer known."""
        return self._is_over

    @property
    def waiting_seconds(self) -> float:
        """Seconds since the request while nothing has arrived; 0 after the first character."""
        return 0.0 if self._arrived_at else self._clock() - self._requested_at

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The answers with the text taken so far."""
        with self._lock:
            return tuple(map(self._so_far, range(len(self._answers))))

    def _so_far(self, place: int) -> Answer:
        answer = self._answers[place]
        return replace(
            answer,
            text="".join(self._texts[place]),
            logprobs=(*answer.logprobs, *self._logprobs[place]),
            changes=tuple(self._changes[place]),
            end=self._ends[place],
            seconds=self.seconds,
            copied=self._copied[place],
        )

    def take(self) -> tuple[Burst, ...]:
        """Return what arrived since the last call, for each answer."""
        with self._lock:
            fresh, self._fresh = self._fresh, []
            if fresh:
                self.seconds = self._arrived_at - self._began
            return tuple(self._taken(place, [pieces[place] for pieces in fresh]) for place in range(len(self._answers)))

    def _taken(self, place: int, pieces: Sequence[Piece]) -> Burst:
        """Note the next pieces of an answer, and the number of characters before each changed setting."""
        logprobs, changes, before = list[float](), list[Change](), len(self._logprobs[place])
        for piece in pieces:
            changes += [(before + len(logprobs), name, value) for name, value in piece.changes]
            logprobs += self._spread[place].take(piece)
            self._ends[place] = piece.end or self._ends[place]
        self._texts[place].append("".join(piece.text for piece in pieces))
        self._logprobs[place] += logprobs
        self._changes[place] += changes
        return Burst(self._texts[place][-1], tuple(logprobs), tuple(changes))

    def change(self, before: SampleConfig, after: SampleConfig) -> None:
        """Apply the settings in which `after` differs to the characters still to be generated."""
        for name in CHANGEABLE:
            if getattr(before, name) != getattr(after, name):
                self.control.change(name, getattr(after, name))

    def stop(self) -> None:
        """Accept no more characters, and ask the thread to end."""
        self.control.stop()
        with self._lock:
            if self._phase != "done":
                self._phase = "done"
                self._answers = tuple(replace(answer, stopped=True) for answer in self._answers)

    def run(self, session: SessionLike, turn: threading.Lock) -> None:
        """Open the model and generate. Only one generation at a time holds `turn`."""
        try:
            with turn:
                for pieces in self._pieces(session):
                    if not self._arrived(pieces):
                        break
                self._measure_copied()
            self._finish()
        except TuiGptError as error:
            self._finish(str(error))
        except Exception as error:
            self._finish(f"unexpected error during generation ({type(error).__name__}: {error})")
        finally:
            self._is_over = True

    def fail(self, sentence: str) -> None:
        """End without a thread, for the reason in `sentence`."""
        self._finish(sentence)
        self._is_over = True

    def _pieces(self, session: SessionLike) -> Iterator[tuple[Piece, ...]]:
        """Yield the next token of every answer."""
        if self.control.stop_requested:
            return
        first = self._answers[0]
        model = session.open_model(first.source)
        text = first.text if first.kind == "measured" else first.given
        self._opened(model, text)
        if first.kind == "measured":
            yield from ((piece,) for piece in model.score(text))
        elif first.batch == 1:
            yield from ((piece,) for piece in model.stream(text, first.config, self.control))
        else:
            for pieces in model.stream_many(text, first.config, first.batch, self.control):
                yield tuple(pieces[answer.place] for answer in self._answers)

    def _opened(self, model: TextModel, text: str) -> None:
        """Note the model in the answers, and the characters of `text` that it does not know."""
        left_out = model.unknown(text)
        with self._lock:
            if self._phase == "opening":
                self._phase = "generating"
            self._model = model
            self._began = self._clock()
            self._answers = tuple(
                replace(
                    answer,
                    model=model.name,
                    source=answer.source or model.name,
                    step=model.step,
                    left_out=left_out,
                    text="",
                )
                for answer in self._answers
            )

    def _arrived(self, pieces: tuple[Piece, ...]) -> bool:
        """Put pieces into the buffer; return False after a stop."""
        with self._lock:
            if self._phase == "done":
                return False
            self._fresh.append(pieces)
            self._arrived_at = self._clock()
            return True

    def _measure_copied(self) -> None:
        """Compute the copied fraction of each answer, including stopped ones."""
        if self._model is None or self._answers[0].kind == "measured":
            return
        with self._lock:
            texts = [
                "".join([*taken, *(pieces[place].text for pieces in self._fresh)])
                for place, taken in enumerate(self._texts)
            ]
        shares = [self._model.copied(text) for text in texts]
        with self._lock:
            self._copied = shares

    def _finish(self, error: str = "") -> None:
        with self._lock:
            if self._phase != "done":
                self._phase = "done"
                self._answers = tuple(replace(answer, error=error) for answer in self._answers)
