"""A training is an iterator of events that a script stops, continues, resumes and takes models from."""

import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

import tui_gpt
from tui_gpt.api.training import Training
from tui_gpt.errors import ConfigError, CorpusError, IncompatibleError, NotFoundError, UsageError
from tui_gpt.events import Evaluated, Finished, Progress, Started

FOX = "the quick brown fox jumps over the lazy dog and runs back to the river bank\n"


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "fox.txt"
    path.write_text(FOX * 40, encoding="utf-8")
    return path


def tiny(text: Path, name: str | None = None, max_iters: int = 20, *, folder: Path | None = None) -> Training:
    """Return a training of a fraction of a second."""
    return tui_gpt.train(
        text, "nano", name=name, folder=folder, max_iters=max_iters, eval_interval=10, log_interval=2, n_layer=1,
        n_head=2, n_embd=16, block_size=16, batch_size=4, device="cpu", threads=2,
    )  # fmt: skip


def test_a_training_yields_its_events_and_leaves_a_run(text: Path) -> None:
    training = tiny(text)
    assert (training.name, training.notes) == ("", ("the validation part has only 304 characters, so the validation "
        "loss is unreliable: choose a longer text, a larger --val-share, or --val-file",))  # fmt: skip
    events = list(training)
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finished)
    assert [event.step for event in events if isinstance(event, Evaluated)] == [10, 20]
    assert training.name == "fox-nano"
    assert tui_gpt.read_log("fox-nano") == events
    assert [(run.name, run.state, run.step) for run in tui_gpt.runs()] == [("fox-nano", "finished", 20)]
    assert (training.model().name, tui_gpt.load("fox-nano").step) == ("fox-nano@best", 20)
    assert next(training, None) is None


def test_the_model_of_the_moment_is_there_during_training(text: Path) -> None:
    with tiny(text, "fox") as training:
        with pytest.raises(NotFoundError, match="take the first event"):
            training.model()
        events = []
        for event in training:
            events.append(event)
            model = training.model()
            assert len(model.generate("the ", 5)) == 5
            if isinstance(event, Progress | Evaluated):
                assert (model.name, model.step) == ("fox@live", event.step)
    assert tui_gpt.read_log("fox") == events


def test_a_loop_that_is_left_pauses_and_closing_saves(text: Path) -> None:
    with tiny(text, "fox", 1_000) as training:
        for event in training:
            if event.step >= 4:
                break
        assert next(training).step == 6
        assert tui_gpt.runs()[0].writer == "here"
    assert [(run.state, run.step, run.writer) for run in tui_gpt.runs()] == [("stopped", 6, "")]
    assert next(training, None) is None
    assert training.model().name == "fox@last"


def test_a_training_that_is_dropped_is_saved(text: Path) -> None:
    for event in tiny(text, "fox", 1_000):
        if event.step >= 4:
            break
    assert [(run.state, run.step) for run in tui_gpt.runs()] == [("stopped", 4)]


def test_stopping_yields_the_last_events(text: Path) -> None:
    training = tiny(text, "fox", 1_000)
    next(training)
    training.stop()
    assert [event.type for event in training] == ["saved", "finished"]


def test_a_resumed_run_equals_one_that_was_not_interrupted(text: Path) -> None:
    straight = [event.val_loss for event in tiny(text, "straight") if isinstance(event, Evaluated)]
    with tiny(text, "broken") as training:
        while next(training).step < 12:
            pass
    list(tui_gpt.resume("broken"))
    assert [event.val_loss for event in tui_gpt.read_log("broken") if isinstance(event, Evaluated)] == straight
    more = list(tui_gpt.resume("broken", max_iters=24))
    assert more[-1].step == 24


