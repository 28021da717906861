"""The app on a real terminal trains, generates, quits, is started again and resumes."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("a pseudo-terminal", allow_module_level=True)

from tests.cli.terminals import Terminal
from tui_gpt.events import Evaluated, Finished, Progress, Resumed
from tui_gpt.storage.runs import Run, RunState, RunStore
from tui_gpt.training.checkpoints.tensors import read_checkpoint

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 200
TINY = (
    "--preset", "nano", "--n-layer", "1", "--n-embd", "16", "--n-head", "2", "--block-size", "16", "--batch-size", "2",
    "--threads", "1", "--log-interval", "10", "--eval-interval", "15", "--warmup-iters", "0", "--max-iters", "30",
)  # fmt: skip
ESCAPE, ENTER = "\x1b", "\r"


@pytest.mark.slow
def test_train_generate_quit_come_back_and_resume(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text(TEXT)
    store = RunStore(tmp_path / "home" / "runs")
    with Terminal(["-m", "tui_gpt", "train", str(text), "--name", "one", *TINY], tmp_path / "home") as terminal:
        terminal.wait_until(has_ended(store, step=30))
        terminal.wait_for("New run")
        terminal.type("g")
        terminal.wait_for("Enter generates")
        terminal.type("the quick" + ENTER)
        terminal.wait_for("500 characters")
        leave(terminal)
    assert read_checkpoint(run_of(store).require_checkpoint("last"), training=True).info.step == 30

    with Terminal(["-m", "tui_gpt"], tmp_path / "home") as terminal:
        terminal.wait_for("Start")
        terminal.type("3")
        terminal.wait_for("30/30")
        terminal.wait_for("r Resume")  # the footer, once the list has the focus
        terminal.type("r")
        terminal.wait_for("Train further")
        terminal.type(ENTER)
        terminal.wait_until(has_ended(store, step=60))
        leave(terminal)
    run = run_of(store)
    events = list(run.events())
    assert [event.step for event in events if isinstance(event, Progress)] == [10, 20, 30, 40, 50, 60]
    assert [event.step for event in events if isinstance(event, Evaluated)] == [15, 30, 45, 60]
    assert not any(isinstance(event, Resumed) for event in events)
    assert read_checkpoint(run.require_checkpoint("last"), training=True).info.step == 60


def run_of(store: RunStore) -> Run:
    return store.get("one")


def has_ended(store: RunStore, step: int) -> Callable[[], bool]:
    """Return whether the run is finished at this step, and its process has exited."""
    ended: RunState = "finished"

    def holds() -> bool:
        if not any(summary.name == "one" for summary in store.list()):
            return False
        run = run_of(store)
        finished = [event for event in run.events() if isinstance(event, Finished)]
        return bool(finished) and finished[-1].step == step and run.state == ended and run.writer() is None

    return holds


def leave(terminal: Terminal) -> None:
    terminal.type(ESCAPE)
    terminal.run_for(0.3)  # an escape and a letter that come together are one key
    terminal.type("q")
    assert terminal.wait_for_exit() == 0, terminal.words[-2000:]
    assert terminal.is_as_before()
