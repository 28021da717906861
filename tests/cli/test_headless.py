"""The face without a screen: what goes to stdout, what to stderr, and the exit code."""

import io
import json
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.helpers import FakeModel, FakeSession, evaluated, finished, progress, short_run, started
from tui_gpt.cli import headless
from tui_gpt.cli import progress_line as progress_module
from tui_gpt.cli.headless import Streams
from tui_gpt.cli.signals import StopOnSignals
from tui_gpt.config import SampleConfig
from tui_gpt.control import Control
from tui_gpt.errors import StorageError
from tui_gpt.events import Event, Saved, from_json
from tui_gpt.generation.text_model import Piece
from tui_gpt.requests import Evaluation, TrainRequest


class FakeTerminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class BrokenPipe(io.StringIO):
    """A stdout whose reader leaves after some lines."""

    def __init__(self, lines: int, error: OSError) -> None:
        super().__init__()
        self.lines_left = lines
        self.error = error

    def write(self, text: str) -> int:
        if self.lines_left == 0:
            raise self.error
        self.lines_left -= 1
        return super().write(text)


@pytest.fixture(autouse=True)
def keep_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken stdout is let go of for good, which would be pytest's own here."""
    monkeypatch.setattr(headless, "detach_stdout", lambda: None)


def memory(*, quiet: bool = False) -> tuple[Streams, io.StringIO, io.StringIO]:
    out, talk = io.StringIO(), io.StringIO()
    return Streams(out, talk, quiet), out, talk


def write(
    session: FakeSession,
    streams: Streams,
    prompt: str = "",
    *,
    samples: int = 1,
    as_json: bool = False,
    length: int = 6,
) -> int:
    config = SampleConfig(max_new_tokens=length, seed=7)
    return headless.generate(session, None, prompt, config, streams, samples=samples, as_json=as_json)


# Training


def test_json_is_every_event_on_a_line() -> None:
    streams, out, _ = memory()
    assert headless.train(FakeSession(), TrainRequest(), streams, as_json=True) == 0
    assert [from_json(line) for line in out.getvalue().splitlines()] == short_run()


def test_without_json_stdout_stays_empty() -> None:
    streams, out, talk = memory()
    assert headless.train(FakeSession(), TrainRequest(), streams, as_json=False) == 0
    assert out.getvalue() == ""
    assert "training nano: 10.8 M parameters" in talk.getvalue()


def test_quiet_says_nothing() -> None:
    streams, _, talk = memory(quiet=True)
    headless.train(FakeSession(), TrainRequest(), streams, as_json=True)
    assert talk.getvalue() == ""


def test_the_summary_names_loss_place_and_the_next_command() -> None:
    streams, _, talk = memory()
    headless.train(FakeSession(), TrainRequest(), streams, as_json=False)
    assert talk.getvalue().endswith(
        "done after 40 steps, 1 min 40 s\n"
        "best validation loss 1.8812 (2.714 bits per character, on 1,000 characters)\n"
        "saved in /home/runs/one\n"
        "write with it:  tui-gpt generate --run one\n"
        "train on:       tui-gpt train --headless --resume one --max-iters 80\n"
    )


def test_a_best_loss_that_is_an_estimate_is_called_that() -> None:
    estimate = replace(evaluated(20, 1.9), is_estimate=True)
    ending = replace(finished(), best_is_estimate=True)
    streams, _, talk = memory()
    headless.train(FakeSession([started(), estimate, ending]), TrainRequest(), streams, as_json=False)
    assert "(2.714 bits per character, estimate on 1,000 characters)\n" in talk.getvalue()


def test_a_finished_run_that_is_resumed_says_so_and_names_how_to_train_on() -> None:
    session = FakeSession([replace(started(), step=40), finished()])
    streams, _, talk = memory()
    assert headless.train(session, TrainRequest(resume="one"), streams, as_json=False) == 0
    assert "nothing is left to do: the run has made all its 40 steps\n" in talk.getvalue()
    assert talk.getvalue().endswith("tui-gpt train --headless --resume one --max-iters 80\n")


def test_every_evaluation_has_a_line_of_its_own_on_a_pipe() -> None:
    session = FakeSession([started(), *(replace(evaluated(k, 2.0 - k / 10), is_best=k == 2) for k in (1, 2, 3))])
    streams, _, talk = memory()
    headless.train(session, TrainRequest(), streams, as_json=False)
    lines = [line for line in talk.getvalue().splitlines() if "validation loss" in line]
    assert lines == [
        "step 1: training loss 1.5000, validation loss 1.9000",
        "step 2: training loss 1.5000, validation loss 1.8000, the best so far",
        "step 3: training loss 1.5000, validation loss 1.7000",
    ]


