"""Training without a screen: what goes to stdout, what to stderr, and the exit code."""

import io
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.headless.writing import write
from tests.cli.helpers import BrokenPipe, FakeTerminal, memory_streams, short_session
from tests.fakes import FakeSession, estimated, evaluated, finished, progress, short_script, started
from tui_gpt.cli.headless.streams import Streams
from tui_gpt.cli.headless.train import train
from tui_gpt.control import Control
from tui_gpt.errors import EXIT_SIGPIPE, StorageError
from tui_gpt.events import Event, Saved, from_json
from tui_gpt.requests import TrainRequest


def test_json_is_every_event_on_a_line() -> None:
    streams, out, _ = memory_streams()
    assert train(short_session(), TrainRequest(), streams, as_json=True) == 0
    assert [from_json(line) for line in out.getvalue().splitlines()] == short_script()


def test_without_json_stdout_stays_empty() -> None:
    streams, out, messages = memory_streams()
    assert train(short_session(), TrainRequest(), streams, as_json=False) == 0
    assert out.getvalue() == ""
    assert "training nano: 810 k parameters" in messages.getvalue()


def test_a_quiet_run_writes_nothing_to_stderr() -> None:
    streams, _, messages = memory_streams(quiet=True)
    train(short_session(), TrainRequest(), streams, as_json=True)
    assert messages.getvalue() == ""


def test_the_summary_names_loss_place_and_the_next_command() -> None:
    streams, _, messages = memory_streams()
    train(short_session(), TrainRequest(), streams, as_json=False)
    assert messages.getvalue().endswith(
        "done after 40 steps, 2 s\n"
        "best validation loss 1.8812 (2.714 bits per character, on 111,540 characters)\n"
        "saved in /home/runs/one\n"
        "generate:       tui-gpt generate --run fake-run\n"
        "train further:  tui-gpt train --headless --resume fake-run --max-iters 80\n"
    )


def test_a_best_loss_that_is_an_estimate_is_called_that() -> None:
    estimate = estimated(20, 1.9)
    ending = replace(finished(), best_is_estimate=True)
    streams, _, messages = memory_streams()
    train(FakeSession([started(), estimate, ending]), TrainRequest(), streams, as_json=False)
    assert "(2.714 bits per character, estimate on 8,192 characters)\n" in messages.getvalue()


def test_a_finished_run_that_is_resumed_names_the_command_to_train_further() -> None:
    session = FakeSession([replace(started(), step=40), finished()])
    streams, _, messages = memory_streams()
    assert train(session, TrainRequest(resume="one"), streams, as_json=False) == 0
    assert "nothing left to do: all 40 steps are done\n" in messages.getvalue()
    assert messages.getvalue().endswith("tui-gpt train --headless --resume one --max-iters 80\n")


def test_every_evaluation_has_a_line_of_its_own_on_a_pipe() -> None:
    session = FakeSession([started(), *(evaluated(k, 2.0 - k / 10, is_best=k == 2) for k in (1, 2, 3))])
    streams, _, messages = memory_streams()
    train(session, TrainRequest(), streams, as_json=False)
    lines = [line for line in messages.getvalue().splitlines() if "validation loss" in line]
    assert lines == [
        "step 1: training loss 1.8000, validation loss 1.9000",
        "step 2: training loss 1.7000, validation loss 1.8000, the best so far",
        "step 3: training loss 1.6000, validation loss 1.7000",
    ]


def test_the_summary_of_a_stopped_run_names_the_command_to_resume_it() -> None:
    session = FakeSession([started(), Saved(step=20, path="/a b/last"), finished(20, reason="stopped")])
    streams, _, messages = memory_streams()
    train(session, TrainRequest(model_path=Path("/a b")), streams, as_json=False)
    assert "tui-gpt generate --model-path '/a b'\n" in messages.getvalue()
    assert messages.getvalue().endswith("tui-gpt train --headless --resume --model-path '/a b'\n")


def test_the_progress_bar_is_gone_at_the_end() -> None:
    messages = FakeTerminal()
    streams = Streams(io.StringIO(), messages)
    train(short_session(), TrainRequest(), streams, as_json=False)
    assert "\r\x1b[Kdone after" in messages.getvalue()


def test_the_progress_bar_is_gone_before_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal without a title, as restoring one would be the last thing that is written."""
    monkeypatch.setenv("TERM", "dumb")
    messages = FakeTerminal()
    session = FakeSession([started(), progress(1), StorageError("the disk is full")])
    with pytest.raises(StorageError):
        train(session, TrainRequest(), Streams(io.StringIO(), messages), as_json=False)
    assert messages.getvalue().endswith("\r\x1b[K")


def test_a_reader_that_exits_stops_the_run_and_saves_it() -> None:
    messages = io.StringIO()
    out = BrokenPipe(1, BrokenPipeError())
    session = FakeSession([started(), progress(1), progress(2), progress(3), finished()])
    assert train(session, TrainRequest(), Streams(out, messages), as_json=True) == EXIT_SIGPIPE
    assert session.control.stop_requested
    assert "stopped after" in messages.getvalue()
    assert "stdout was closed; the run was saved and stopped" in messages.getvalue()


def test_a_full_disk_under_stdout_stops_the_run_with_a_sentence() -> None:
    out = BrokenPipe(1, OSError(28, "No space left on device"))
    with pytest.raises(StorageError, match="stdout cannot be written"):
        train(short_session(), TrainRequest(), Streams(out, io.StringIO()), as_json=True)


def test_a_run_ends_with_the_code_of_its_signal() -> None:
    class Interrupting(FakeSession):
        def train(self, request: TrainRequest, control: Control) -> Iterator[Event]:
            yield started()
            os.kill(os.getpid(), signal.SIGTERM)
            yield progress(1)
            assert control.stop_requested
            yield finished(1, reason="stopped")

    streams, _, messages = memory_streams()
    assert train(Interrupting(), TrainRequest(), streams, as_json=False) == 143
    assert "stopped after 1 steps" in messages.getvalue()


def test_a_closed_terminal_does_not_keep_a_run_from_its_end() -> None:
    session = short_session()
    assert train(session, TrainRequest(), Streams(io.StringIO(), BrokenPipe(0, OSError(5, "EIO"))), as_json=False) == 0
    assert write(session, Streams(io.StringIO(), BrokenPipe(0, OSError(5, "EIO")))) == 0
