"""Every signal, in every phase, on a real terminal: the work is saved, the terminal is as before, the code is right.

Here each phase meets one of the signals, in the app and without it; `benchmarks/torture.py signals` runs every cell of
the matrix and takes the time.
"""

import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("pseudo-terminals and signals are as on POSIX systems", allow_module_level=True)

from tests.phases import STEP
from tests.terminals import Terminal
from tui_gpt.gpt.checkpoint import read_checkpoint
from tui_gpt.runs import RunStore

FACES = ("headless", "app")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TINY = (
    "--preset", "nano", "--n-layer", "1", "--n-embd", "16", "--n-head", "2", "--block-size", "16", "--batch-size", "2",
    "--threads", "1", "--log-interval", "5", "--eval-interval", str(STEP), "--warmup-iters", "0",
    "--max-iters", "1000000",
)  # fmt: skip
TEXT = "the quick brown fox jumps over the lazy dog.\n" * 200


def train_on_a_terminal(phase: str, face: str, folder: Path) -> Terminal:
    """A training that will be held at that phase."""
    (folder / "text.txt").write_text(TEXT)
    command = ["train", str(folder / "text.txt"), "--name", "one", *TINY]
    arguments = ["-m", "tests.phases", phase, str(folder), *command]
    return Terminal(arguments + (["--headless"] if face == "headless" else []), folder / "home")


def let_go(folder: Path) -> None:
    (folder / "go").touch()


def seconds_to_leave(phase: str, face: str, numbers: Sequence[int], folder: Path) -> float:
    """Hold a training at that phase, send it signals, and check all that is promised; the seconds it took to leave.

    With one signal the program goes on where it was held; two have to do without.
    """
    with train_on_a_terminal(phase, face, folder) as terminal:
        terminal.wait_until((folder / "reached").exists)
        began = time.monotonic()
        for number in numbers:
            terminal.send(number)
            if len(numbers) > 1:
                terminal.wait_for("saving")
        if len(numbers) == 1:
            let_go(folder)
        code = terminal.wait_for_exit()
        seconds = time.monotonic() - began
        assert code == 128 + numbers[-1], terminal.words[-2000:]
        check_terminal(terminal, face)
    if len(numbers) == 1:
        check_run(folder, phase)
    return seconds


def check_terminal(terminal: Terminal, face: str) -> None:
    assert terminal.is_as_before()
    assert "Traceback" not in terminal.words
    if face == "app":
        assert (terminal.mode(1049), terminal.mode(25)) == (False, True), repr(terminal.screen[-500:])
        assert not any(terminal.mode(number) for number in (1000, 1003, 1006, 2004))


def check_run(folder: Path, phase: str) -> None:
    """A valid checkpoint, unless there was nothing to save, and no lock that stays."""
    store = RunStore(folder / "home" / "runs")
    if phase == "import":
        assert all(summary.step == 0 for summary in store.list())
        return
    run = store.get("one")
    assert read_checkpoint(run.require_checkpoint("last"), training=True).info.step >= STEP
    assert run.state == "stopped"
    assert run.writer() is None


@pytest.mark.parametrize(
    ("phase", "face", "number"),
    [
        ("import", "app", signal.SIGHUP),
        ("step", "headless", signal.SIGTERM),
        ("evaluation", "app", signal.SIGINT),
        ("save", "headless", signal.SIGHUP),
        ("pause", "app", signal.SIGTERM),
    ],
)
def test_a_signal_saves_and_leaves_the_terminal_as_it_was(
    phase: str, face: str, number: signal.Signals, tmp_path: Path
) -> None:
    seconds_to_leave(phase, face, [number], tmp_path)


def test_a_second_signal_does_not_wait_for_anything(tmp_path: Path) -> None:
    """The step is never let go, so only leaving at once ends the program."""
    seconds_to_leave("step", "app", [signal.SIGINT, signal.SIGTERM], tmp_path)


@pytest.mark.parametrize("face", FACES)
def test_a_signal_does_not_wait_for_an_import(face: str, tmp_path: Path) -> None:
    """The import of torch is never let go."""
    with train_on_a_terminal("import", face, tmp_path) as terminal:
        terminal.wait_until((tmp_path / "reached").exists)
        terminal.send(signal.SIGHUP)
        assert terminal.wait_for_exit() == 128 + signal.SIGHUP
        check_terminal(terminal, face)
    check_run(tmp_path, "import")


@pytest.mark.parametrize("face", FACES)
def test_a_terminal_that_is_closed_loses_no_work(face: str, tmp_path: Path) -> None:
    """What a lost SSH connection does, and the end of the parent that held the terminal."""
    with train_on_a_terminal("step", face, tmp_path) as terminal:
        terminal.wait_until((tmp_path / "reached").exists)
        terminal.close()
        let_go(tmp_path)
        assert terminal.wait_for_exit() == 128 + signal.SIGHUP
    check_run(tmp_path, "step")