class Waiting(FakeSession):
    """Is busy with something until stderr says so."""

    def __init__(self, talk: io.StringIO) -> None:
        super().__init__()
        self.talk = talk

    def wait_for(self, shown: str) -> None:
        deadline = time.monotonic() + 60
        while shown not in self.talk.getvalue():
            assert time.monotonic() < deadline, self.talk.getvalue()
            threading.Event().wait(0.01)

    def train(self, request: TrainRequest, control: Control) -> Iterator[Event]:
        self.wait_for("starting, ")
        control.report("counting n-grams", 0.25)
        self.wait_for("counting n-grams 25%, ")
        control.report_idle()
        yield started()
        self.wait_for("training, ")
        yield finished()

    def open_model(self, source: str | Path | None) -> FakeModel:
        self.wait_for("opening the model, ")
        return super().open_model(source)

    def evaluate(self, source: str | Path | None, control: Control) -> Evaluation:
        control.report("evaluating", 0.5)
        self.wait_for("evaluating 50%, ")
        return super().evaluate(source, control)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes long in life takes a moment here."""
    monkeypatch.setattr(progress_module, "LONGEST_SILENCE_SECONDS", 0.01)
    monkeypatch.setattr(progress_module, "BEAT_SECONDS", 0.005)


def test_whatever_takes_long_says_what_it_is(impatient: None) -> None:
    """Each phase ends only once it was named."""
    threads = threading.active_count()
    for screen in (io.StringIO, FakeTerminal):
        talk = screen()
        streams = Streams(io.StringIO(), talk)
        session = Waiting(talk)
        assert headless.train(session, TrainRequest(), streams, as_json=False) == 0
        assert write(session, streams) == 0
        headless.score(session, None, "abc", streams)
        headless.evaluate(session, None, streams)
    assert threading.active_count() == threads


def test_nothing_is_said_meanwhile_where_silence_was_asked_for(impatient: None) -> None:
    streams, _, talk = memory(quiet=True)
    with headless.busy(streams, "waiting"):
        assert not [thread for thread in threading.enumerate() if thread.name == "heartbeat"]
    assert talk.getvalue() == ""


def test_the_summary_of_a_stopped_run_tells_how_to_go_on() -> None:
    session = FakeSession([started(), Saved(step=20, path="/a b/last"), finished(20, "stopped")])
    streams, _, talk = memory()
    headless.train(session, TrainRequest(model_path=Path("/a b")), streams, as_json=False)
    assert "tui-gpt generate --model-path '/a b'\n" in talk.getvalue()
    assert talk.getvalue().endswith("tui-gpt train --headless --resume --model-path '/a b'\n")


def test_the_progress_bar_is_gone_at_the_end() -> None:
    talk = FakeTerminal()
    streams = Streams(io.StringIO(), talk)
    headless.train(FakeSession(), TrainRequest(), streams, as_json=False)
    assert "\r\x1b[Kdone after" in talk.getvalue()


def test_the_progress_bar_is_gone_before_an_error() -> None:
    talk = FakeTerminal()
    session = FakeSession([started(), progress(1), StorageError("the disk is full")])
    with pytest.raises(StorageError):
        headless.train(session, TrainRequest(), Streams(io.StringIO(), talk), as_json=False)
    assert talk.getvalue().endswith("\r\x1b[K")


def test_a_reader_that_leaves_stops_the_run_and_saves_it() -> None:
    talk = io.StringIO()
    out = BrokenPipe(1, BrokenPipeError())
    session = FakeSession([started(), progress(1), progress(2), progress(3), finished()])
    assert headless.train(session, TrainRequest(), Streams(out, talk), as_json=True) == headless.EXIT_READER_GONE
    assert session.control.stop_requested
    assert "stopped after" in talk.getvalue()
    assert "nobody reads stdout any more" in talk.getvalue()


def test_a_full_disk_under_stdout_stops_the_run_with_a_sentence() -> None:
    out = BrokenPipe(1, OSError(28, "No space left on device"))
    with pytest.raises(StorageError, match="stdout cannot be written"):
        headless.train(FakeSession(), TrainRequest(), Streams(out, io.StringIO()), as_json=True)


# Signals


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_stops_the_work_and_sets_the_exit_code(number: signal.Signals, code: int) -> None:
    control = Control()
    with StopOnSignals(control) as signals:
        assert signals.exit_code is None
        signal.raise_signal(number)
        assert control.stop_requested
        assert signals.exit_code == code


def test_a_second_signal_leaves_at_once() -> None:
    left: list[int] = []
    with StopOnSignals(Control(), leave=left.append):
        signal.raise_signal(signal.SIGINT)
        assert left == []
        signal.raise_signal(signal.SIGTERM)
        assert left == [143]


def test_the_first_signal_leaves_at_once_while_there_is_nothing_to_lose() -> None:
    left: list[int] = []
    with StopOnSignals(Control(), leave=left.append) as signals:
        signals.nothing_to_lose = True
        signal.raise_signal(signal.SIGHUP)
        assert left == [129]
        signals.nothing_to_lose = False
        signal.raise_signal(signal.SIGTERM)
        assert left == [129]
        assert signals.exit_code == 143


def test_the_old_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with StopOnSignals(Control()):
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal that suspends")
def test_a_suspension_takes_place_and_is_left_out() -> None:
    """Twice, for the handler is there again after the first one."""
    control, now, handlers = Control(), [5.0], []

    def suspend() -> None:
        handlers.append(signal.getsignal(signal.SIGTSTP))
        now[0] += 60.0

    before = signal.getsignal(signal.SIGTSTP)
    with StopOnSignals(control, suspend=suspend, clock=lambda: now[0]):
        for seconds in (60.0, 120.0):
            signal.raise_signal(signal.SIGTSTP)
            assert control.suspended_seconds == seconds
    assert handlers == [signal.SIG_DFL] * 2
    assert not control.stop_requested
    assert signal.getsignal(signal.SIGTSTP) == before


def test_an_ignored_signal_stays_ignored() -> None:
    """Under nohup, a closed terminal is no reason to stop."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        control = Control()
        with StopOnSignals(control):
            signal.raise_signal(signal.SIGHUP)
        assert not control.stop_requested
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_run_ends_with_the_code_of_its_signal() -> None:
    class Interrupting(FakeSession):
        def train(self, request: TrainRequest, control: Control) -> Iterator[Event]:
            yield started()
            os.kill(os.getpid(), signal.SIGTERM)
            yield progress(1)
            assert control.stop_requested
            yield finished(1, "stopped")

    streams, _, talk = memory()
    assert headless.train(Interrupting(), TrainRequest(), streams, as_json=False) == 143
    assert "stopped after 1 steps" in talk.getvalue()


