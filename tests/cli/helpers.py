"""Helpers for the tests of the command line: a short run, streams in memory, and commands run as a user would."""

import io
from dataclasses import dataclass

import pytest

from tests.fakes import FakeSession, FakeTextModel, short_script
from tui_gpt.cli import main as cli
from tui_gpt.cli.commands import common
from tui_gpt.cli.headless.streams import Streams
from tui_gpt.config import TrainConfig
from tui_gpt.requests import TrainRequest


class AbcModel(FakeTextModel):
    """Writes "abcabc…"; it knows every character but é and ñ."""

    def __init__(self) -> None:
        super().__init__("one@best", 40, "abc", unknown="éñ")
        self.val_loss = 1.8812


def short_session() -> FakeSession:
    """Return a session with a run of five events and an `AbcModel`."""
    return FakeSession(short_script(), model=AbcModel())


class FakeTerminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


class BrokenPipe(io.StringIO):
    """A stdout whose reader exits after some lines."""

    def __init__(self, lines: int, error: OSError) -> None:
        super().__init__()
        self.lines_left = lines
        self.error = error

    def write(self, text: str) -> int:
        if self.lines_left == 0:
            raise self.error
        self.lines_left -= 1
        return super().write(text)


def memory_streams(*, quiet: bool = False) -> tuple[Streams, io.StringIO, io.StringIO]:
    """Return streams, and their stdout and stderr."""
    out, messages = io.StringIO(), io.StringIO()
    return Streams(out, messages, quiet), out, messages


@dataclass(frozen=True)
class Result:
    """The result of a command."""

    code: int
    out: str
    err: str


class CommandLine:
    """Runs commands in this process, on a session that the test can look into."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.session = short_session()
        self.places: list[TrainConfig | None] = []
        """The device and threads that each session was made with."""
        self._capsys = capsys
        monkeypatch.setattr(common, "make_session", self._make_session)

    def _make_session(self, place: TrainConfig | None = None) -> FakeSession:
        self.places.append(place)
        return self.session

    def __call__(self, *arguments: str) -> Result:
        self._capsys.readouterr()
        code = cli.run(arguments)
        captured = self._capsys.readouterr()
        return Result(code, captured.out, captured.err)

    @property
    def request(self) -> TrainRequest:
        """The request of the last `train`."""
        return self.session.requests[-1]
