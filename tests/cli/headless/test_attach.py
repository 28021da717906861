"""Following a run without a screen: it is shown from its newest event on, and nothing that happens here stops it."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from tests.cli.helpers import BrokenPipe, memory_streams
from tests.fakes import FakeSession, finished, progress, short_script, started
from tui_gpt.cli.headless.attach import attach
from tui_gpt.cli.headless.streams import Streams
from tui_gpt.control import Control
from tui_gpt.errors import EXIT_SIGPIPE, StorageError
from tui_gpt.events import Event, to_json
from tui_gpt.storage.runs.live.attach import READING_LOG


class Past(FakeSession):
    """Yields the first events as what was in the log before."""

    def attach(self, name: str, control: Control) -> Iterator[Event]:
        control.report(READING_LOG)
        yield from (started(), progress(1))
        control.report_idle()
        yield from (progress(2), finished(2))


def test_the_events_are_written_as_json_from_the_first_one_on() -> None:
    streams, out, _ = memory_streams()
    assert attach(Past(), "far", streams, as_json=True) == 0
    lines = [to_json(event) for event in (started(), progress(1), progress(2), finished(2))]
    assert out.getvalue().splitlines() == lines


def test_the_progress_is_shown_from_the_newest_event_on() -> None:
    streams, out, messages = memory_streams()
    assert attach(Past(), "far", streams, as_json=False) == 0
    assert out.getvalue() == ""
    text = messages.getvalue()
    assert text.startswith("following far (Ctrl+C detaches, and the run continues)\nstep 2/40")
    assert "done after 2 steps" in text
    assert "training nano" not in text


@pytest.mark.skipif(os.name == "nt", reason="signals are sent as POSIX systems do")
def test_a_signal_detaches_and_leaves_the_run_alone() -> None:
    session = FakeSession(short_script(), hold_at=20)
    streams, _, messages = memory_streams()
    timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    assert attach(session, "far", streams, as_json=False) == 130
    timer.join()
    assert session.control.detach_requested
    assert not session.control.stop_requested
    assert messages.getvalue().endswith("detached; far continues\n")


def test_a_reader_that_exits_detaches() -> None:
    session = FakeSession(short_script())
    _, _, messages = memory_streams()
    assert attach(session, "far", Streams(BrokenPipe(1, BrokenPipeError()), messages), as_json=True) == EXIT_SIGPIPE
    assert session.control.detach_requested
    assert not session.control.stop_requested


def test_a_full_disk_under_stdout_detaches_with_a_sentence() -> None:
    _, _, messages = memory_streams()
    out = BrokenPipe(1, OSError(28, "No space left on device"))
    with pytest.raises(StorageError, match="detached, as stdout cannot be written"):
        attach(FakeSession(short_script()), "far", Streams(out, messages), as_json=True)
