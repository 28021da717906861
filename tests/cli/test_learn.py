"""`tui-gpt learn`: what it opens."""

import pytest

from tests.cli.helpers import CommandLine
from tui_gpt.cli.commands import terminal
from tui_gpt.tui.app import app
from tui_gpt.tui.learn.opening import Lesson


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(capsys, monkeypatch)


def test_without_a_terminal_it_names_what_it_needs(command: CommandLine) -> None:
    result = command("learn")
    assert (result.code, result.out) == (2, "")
    assert "the lesson needs a terminal on stdin and stderr" in result.err


def test_it_opens_the_lesson_on_a_text_and_a_screen(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Lesson] = []

    def run_app(*, lesson: Lesson) -> int:
        opened.append(lesson)
        return 7

    monkeypatch.setattr(terminal, "fits_the_app", lambda: True)
    monkeypatch.setattr(app, "run_app", run_app)
    assert command("learn").code == 7
    assert command("learn", "tinyshakespeare", "--screen", "4").code == 7
    assert opened == [Lesson(), Lesson("tinyshakespeare", 4)]
    assert command("learn", "--screen", "10").code == 2
    assert command("learn", "-").code == 2