def test_a_closed_terminal_does_not_keep_a_run_from_its_end() -> None:
    session = FakeSession()
    assert (
        headless.train(session, TrainRequest(), Streams(io.StringIO(), BrokenPipe(0, OSError(5, "EIO"))), as_json=False)
        == 0
    )
    assert write(session, Streams(io.StringIO(), BrokenPipe(0, OSError(5, "EIO")))) == 0


# Writing


def test_text_is_raw_on_a_pipe_and_harmless_on_a_terminal() -> None:
    session = FakeSession()
    session.model.characters = "a\x1b\n"
    streams, out, _ = memory()
    write(session, streams, length=3)
    assert out.getvalue() == "a\x1b\n"
    screen = FakeTerminal()
    write(session, Streams(screen, io.StringIO()), length=4)
    assert screen.getvalue() == "a␛\na\n"


def test_on_a_terminal_the_prompt_stands_before_the_text() -> None:
    screen = FakeTerminal()
    write(FakeSession(), Streams(screen, screen), "To be")
    assert "To beabcabc\n" in screen.getvalue()


def test_unknown_characters_are_left_out_with_a_notice() -> None:
    session = FakeSession()
    streams, _, talk = memory()
    write(session, streams, "Señor é")
    assert session.model.prompts == ["Seor "]
    assert talk.getvalue().startswith("left out of the prompt, as the model never saw it: 'é' 'ñ'\n")


def test_a_drawn_seed_is_told_so_that_the_text_can_be_had_again() -> None:
    session = FakeSession()
    streams, _, talk = memory()
    headless.generate(session, None, "", SampleConfig(max_new_tokens=3), streams, samples=1, as_json=False)
    assert f"seed {session.model.configs[0].seed}\n" in talk.getvalue()


def closing_line(session: FakeSession, *, samples: int = 1, as_json: bool = False) -> str:
    streams, out, talk = memory()
    write(session, streams, samples=samples, as_json=as_json)
    assert "copied" not in out.getvalue()
    return talk.getvalue().splitlines()[-1]


def test_the_closing_line_says_how_much_of_all_texts_is_copied() -> None:
    class Copying(FakeModel):
        """Half of what is in capitals is copied."""

        def copied(self, text: str) -> float | None:
            self.compared.append(text)
            return 0.5 if text.isupper() else 0.0

    session = FakeSession()
    session.model = model = Copying()
    assert closing_line(session, samples=2).endswith(
        "chars/s; 25.0% copied from the training text, in pieces of 20 characters or more"
    )
    assert model.compared == ["abcabc", "ABCABC"]


def test_the_closing_line_says_it_with_json_too() -> None:
    session = FakeSession()
    session.model.copied_share = 1.0
    assert "; 100.0% copied" in closing_line(session, samples=2, as_json=True)
    assert session.model.compared == ["abcabc", "abcabc"]


