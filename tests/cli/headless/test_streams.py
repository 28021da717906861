"""A long command reports its activity on stderr."""

import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.headless.writing import write
from tests.cli.helpers import FakeTerminal, memory_streams
from tests.fakes import FakeSession, finished, started
from tui_gpt.cli import heartbeat as heartbeat_module
from tui_gpt.cli import progress_line as progress_module
from tui_gpt.cli.headless.evaluate import evaluate, score
from tui_gpt.cli.headless.streams import Streams, busy
from tui_gpt.cli.headless.train import train
from tui_gpt.control import Control
from tui_gpt.events import Event
from tui_gpt.generation.text_model import TextModel
from tui_gpt.requests import Evaluation, TrainRequest


class Waiting(FakeSession):
    """Does something until stderr reports it."""

    def __init__(self, messages: io.StringIO) -> None:
        super().__init__()
        self.messages = messages

    def wait_for(self, shown: str) -> None:
        deadline = time.monotonic() + 60
        while shown not in self.messages.getvalue():
            assert time.monotonic() < deadline, self.messages.getvalue()
            threading.Event().wait(0.01)

    def train(self, request: TrainRequest, control: Control) -> Iterator[Event]:
        self.wait_for("starting, ")
        control.report("counting n-grams", 0.25)
        self.wait_for("counting n-grams 25%, ")
        control.report_idle()
        yield started()
        self.wait_for("training, ")
        yield finished()

    def open_model(self, source: str | Path | None) -> TextModel:
        self.wait_for("loading the model, ")
        return super().open_model(source)

    def evaluate(self, source: str | Path | None, control: Control) -> Evaluation:
        control.report("evaluating", 0.5)
        self.wait_for("evaluating 50%, ")
        return super().evaluate(source, control)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show activities after milliseconds instead of seconds."""
    monkeypatch.setattr(progress_module, "MAX_SILENT_SECONDS", 0.01)
    monkeypatch.setattr(heartbeat_module, "BEAT_SECONDS", 0.005)


def test_every_long_phase_is_named(impatient: None) -> None:
    """Each phase ends only once it was named."""
    threads = threading.active_count()
    for screen in (io.StringIO, FakeTerminal):
        messages = screen()
        streams = Streams(io.StringIO(), messages)
        session = Waiting(messages)
        assert train(session, TrainRequest(), streams, as_json=False) == 0
        assert write(session, streams) == 0
        score(session, None, "abc", streams)
        evaluate(session, None, streams)
    assert threading.active_count() == threads


def test_a_quiet_command_shows_no_activity(impatient: None) -> None:
    streams, _, messages = memory_streams(quiet=True)
    with busy(streams, "waiting"):
        assert not [thread for thread in threading.enumerate() if thread.name == "heartbeat"]
    assert messages.getvalue() == ""
