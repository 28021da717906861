"""`--on-event`: the user's function sees every event, and cannot end a training."""

import sys
from pathlib import Path

import pytest

from tests.cli.helpers import CommandLine, memory_streams
from tests.fakes import FakeSession, evaluated, progress, short_script
from tui_gpt.cli.headless.on_event import load_function
from tui_gpt.cli.headless.train import train
from tui_gpt.errors import UsageError
from tui_gpt.events import Event, scalars
from tui_gpt.requests import TrainRequest

SEEN: list[tuple[Event, str]] = []
HERE = __name__


@pytest.fixture(autouse=True)
def nothing_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start in an empty folder, and without the folders that were added to `sys.path`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    SEEN.clear()


def record(event: Event, run: str) -> None:
    SEEN.append((event, run))


class Recorder:
    """Any callable will do."""

    def __call__(self, event: Event, run: str) -> None:
        record(event, run)


recorder = Recorder()


def fail(event: Event, run: str) -> None:
    record(event, run)
    raise KeyError("no\nsuch key")


def fail_once(event: Event, run: str) -> None:
    record(event, run)
    if len(SEEN) == 1:
        raise SystemExit(3)


def trained(function: str) -> tuple[int, str]:
    """Train a short script; return the exit code and what was written to stderr with --quiet."""
    streams, _, messages = memory_streams(quiet=True)
    code = train(
        FakeSession(short_script()), TrainRequest(name="one"), streams, as_json=False, on_event=f"{HERE}:{function}"
    )
    return code, messages.getvalue()


@pytest.mark.parametrize("function", ["record", "recorder", "recorder.__call__"])
def test_the_function_is_called_with_every_event_and_the_runs_name(function: str) -> None:
    assert trained(function) == (0, "")
    assert [(event, "one") for event in short_script()] == SEEN


def test_a_function_that_fails_is_reported_once_and_called_for_the_other_events(tmp_path: Path) -> None:
    code, messages = trained("fail")
    first, last = messages.splitlines()
    assert code == 0
    assert len(SEEN) == len(short_script()) == 5
    assert f"{HERE}:fail failed at step 0 (KeyError: 'no\\nsuch key', test_on_event.py:" in first
    assert "training is not affected" in first
    assert last == f"warning: --on-event: 5 of 5 calls of {HERE}:fail failed"


def test_a_function_that_exits_does_not_end_the_training() -> None:
    code, messages = trained("fail_once")
    assert (code, len(SEEN)) == (0, 5)
    assert "SystemExit: 3" in messages
    assert messages.count("\n") == 1


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("hooks", "name it as MODULE:FUNCTION"),
        (":log", "name it as MODULE:FUNCTION"),
        ("no_such_module_anywhere:log", "there is no module 'no_such_module_anywhere' here or installed"),
        ("json.no_such:log", "json"),
        (f"{HERE}:absent", f"the module {HERE} has no 'absent'"),
        (f"{HERE}:SEEN", "SEEN is not a function"),
        ("lacks_wandb:log", "the module lacks_wandb needs 'no_such_package': install it"),
        ("wrong:log", "cannot be imported (SyntaxError: "),
        ("exits:log", "cannot be imported (SystemExit: 5)"),
    ],
)
def test_what_cannot_be_called_is_refused_in_one_line(spec: str, reason: str, tmp_path: Path) -> None:
    for name, code in {"lacks_wandb": "import no_such_package", "wrong": "def", "exits": "raise SystemExit(5)"}.items():
        (tmp_path / f"{name}.py").write_text(code)
    with pytest.raises(UsageError) as caught:
        load_function(spec)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(capsys, monkeypatch)


def test_the_option_calls_a_function_of_the_current_folder(command: CommandLine, tmp_path: Path) -> None:
    code = "def log(event, run):\n    with open('events', 'a') as file:\n        print(run, event.type, file=file)\n"
    (tmp_path / "my_hooks.py").write_text(code)
    assert command("train", "--headless", "--on-event", "my_hooks:log").code == 0
    assert (tmp_path / "events").read_text().startswith("fake-run started\nfake-run progress\n")


@pytest.mark.parametrize(("arguments", "words"), [(["--headless"], "no module 'absent'"), ([], "add --headless")])
def test_a_bad_option_trains_nothing(arguments: list[str], words: str, command: CommandLine) -> None:
    result = command("train", *arguments, "--on-event", "absent:log")
    assert (result.code, command.session.requests) == (2, [])
    assert words in result.err


def test_the_scalars_of_an_event_are_its_measurements() -> None:
    assert scalars(progress(20)).keys() == {"loss/train", "learning_rate", "grad_norm", "tokens_per_second"}
    bits = evaluated(20, 1.9).bits_per_char
    losses = {"loss/validation": 1.9, "loss/train_evaluated": 1.9 - 0.1}
    assert scalars(evaluated(20, 1.9)) == {**losses, "bits_per_character/validation": bits}
    assert scalars(short_script()[0]) == {}
