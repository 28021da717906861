"""A run of another process is followed and controlled; what kills either side loses nothing."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes import finished, progress, started
from tests.storage.runs.live.helpers import request_files, training, wait_until
from tui_gpt.control import Control
from tui_gpt.errors import NotTrainingError, RequestRefusedError, RunDiedError
from tui_gpt.events import Event, Finished, Paused, RequestRefused, Resumed, SettingChanged, Started
from tui_gpt.storage.runs import Run, RunStore
from tui_gpt.storage.runs.live import attach as module
from tui_gpt.storage.runs.live.attach import READING_LOG, Relay, attach, send_request
from tui_gpt.storage.runs.live.requests import RunRequest

WRITER = """
import time
from tests.fakes import progress, started
from tui_gpt.storage.runs import RunStore
run = RunStore().get("plays")
with run.lock():
    run.set_state("running")
    run.record(started())
    run.record(progress(1))
    print("ready", flush=True)
    time.sleep(600)
"""
"""Another process that writes a run, and knows no requests."""


@pytest.fixture
def foreign(run: Run) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-c", WRITER], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def next_of(events: Iterator[Event], kind: type[Any]) -> Any:
    return next(event for event in events if isinstance(event, kind))


def test_a_run_is_followed_from_its_first_event_to_its_end(run: Run) -> None:
    control = Control()
    with training(run):
        events = []
        for event in attach(run, control):
            events.append(event)
            if len(events) == 10:
                control.stop()
        assert isinstance(events[0], Started)
        assert isinstance(events[-1], Finished)
        assert events == list(run.events())
    assert run.state == "stopped"
    assert control.activity is None


def test_what_its_control_is_asked_for_reaches_the_run(run: Run) -> None:
    control = Control()
    with training(run) as writer:
        events = attach(run, control)
        next(events)
        control.pause()
        next_of(events, Paused)
        control.change("learning_rate", 0.25)
        control.save()
        control.resume()
        next_of(events, Resumed)
        assert next_of(events, SettingChanged).value == 0.25
        wait_until(lambda: next(events) is not None and writer.control.take_save_request())
        control.stop()
        assert next_of(events, Finished).reason == "stopped"


def test_a_refused_change_is_an_event_of_the_follower_and_not_of_the_log(run: Run) -> None:
    control = Control()
    with training(run):
        events = attach(run, control)
        next(events)
        control.change("seed", 3)
        refusal = next_of(events, RequestRefused)
        assert refusal.request == "change"
        assert "seed cannot change" in refusal.reason
        assert not any(isinstance(event, RequestRefused) for event in run.events())


def test_to_detach_leaves_the_run_alone(run: Run) -> None:
    control = Control()
    with training(run) as writer:
        events = attach(run, control)
        next(events)
        control.detach()
        assert len(list(events)) < 1_000
        assert not writer.control.stop_requested
        assert run.writer() is not None


def test_what_another_follower_asks_for_is_known_to_this_one(run: Run) -> None:
    """So that its key for a pause continues a run that another user has paused."""
    first, second = Control(), Control()
    with training(run):
        events = attach(run, first)
        next(events)
        others = attach(run, second)
        next(others)
        first.pause()
        next_of(events, Paused)
        next_of(others, Paused)
        assert second.pause_requested
        second.resume()
        next_of(others, Resumed)
        next_of(events, Resumed)
        assert not first.pause_requested


def test_followers_at_the_same_time_all_get_their_answers(run: Run) -> None:
    with training(run) as writer:
        problems: list[str] = []

        def ask() -> None:
            try:
                for _ in range(5):
                    send_request(run, RunRequest(action="save"))
            except RequestRefusedError as error:
                problems.append(str(error))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        assert writer.control.take_save_request()
        assert request_files(run) == []


def test_the_past_of_a_run_is_marked_as_that(run: Run) -> None:
    for step in range(1, 50):
        run.record(progress(step))
    control = Control()
    with training(run):
        events = attach(run, control)
        assert next(events) == progress(1)
        assert control.activity is not None
        assert control.activity.name == READING_LOG
        next_of(events, Started)
        wait_until(lambda: next(events) is not None and control.activity is None)
        control.detach()


def test_a_run_that_no_process_trains_cannot_be_followed_or_controlled(run: Run) -> None:
    run.set_state("stopped")
    with pytest.raises(NotTrainingError, match="no process trains the run 'plays': resume it"):
        next(attach(run, Control()))
    with pytest.raises(NotTrainingError):
        send_request(run, RunRequest(action="stop"))
    assert request_files(run) == []


def test_a_process_that_is_killed_ends_the_iteration_with_a_sentence(
    run: Run, foreign: "subprocess.Popen[bytes]"
) -> None:
    events = attach(run, Control())
    assert [next(events), next(events)] == [started(), progress(1)]
    foreign.kill()
    with pytest.raises(RunDiedError, match=rf"process {foreign.pid} died .*: resume it from its last checkpoint"):
        next(events)


@pytest.mark.parametrize(("state", "is_error"), [("failed", True), ("stopped", False), ("finished", False)])
def test_the_end_of_a_run_is_the_end_of_the_iteration(run: Run, state: Any, is_error: bool) -> None:
    with run.lock():
        run.record(started())
        events = attach(run, Control())
        assert next(events) == started()
        run.record(finished())
        run.set_state(state)
    if is_error:
        assert isinstance(next(events), Finished)
        with pytest.raises(RunDiedError, match="failed in process"):
            next(events)
    else:
        assert [type(event) for event in events] == [Finished]


def test_a_process_that_does_not_answer_is_named_and_its_request_withdrawn(
    run: Run, foreign: "subprocess.Popen[bytes]"
) -> None:
    with pytest.raises(RequestRefusedError, match=rf"process {foreign.pid} does not answer"):
        send_request(run, RunRequest(action="pause"), seconds=0.1)
    os.utime(run.path / "lock", (1e9, 1e9))
    with pytest.raises(RequestRefusedError, match=r"no sign of life .* suspended or frozen"):
        send_request(run, RunRequest(action="pause"), seconds=0.1)
    assert request_files(run) == []


def test_a_request_without_an_answer_can_be_repeated(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing answers here: each request is given up at once, and the control shows that it had no effect."""
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.0)
    control = Control()
    with run.lock():
        relay = Relay(run, control)
        control.pause()
        assert list(relay.exchange()) == []
        refusal = next(relay.exchange())
        assert isinstance(refusal, RequestRefused)
        assert (refusal.request, control.pause_requested) == ("pause", False)
        for _ in range(2):
            control.stop()
            assert list(relay.exchange()) == []
            refusal = next(relay.exchange())
            assert isinstance(refusal, RequestRefused)
            assert (refusal.request, control.stop_requested) == ("stop", False)
        assert list(relay.exchange()) == []
    assert request_files(run) == []