def test_a_run_may_live_in_a_folder(text: Path, tmp_path: Path) -> None:
    training = tiny(text, folder=tmp_path / "mine")
    list(training)
    assert tui_gpt.runs() == []
    assert training.model().step == tui_gpt.load(tmp_path / "mine").step == 20
    assert list(tui_gpt.resume(str(tmp_path / "mine"), max_iters=22))[-1].step == 22
    assert tui_gpt.read_log(tmp_path / "mine")[-1].step == 22


def test_another_model_is_the_start(text: Path) -> None:
    list(tiny(text, "fox"))
    training = tui_gpt.train(text, init_from="fox", name="son", max_iters=2, device="cpu")
    assert [event.type for event in training][:2] == ["started", "initialized"]


def test_a_wrong_request_is_refused_before_the_first_event(text: Path) -> None:
    list(tiny(text, "fox"))
    with pytest.raises(UsageError, match=r"there is no setting 'learning_rat' \(did you mean learning_rate\?\)"):
        tui_gpt.train(text, learning_rat=1.0)  # type: ignore[call-arg]  # what is tested
    with pytest.raises(ConfigError, match="n_embd 7 is not divisible"):
        tui_gpt.train(text, "nano", n_embd=7)
    with pytest.raises(CorpusError, match="there is no file, folder or corpus"):
        tui_gpt.train(text.parent / "missing.txt")
    with pytest.raises(CorpusError, match="corpus is the text itself"):
        tui_gpt.train(FOX)
    with pytest.raises(UsageError, match="there is a run 'fox' already"):
        tui_gpt.train(text, name="fox")
    with pytest.raises(UsageError, match="name and folder cannot be used together"):
        tui_gpt.train(text, name="one", folder="two")
    with pytest.raises(IncompatibleError, match="has done 20 steps: choose a larger max_iters"):
        tui_gpt.resume("fox", max_iters=20)
    with pytest.raises(UsageError, match="n_layer cannot change when a run is resumed"):
        tui_gpt.resume("fox", n_layer=2)  # type: ignore[call-arg]  # what is tested
    with pytest.raises(NotFoundError, match="there is no run 'missing'"):
        tui_gpt.resume("missing")


def test_the_users_random_state_threads_and_signals_stay_as_they_were(text: Path) -> None:
    def state() -> tuple[object, ...]:
        keys = np.random.get_state(legacy=False)["state"]["key"].tolist()  # the global generator
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        return torch.get_rng_state().tolist(), keys, random.getstate(), torch.get_num_threads(), handlers

    torch.set_num_threads(2)
    before = state()
    during = [state() for event in tiny(text, "fox") if isinstance(event, Progress)]
    assert during == [before] * 10
    assert state() == before


def test_a_training_runs_in_any_thread(text: Path) -> None:
    events: list[object] = []
    thread = threading.Thread(target=lambda: events.extend(tiny(text, "fox")))
    thread.start()
    thread.join()
    assert isinstance(events[-1], Finished)


SCRIPT = """
import sys, tui_gpt
for event in tui_gpt.train({text!r}, "nano", name="fox", max_iters=100_000, eval_interval=100_000, n_layer=1,
    n_head=2, n_embd=16, block_size=16, batch_size=4, device="cpu", autosave_seconds=10_000.0):
    if event.step >= 20:
        {leave}
    print(event.step, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("leave", ["pass", "raise SystemExit", "raise KeyboardInterrupt"])
def test_whatever_ends_a_script_its_training_is_saved(text: Path, leave: str) -> None:
    """Ctrl+C during a step, or the end of the program while a training is open, in a process of its own."""
    script = SCRIPT.format(text=str(text), leave=leave)
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= 30:
                process.send_signal(signal.SIGINT)
                break
        _, errors = process.communicate()
    assert ("KeyboardInterrupt" in errors) == (leave != "raise SystemExit"), errors
    run = tui_gpt.runs()[0]
    assert (run.state, run.writer) == ("stopped", "")
    assert run.step >= (30 if leave == "pass" else 20)
    assert tui_gpt.load("fox@last").step == run.step
