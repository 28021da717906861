"""The side of the process that trains a run: it obeys and answers requests, and shows that it is alive.

A daemon thread looks into the folder of requests ten times per second and hands what they ask for to the run's
`Control`, whose methods may be called from any thread. So requests are answered while the trainer makes a long step,
evaluates, is paused, or prepares a run that is resumed; they have their effect where those of the app have it, between
two steps. With several processes per run, only the one that holds the run's lock does this.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tui_gpt.config import changed, require_live, require_more_steps
from tui_gpt.control import Control
from tui_gpt.errors import TuiGptError
from tui_gpt.storage.locks import FileLock
from tui_gpt.storage.runs.live.requests import Answer, RequestFolder, RunRequest
from tui_gpt.storage.runs.run import Run

POLL_SECONDS = 0.1
_TOUCH_SECONDS = 2.0


@contextmanager
def obey_requests(run: Run, lock: FileLock, control: Control) -> Iterator[None]:
    """Within the block, obey and answer requests to the run, whose `lock` this process holds."""
    service = RequestService(run, lock, control)
    stopped = threading.Event()
    thread = threading.Thread(target=_serve, args=(service, stopped), name="requests", daemon=True)
    with suppress(RuntimeError):  # no more threads: then no other process can control the run
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        if thread.ident is not None:
            thread.join()
        service.end()


def _serve(service: "RequestService", stopped: threading.Event) -> None:
    while not stopped.wait(POLL_SECONDS):
        service.poll()


class RequestService:
    """Obeys the requests to one run."""

    def __init__(
        self, run: Run, lock: FileLock, control: Control, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Remove the requests to an earlier process."""
        self._run = run
        self._lock = lock
        self._control = control
        self._clock = clock
        self._folder = RequestFolder(run.path)
        self._has_ended = False
        self._touched = clock()
        with suppress(OSError):
            self._folder.clear()
        lock.touch()

    def poll(self) -> None:
        """Obey and answer the waiting requests; every other second, touch the lock."""
        now = self._clock()
        if now - self._touched >= _TOUCH_SECONDS:
            self._touched = now
            self._lock.touch()
        for identifier, request in self._folder.claim():
            problem = request if isinstance(request, str) else self._obey(request)
            with suppress(TuiGptError):
                self._folder.answer(identifier, Answer(problem=problem))

    def end(self) -> None:
        """Refuse the requests that came too late."""
        self._has_ended = True
        self.poll()
        self._folder.remove_if_empty()

    def _obey(self, request: RunRequest) -> str:
        """Hand a request to the run's control; return why it is refused, or ""."""
        control = self._control
        if request.action == "stop":
            control.stop()
            return ""
        if self._has_ended or control.stop_requested:
            return "the run is ending"
        match request.action:
            case "pause":
                control.pause()
            case "resume":
                control.resume()
            case "save":
                control.save()
            case "change":
                return self._change(request)
        return ""

    def _change(self, request: RunRequest) -> str:
        try:
            require_live(request.changes)
            require_more_steps(request.changes.get("max_iters"), self._newest_step())
            changed(self._run.config.train, request.changes)
        except TuiGptError as error:
            return str(error)
        self._control.change_all(request.changes)
        return ""

    def _newest_step(self) -> int:
        """Return the newest step in the log, which the run may have passed."""
        return max((event.step for event in self._run.log.ends()), default=0)