def test_a_long_text_is_compared_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headless, "_COMPARED_AT_ONCE", 4)
    session = FakeSession()
    session.model.copied_share = 0.5
    assert "; 50.0% copied" in closing_line(session)
    assert session.model.compared == ["abca", "bc"]


def test_nothing_is_said_of_copies_where_nobody_can_tell() -> None:
    assert "copied" not in closing_line(FakeSession())


def test_nothing_is_compared_where_nobody_listens() -> None:
    session = FakeSession()
    write(session, memory(quiet=True)[0])
    assert session.model.compared == []


@pytest.mark.parametrize(("is_estimate", "loss"), [(False, "loss 1.8812"), (True, "loss ~1.8812")])
def test_a_validation_loss_that_is_an_estimate_is_marked_as_one(is_estimate: bool, loss: str) -> None:
    session = FakeSession()
    session.model.val_is_estimate = is_estimate
    streams, _, talk = memory()
    write(session, streams)
    assert loss in talk.getvalue()


def test_several_texts_are_told_apart_on_stdout() -> None:
    streams, out, _ = memory()
    write(FakeSession(), streams, samples=2, length=3)
    assert out.getvalue() == "--- sample 1 ---\nabc\n--- sample 2 ---\nABC\n"


def test_json_is_a_line_a_character() -> None:
    streams, out, _ = memory()
    write(FakeSession(), streams, as_json=True, length=2)
    records = [json.loads(line) for line in out.getvalue().splitlines()]
    assert records[0] == {"text": "a", "logprob": -0.5, "alternatives": [["a", 0.6], ["b", 0.4]]}
    assert [record["text"] for record in records] == ["a", "b"]


def test_many_texts_are_written_in_groups_that_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    session = FakeSession()
    streams, out, _ = memory()
    write(session, streams, samples=150, length=2)
    assert session.model.groups == [(7, 64), (71, 64), (135, 22)]
    assert [int(line.split()[2]) for line in out.getvalue().splitlines() if "sample" in line] == list(range(1, 151))
    assert out.getvalue().count("ab\n") + out.getvalue().count("AB\n") == 150
    monkeypatch.setattr(headless, "_HELD_CHARACTERS", 6)
    session.model.groups.clear()
    write(session, streams, samples=5, length=3)
    assert session.model.groups == [(7, 2), (9, 2)]


def test_the_prompt_stands_before_each_text_on_request() -> None:
    session, (streams, out, _) = FakeSession(), memory()
    config = SampleConfig(max_new_tokens=3, seed=7)
    headless.generate(session, None, "To é ", config, streams, samples=2, as_json=False, with_prompt=True)
    assert out.getvalue() == "--- sample 1 ---\nTo é abc\n--- sample 2 ---\nTo é ABC\n"


def test_measuring_holds_no_more_than_a_piece() -> None:
    """The pieces of a text are counted as they come."""

    class Marked(float):
        pass

    alive: weakref.WeakSet[Marked] = weakref.WeakSet()

    class Measured(FakeModel):
        most = 0

        def score(self, text: str, *, details: bool = False) -> Iterator[Piece]:
            for character in text:
                logprob = Marked(-1.0)
                alive.add(logprob)
                yield Piece(character, logprob)
                self.most = max(self.most, len(alive))

    session = FakeSession()
    session.model = model = Measured()
    assert headless.score(session, None, "a" * 5_000, memory()[0]).loss == pytest.approx(1.0)
    assert 0 < model.most < 10


def test_several_texts_in_json_bear_their_number_and_have_seeds_of_their_own() -> None:
    session = FakeSession()
    streams, out, _ = memory()
    write(session, streams, as_json=True, samples=2, length=2)
    assert [json.loads(line)["sample"] for line in out.getvalue().splitlines()] == [1, 1, 2, 2]
    assert [config.seed for config in session.model.configs] == [7, 8]


def test_an_interrupted_text_keeps_what_was_written() -> None:
    class Interrupted(FakeModel):
        def stream(
            self, prompt: str, config: SampleConfig, control: Control | None = None, *, details: bool = False
        ) -> Iterator[Piece]:
            yield Piece("a", -0.5)
            signal.raise_signal(signal.SIGINT)
            assert control is not None
            assert control.stop_requested

    session = FakeSession()
    session.model = Interrupted()
    screen = FakeTerminal()
    assert write(session, Streams(screen, io.StringIO())) == 130
    assert screen.getvalue() == "a\n"


def test_a_reader_that_leaves_ends_the_text_quietly() -> None:
    talk = io.StringIO()
    code = write(FakeSession(), Streams(BrokenPipe(2, BrokenPipeError()), talk))
    assert code == headless.EXIT_READER_GONE
    assert "error" not in talk.getvalue()
