"""`--notify`: a program that is run for each alert, with no shell between."""

import json
import os
import select
import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.cli.helpers import CommandLine, memory_streams
from tests.fakes import FakeSession, evaluated, finished, progress, started
from tui_gpt.alerts import Alert
from tui_gpt.cli.headless.notify import Notifier, command_words
from tui_gpt.cli.headless.train import train
from tui_gpt.errors import StorageError, UsageError
from tui_gpt.events import Event, RolledBack, StorageProblem
from tui_gpt.requests import TrainRequest

RECORD = """
import json, os, sys
facts = {name: os.environ[f"TUI_GPT_NOTIFY_{name}"] for name in ("RUN", "STATE", "STEP", "LOSS", "MESSAGE")}
with open(sys.argv[1], "a") as file:
    file.write(json.dumps([facts, json.load(sys.stdin), sys.argv[2:]]) + "\\n")
print("this must not reach stdout")
"""


def python(code: str, *arguments: str) -> str:
    """Return a command that runs `code`."""
    return shlex.join([sys.executable, "-c", code, *arguments])


def alert(run: str = "one", message: str = "40 steps") -> Alert:
    return Alert(
        state="finished", run=run, step=40, max_iters=40, best_val_loss=1.5, best_is_estimate=False,
        elapsed_seconds=2.0, message=message,
    )  # fmt: skip


def notified(script: list[Event | Exception], tmp_path: Path) -> list[tuple[dict[str, str], dict[str, Any]]]:
    """Train a script; return what the command was called with, by step."""
    streams, _, messages = memory_streams()
    command = python(RECORD, str(tmp_path / "calls"))
    with suppress(StorageError):
        train(FakeSession(script), TrainRequest(name="one"), streams, as_json=False, notify=command)
    assert "--notify" not in messages.getvalue()
    lines = (tmp_path / "calls").read_text().splitlines()
    return sorted(((call[0], call[1]) for call in map(json.loads, lines)), key=lambda call: call[1]["step"])


def test_the_facts_are_in_the_environment_and_as_json_on_stdin(tmp_path: Path) -> None:
    ((variables, record),) = notified([started(), progress(40), evaluated(40, 1.9), finished()], tmp_path)
    assert variables == {
        "RUN": "one", "STATE": "finished", "STEP": "40", "LOSS": "1.881200",
        "MESSAGE": "40 steps, validation loss 1.8812",
    }  # fmt: skip
    assert record == {
        "state": "finished", "run": "one", "step": 40, "max_iters": 40, "best_val_loss": 1.8812,
        "best_is_estimate": False, "elapsed_seconds": 2.0, "message": "40 steps, validation loss 1.8812",
    }  # fmt: skip


def test_it_is_run_when_a_run_diverges_cannot_save_and_fails(tmp_path: Path) -> None:
    script: list[Event | Exception] = [
        started(),
        RolledBack(step=10, to_step=5),
        StorageProblem(step=20, problem="the disk is full"),
        progress(30),
        StorageError("no space"),
    ]
    calls = notified(script, tmp_path)
    assert [variables["STATE"] for variables, _ in calls] == ["diverged", "unsaved", "failed"]
    assert calls[-1][1]["message"] == "no space"


def test_no_text_of_a_run_becomes_a_part_of_the_command(tmp_path: Path) -> None:
    """Neither do variables in the command itself: there is no shell."""
    warnings: list[str] = []
    notifier = Notifier.of(python(RECORD, str(tmp_path / "calls"), "$HOME", "a; b", "$(id)"), warnings.append)
    notifier.send(alert(run="$(touch x)", message="`id`; \x00 \x1b]0;x\x07"))
    notifier.wait()
    facts, record, arguments = json.loads((tmp_path / "calls").read_text())
    assert arguments == ["$HOME", "a; b", "$(id)"]
    assert facts["RUN"] == record["run"] == "$(touch x)"
    assert "\x1b" not in facts["MESSAGE"]
    assert warnings == []


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("raise SystemExit(3)", "ended with code 3"),
        ("import sys; sys.exit('first\\nno route to host\\n')", "ended with code 1 (no route to host)"),
        ("import time; time.sleep(600)", "did not end in 0.5 s and was killed"),
    ],
)
def test_a_command_that_fails_is_reported_in_one_line(code: str, problem: str) -> None:
    warnings: list[str] = []
    notifier = Notifier([sys.executable, "-c", code], warnings.append, timeout=30.0 if "exit" in code.lower() else 0.5)
    notifier.send(alert())
    notifier.wait()
    assert warnings == [f"--notify: {sys.executable} {problem}; training is not affected"]


def test_a_program_that_has_disappeared_is_reported(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    warnings: list[str] = []
    notifier = Notifier.of(str(program), warnings.append)
    program.unlink()
    notifier.send(alert())
    notifier.wait()
    assert len(warnings) == 1
    assert "could not be run" in warnings[0]


def test_a_failing_command_does_not_change_the_exit_code() -> None:
    streams, _, messages = memory_streams(quiet=True)
    code = train(
        FakeSession([started(), finished()]), TrainRequest(), streams, as_json=False,
        notify=python("raise SystemExit(1)"),
    )  # fmt: skip
    assert code == 0
    assert messages.getvalue() == (f"warning: --notify: {sys.executable} ended with code 1; training is not affected\n")


@pytest.mark.parametrize(
    ("command", "problem"),
    [("echo 'a", "no closing quotation"), ("  ", "is empty"), ("no-such-program-anywhere x", "there is no program")],
)
def test_a_command_that_cannot_be_run_is_refused_before_the_training(command: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        command_words(command)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(capsys, monkeypatch)


def test_the_option_runs_the_command(command: CommandLine, tmp_path: Path) -> None:
    assert command("train", "--headless", "--notify", python(RECORD, str(tmp_path / "calls"))).code == 0
    assert "finished" in (tmp_path / "calls").read_text()


def test_the_option_is_for_training_without_the_app(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    result = command("train", "--notify", "true")
    assert (result.code, "add --headless" in result.err) == (2, True)


def test_a_bad_option_trains_nothing(command: CommandLine) -> None:
    result = command("train", "--headless", "--notify", "no-such-program-anywhere")
    assert (result.code, command.session.requests) == (2, [])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
def test_a_command_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    """The pipe has ended once every process that could write to it is gone."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    notifier = Notifier(["sh", "-c", f"exec 3>'{pipe}'; echo begun >&3; sleep 600; :"], lambda _: None, timeout=2.0)
    notifier.send(alert())
    notifier.wait()
    assert os.read(reader, 100) == b"begun\n"
    assert select.select([reader], [], [], 30.0)[0]
    assert os.read(reader, 100) == b""
    os.close(reader)
