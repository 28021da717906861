"""`tui-gpt demo`: where it plays, and what it leaves."""

import sys
from pathlib import Path

import pytest

from tests.cli.helpers import CommandLine
from tui_gpt.cli.commands import terminal
from tui_gpt.tui.app import app
from tui_gpt.tui.demo.recording import Recording

if sys.platform != "win32":
    from tests.cli.terminals import Terminal


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(capsys, monkeypatch)


def test_without_a_terminal_it_names_what_it_needs(command: CommandLine) -> None:
    result = command("demo")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "error: the demo needs a terminal on stdin and stderr: run it in one, or train with "
        "`tui-gpt train --headless`\n"
    )


def test_it_opens_the_app_with_the_recording(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[Recording] = []

    def run_app(*, recording: Recording) -> int:
        played.append(recording)
        return 7

    monkeypatch.setattr(terminal, "fits_the_app", lambda: True)
    monkeypatch.setattr(app, "run_app", run_app)
    assert command("demo").code == 7
    assert played[0].events == Recording.load().events


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are those of POSIX systems")
def test_on_a_terminal_it_plays_and_leaves_nothing(tmp_path: Path) -> None:
    with Terminal(["-m", "tui_gpt", "demo"], tmp_path / "home") as screen:
        screen.wait_for("recorded")
        screen.type("q")
        assert screen.wait_for_exit() == 0
        assert screen.is_as_before()
    assert not (tmp_path / "home" / "runs").exists()
