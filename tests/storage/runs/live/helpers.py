"""A run of another process, in a thread of the test: it makes a step whenever its control is looked at."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fakes import finished, progress, started
from tui_gpt.control import Control
from tui_gpt.events import Paused, Resumed, SettingChanged
from tui_gpt.storage.recorder import Recorder
from tui_gpt.storage.runs import Run
from tui_gpt.storage.runs.live.service import obey_requests

TIMEOUT_SECONDS = 60.0
"""Far longer than anything takes, so that no test depends on how busy the machine is."""


def wait_until(predicate: Callable[[], bool]) -> None:
    """Wait until `predicate` holds; fails after a long time."""
    until = time.monotonic() + TIMEOUT_SECONDS
    while not predicate():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.005)


class Writer:
    """Writes a run like a trainer, and obeys its control."""

    def __init__(self, run: Run) -> None:
        self.control = Control()
        self.started = threading.Event()
        self._run = run
        self._thread = threading.Thread(target=self._work, daemon=True)

    def _work(self) -> None:
        with self._run.lock() as lock, obey_requests(self._run, lock, self.control):
            recorder, step = Recorder(self._run), 0
            list(recorder.take(started()))
            self.started.set()
            while not self.control.stop_requested:
                step += 1
                time.sleep(0.01)
                list(recorder.take(progress(step)))
                self._obey(recorder, step)
            list(recorder.take(finished(step, None, "stopped")))

    def _obey(self, recorder: Recorder, step: int) -> None:
        for setting, value in self.control.take_changes().items():
            list(recorder.take(SettingChanged(step=step, setting=setting, value=value)))
        if self.control.pause_requested:
            list(recorder.take(Paused(step=step)))
            for _ in self.control.wait_while_paused():
                pass
            if not self.control.stop_requested:
                list(recorder.take(Resumed(step=step)))

    def start(self) -> None:
        self._thread.start()
        assert self.started.wait(TIMEOUT_SECONDS)

    def end(self) -> None:
        self.control.stop()
        self._thread.join(TIMEOUT_SECONDS)
        assert not self._thread.is_alive()


@contextmanager
def training(run: Run) -> Iterator[Writer]:
    """Train a run in a thread within the block."""
    writer = Writer(Run(run.path))
    writer.start()
    try:
        yield writer
    finally:
        writer.end()


def request_files(run: Run) -> list[Path]:
    """Return what is in the folder of requests."""
    folder = run.path / "requests"
    return sorted(folder.iterdir()) if folder.is_dir() else []
