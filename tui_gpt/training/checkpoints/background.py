"""Writes checkpoints in the background: the trainer submits copies and continues, one thread writes them.

A kind of checkpoint (`last`, `best`) that is submitted again while it waits is replaced, so a slow disk delays
checkpoints and never training. The new one goes to the end of the queue: a `last` that refers to a new `best` must not
be on disk before it, or a crash in between would lose the `best` for good. A failure is kept as a sentence for the
trainer to report.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tui_gpt.errors import TuiGptError


@dataclass(frozen=True)
class SaveResult:
    """The result of one attempt: where the checkpoint of `step` was committed, or why it was not."""

    kind: str
    step: int
    path: Path | None
    problem: str = ""


class BackgroundSaver:
    """Runs save jobs in order in its own thread, which ends when there is nothing to do.

    All methods must be called by one thread, the trainer's.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._waiting: dict[str, tuple[int, Callable[[], Path]]] = {}
        self._results: list[SaveResult] = []
        self._thread: threading.Thread | None = None

    def submit(self, kind: str, step: int, job: Callable[[], Path]) -> None:
        """Run `job`, which commits the checkpoint of `step` or raises StorageError, in the background."""
        with self._condition:
            self._waiting.pop(kind, None)
            self._waiting[kind] = (step, job)
            if self._thread is not None:
                return
            self._thread = threading.Thread(target=self._work, name="checkpoint-writer")
        try:
            self._thread.start()
        except RuntimeError:  # no more threads: training waits for the disk instead
            self._work()

    def take_results(self) -> list[SaveResult]:
        """Return the results of the jobs that have ended since the last call."""
        with self._condition:
            results, self._results = self._results, []
        return results

    def wait(self) -> None:
        """Wait until every submitted job has ended."""
        with self._condition:
            self._condition.wait_for(lambda: self._thread is None)

    def _work(self) -> None:
        try:
            while job := self._next_job():
                result = self._attempt(*job)
                with self._condition:
                    self._results.append(result)
        except BaseException:
            self._end()
            raise

    def _next_job(self) -> tuple[str, int, Callable[[], Path]] | None:
        with self._condition:
            if self._waiting:
                kind = next(iter(self._waiting))
                return kind, *self._waiting.pop(kind)
            self._end()
            return None

    def _end(self) -> None:
        with self._condition:
            self._thread = None
            self._condition.notify_all()

    def _attempt(self, kind: str, step: int, job: Callable[[], Path]) -> SaveResult:
        try:
            return SaveResult(kind, step, job())
        except TuiGptError as error:
            return SaveResult(kind, step, None, str(error))
        except Exception as error:
            return SaveResult(kind, step, None, f"the checkpoint could not be written: {error!r}")