def test_a_request_that_was_read_and_not_answered_says_so(run: Run) -> None:
    with run.lock():

        def swallow() -> None:
            wait_until(lambda: any(not path.name.startswith(".") for path in request_files(run)))
            for path in request_files(run):
                path.unlink()

        thread = threading.Thread(target=swallow)
        thread.start()
        with pytest.raises(RequestRefusedError, match="has read the request and has not answered"):
            send_request(run, RunRequest(action="pause"), seconds=0.5)
        thread.join()


def test_a_run_in_progress_has_a_writer_in_the_list(run: Run, store: RunStore) -> None:
    assert [summary.writer for summary in store.list()] == [""]
    with run.lock() as lock:
        assert [(one.writer, one.writer_is_silent) for one in store.list()] == [("here", False)]
        os.utime(run.path / "lock", (1e9, 1e9))
        assert [one.writer_is_silent for one in store.list()] == [True]
        lock.touch()
        assert [one.writer_is_silent for one in store.list()] == [False]


def test_a_run_of_another_process_is_elsewhere(store: RunStore, foreign: "subprocess.Popen[bytes]") -> None:
    assert [(one.writer, one.state) for one in store.list()] == [("elsewhere", "running")]
    foreign.kill()
    foreign.wait()
    assert [(one.writer, one.state) for one in store.list()] == [("", "interrupted")]
