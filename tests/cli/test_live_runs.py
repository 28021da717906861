"""`tui-gpt runs attach|pause|resume|save|change|stop` on a run that something else trains."""

import json

import pytest

from tests.cli.helpers import CommandLine
from tests.fakes import progress, started
from tests.storage.runs.live.helpers import request_files, training
from tui_gpt.cli.commands import live_runs
from tui_gpt.config import resolve
from tui_gpt.errors import RunDiedError
from tui_gpt.events import to_json
from tui_gpt.storage.runs import Run, RunStore
from tui_gpt.storage.runs.live.attach import send_request
from tui_gpt.storage.runs.live.requests import RunRequest


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(capsys, monkeypatch)


@pytest.fixture
def run() -> Run:
    return RunStore().create(resolve("nano"), "far")


def test_a_run_is_paused_changed_saved_continued_and_stopped(command: CommandLine, run: Run) -> None:
    with training(run) as writer:
        assert command("runs", "pause", "far").code == 0
        assert writer.control.pause_requested
        assert command("runs", "change", "far", "--learning-rate", "0.25", "--max_iters", "90000").code == 0
        assert command("runs", "save", "far").code == 0
        assert writer.control.take_save_request()
        assert command("runs", "resume", "far").code == 0
        assert not writer.control.pause_requested
        stopped = command("runs", "stop", "far")
        assert (stopped.code, stopped.out) == (0, "")
        assert "far is stopped at step" in stopped.err
        assert run.writer() is None
    changed = [json.loads(to_json(event)) for event in run.events() if event.type == "setting_changed"]
    assert {(event["setting"], event["value"]) for event in changed} == {("learning_rate", 0.25), ("max_iters", 90_000)}


def test_an_impossible_change_is_an_error_in_one_line(command: CommandLine, run: Run) -> None:
    with training(run):
        refused = command("runs", "change", "far", "--learning-rate", "1000")
        assert refused.code == 1
        assert "learning_rate is 1000: choose a number from" in refused.err
        assert command("runs", "change", "far").code == 2
        assert command("runs", "change", "far", "--seed", "3").code == 2


def test_defaults_of_the_user_change_no_run(command: CommandLine, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUI_GPT_TRAIN_LEARNING_RATE", "0.5")
    with training(run) as writer:
        assert command("runs", "change", "far").code == 2
        assert writer.control.take_changes() == {}


@pytest.mark.parametrize("action", ["attach", "pause", "resume", "save"])
def test_a_run_that_is_not_training_is_an_error_that_names_a_command(
    command: CommandLine, run: Run, action: str
) -> None:
    result = command("runs", action, run.name)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("error: no process trains the run 'far': resume it with `tui-gpt train")


def test_to_stop_a_run_that_is_not_training_is_no_error(command: CommandLine, run: Run) -> None:
    result = command("runs", "stop", run.name)
    assert (result.code, result.err) == (0, "far is not training\n")


def test_an_unknown_run_is_an_error(command: CommandLine, run: Run) -> None:
    assert "did you mean far" in command("runs", "stop", "fer").err
    assert "is the model that comes with the program" in command("runs", "pause", "shipped").err


def test_stopping_gives_up_after_its_timeout(command: CommandLine, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run has accepted the request, and ends later."""
    monkeypatch.setattr(live_runs, "send_request", lambda *_: None)
    with training(run):
        result = command("runs", "stop", "far", "--timeout", "0")
        assert result.code == 1
        assert "far has not ended after 0 s and will once saved: wait longer with --timeout" in result.err


def test_a_run_that_ends_before_it_answers_has_stopped(
    command: CommandLine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with training(run) as writer:

        def end_first(run: Run, request: RunRequest) -> None:
            writer.end()
            send_request(run, request)

        monkeypatch.setattr(live_runs, "send_request", end_first)
        assert command("runs", "stop", "far").code in (0, 1)
    assert request_files(run) == []


def test_a_process_that_dies_is_an_error(command: CommandLine, run: Run) -> None:
    command.session.script = [started(), progress(1), RunDiedError("process 7 died: resume it")]
    with run.lock():
        result = command("runs", "attach", "far", "--quiet")
    assert (result.code, result.err) == (1, "error: process 7 died: resume it\n")
