"""Checkpoints are written in the background, and no failure is lost."""

import threading
from pathlib import Path

import pytest

from tui_gpt.errors import StorageError
from tui_gpt.training.checkpoints.background import BackgroundSaver, SaveResult


def test_a_job_runs_in_another_thread_and_its_result_is_taken_once() -> None:
    saver, threads = BackgroundSaver(), []

    def job() -> Path:
        threads.append(threading.current_thread())
        return Path("last")

    saver.submit("last", 5, job)
    saver.wait()
    assert saver.take_results() == [SaveResult("last", 5, Path("last"))]
    assert saver.take_results() == []
    assert threads != [threading.current_thread()]


def test_a_waiting_checkpoint_is_replaced_by_a_newer_one_of_its_kind() -> None:
    saver, gate, written = BackgroundSaver(), threading.Event(), []

    def slow() -> Path:
        gate.wait()
        return Path("best")

    def note(step: int) -> Path:
        written.append(step)
        return Path("last")

    saver.submit("best", 1, slow)
    for step in (2, 3, 4):
        saver.submit("last", step, lambda step=step: note(step))  # type: ignore[misc]  # mypy cannot infer the default
    gate.set()
    saver.wait()
    assert written[-1] == 4
    assert len(written) <= 2


def test_last_is_never_written_before_the_best_that_it_refers_to() -> None:
    """A crash between the two would lose the best one: the run resumes from `last`, which records it as saved."""
    saver, gate, written = BackgroundSaver(), threading.Event(), []

    def write(name: str) -> Path:
        gate.wait()
        written.append(name)
        return Path(name)

    for kind, step in (("best", 1), ("last", 2), ("best", 3), ("last", 3)):
        saver.submit(kind, step, lambda name=f"{kind} {step}": write(name))  # type: ignore[misc]  # see above
    gate.set()
    saver.wait()
    assert written[-2:] == ["best 3", "last 3"]


def test_a_failed_job_is_reported_as_a_sentence_and_the_next_job_runs() -> None:
    saver = BackgroundSaver()

    def refuse() -> Path:
        raise StorageError("the disk is full: free some space")

    saver.submit("last", 1, refuse)
    saver.wait()
    saver.submit("last", 2, lambda: Path("last"))
    saver.wait()
    assert saver.take_results() == [
        SaveResult("last", 1, None, "the disk is full: free some space"),
        SaveResult("last", 2, Path("last")),
    ]


def test_a_checkpoint_is_written_even_if_no_thread_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    saver = BackgroundSaver()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        saver.submit("last", 1, lambda: Path("last"))
        saver.wait()
    saver.submit("best", 2, lambda: Path("best"))
    saver.wait()
    assert saver.take_results() == [SaveResult("last", 1, Path("last")), SaveResult("best", 2, Path("best"))]


def test_a_job_that_raises_past_its_thread_does_not_block_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave() -> Path:
        raise KeyboardInterrupt

    def at_once(thread: threading.Thread) -> None:
        thread.run()

    saver = BackgroundSaver()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", at_once)
        with pytest.raises(KeyboardInterrupt):
            saver.submit("last", 1, leave)
    saver.wait()
    saver.submit("last", 2, lambda: Path("last"))
    saver.wait()
    assert saver.take_results() == [SaveResult("last", 2, Path("last"))]
