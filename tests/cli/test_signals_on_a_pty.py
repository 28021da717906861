"""Signals in every phase, on a real terminal: the work is saved, the terminal is restored, the exit code is right.

Each phase gets one of the signals, in the app and headless; `benchmarks/torture.py signals` runs and times every
combination.
"""

import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("pseudo-terminals and signals are as on POSIX systems", allow_module_level=True)

from tests.cli.phases import FAILURE, STEP
from tests.cli.terminals import Terminal
from tui_gpt.errors import EXIT_DONE, EXIT_FAILED
from tui_gpt.events import Finished
from tui_gpt.storage.runs import RunStore
from tui_gpt.training.checkpoints.tensors import read_checkpoint

INTERFACES = ("headless", "app")
EITHER_INTERFACE = [INTERFACES[0], pytest.param(INTERFACES[1], marks=pytest.mark.slow)]
"""Where the app adds little to what other tests show."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TINY = (
    "--preset", "nano", "--n-layer", "1", "--n-embd", "16", "--n-head", "2", "--block-size", "16", "--batch-size", "2",
    "--threads", "1", "--log-interval", "5", "--eval-interval", str(STEP), "--warmup-iters", "0",
    "--max-iters", "1000000",
)  # fmt: skip
TEXT = "the quick brown fox jumps over the lazy dog.\n" * 200


def train_on_a_terminal(phase: str, interface: str, folder: Path) -> Terminal:
    """Start a training that will be held in that phase."""
    return Terminal(training_arguments(phase, interface, folder), folder / "home")


def training_arguments(phase: str, interface: str, folder: Path) -> list[str]:
    (folder / "text.txt").write_text(TEXT)
    command = ["train", str(folder / "text.txt"), "--name", "one", *TINY]
    arguments = ["-m", "tests.cli.phases", phase, str(folder), *command]
    return arguments + (["--headless"] if interface == "headless" else [])


def let_go(folder: Path) -> None:
    (folder / "go").touch()


def seconds_to_exit(phase: str, interface: str, numbers: Sequence[int], folder: Path) -> float:
    """Hold a training in that phase, send it signals, and check the promises; return the seconds it took to exit.

    After one signal the program is released; after two it is not.
    """
    with train_on_a_terminal(phase, interface, folder) as terminal:
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
        check_terminal(terminal, interface)
    if len(numbers) == 1:
        check_run(folder, phase)
    return seconds


def check_terminal(terminal: Terminal, interface: str) -> None:
    assert terminal.is_as_before()
    assert "Traceback" not in terminal.words
    assert terminal.screen.rfind("\x1b[22;2t") <= terminal.screen.rfind("\x1b[23;2t"), "the title was not restored"
    if interface == "app":
        assert (terminal.mode(1049), terminal.mode(25)) == (False, True), repr(terminal.screen[-500:])
        assert not any(terminal.mode(number) for number in (1000, 1003, 1006, 2004))


def check_run(folder: Path, phase: str) -> None:
    """Check that the work is saved (if there was any), that no lock is left, and that the gate did not time out."""
    assert not (folder / "forgotten").exists()
    store = RunStore(folder / "home" / "runs")
    if phase == "import":
        assert all(summary.step == 0 for summary in store.list())
        return
    run = store.get("one")
    assert read_checkpoint(run.require_checkpoint("last"), training=True).info.step >= STEP
    assert run.state == "stopped"
    assert run.writer() is None


@pytest.mark.parametrize(
    ("phase", "interface", "number"),
    [
        ("import", "app", signal.SIGHUP),
        ("step", "headless", signal.SIGTERM),
        ("evaluation", "app", signal.SIGINT),
        ("save", "headless", signal.SIGHUP),
        ("pause", "app", signal.SIGTERM),
    ],
)
def test_a_signal_saves_and_leaves_the_terminal_as_it_was(
    phase: str, interface: str, number: signal.Signals, tmp_path: Path
) -> None:
    seconds_to_exit(phase, interface, [number], tmp_path)


def test_a_second_signal_does_not_wait_for_anything(tmp_path: Path) -> None:
    """The step is never released, so only an immediate exit ends the program."""
    seconds_to_exit("step", "app", [signal.SIGINT, signal.SIGTERM], tmp_path)


@pytest.mark.parametrize("interface", EITHER_INTERFACE)
def test_a_signal_does_not_wait_for_an_import(interface: str, tmp_path: Path) -> None:
    """The import of torch is never released."""
    with train_on_a_terminal("import", interface, tmp_path) as terminal:
        terminal.wait_until((tmp_path / "reached").exists)
        terminal.send(signal.SIGHUP)
        assert terminal.wait_for_exit() == 128 + signal.SIGHUP
        check_terminal(terminal, interface)
    check_run(tmp_path, "import")


def test_a_bug_in_the_app_saves_restores_the_terminal_and_names_its_report(tmp_path: Path) -> None:
    with train_on_a_terminal(FAILURE, "app", tmp_path) as terminal:
        assert terminal.wait_for_exit() == EXIT_FAILED
        check_terminal(terminal, "app")
        [report] = (tmp_path / "home" / "logs").glob("crash-*.txt")
        assert "ZeroDivisionError" in report.read_text()
        assert report.name in terminal.words.replace("\r\n", "")
    check_run(tmp_path, "step")


LEADER = """
import subprocess, sys
subprocess.Popen([sys.executable, *sys.argv[1:]]).wait()
"""


@pytest.mark.parametrize("interface", EITHER_INTERFACE)
def test_a_parent_that_is_killed_loses_no_work(interface: str, tmp_path: Path) -> None:
    """The shell of a session dies by SIGKILL while a training runs in its foreground."""
    arguments = training_arguments("step", interface, tmp_path)
    with Terminal(["-c", LEADER, *arguments], tmp_path / "home") as terminal:
        terminal.wait_until((tmp_path / "reached").exists)
        run = RunStore(tmp_path / "home" / "runs").get("one")
        assert run.writer() is not None
        terminal.send(signal.SIGKILL)
        assert terminal.wait_for_exit() == -signal.SIGKILL
        let_go(tmp_path)
        terminal.wait_until(lambda: run.writer() is None)
    check_run(tmp_path, "step")


@pytest.mark.slow
def test_two_apps_at_once_train_two_runs_and_refuse_to_share_one(tmp_path: Path) -> None:
    """The second is refused, naming the first one's process, and both quit normally."""
    (tmp_path / "text.txt").write_text(TEXT)
    home, store = tmp_path / "home", RunStore(tmp_path / "home" / "runs")
    command = ["-m", "tui_gpt", "train", str(tmp_path / "text.txt"), *TINY]
    with Terminal([*command, "--name", "one"], home) as one, Terminal([*command, "--name", "two"], home) as two:
        for terminal, name in ((one, "one"), (two, "two")):
            terminal.wait_until(lambda name=name: is_saved(store, name))  # type: ignore[misc]  # a default
        with Terminal(["-m", "tui_gpt", "train", "--headless", "--resume", "one"], home) as third:
            assert third.wait_for_exit() == EXIT_FAILED
            assert f"process {one.pid}" in third.words
            assert "stop it there first" in " ".join(third.words.split())
        for terminal in (one, two):
            terminal.type("q")
            terminal.wait_for("Save and quit")
            terminal.type("s")
            assert terminal.wait_for_exit() == EXIT_DONE
            check_terminal(terminal, "app")
    for name in ("one", "two"):
        assert store.get(name).state == "stopped"


def is_saved(store: RunStore, name: str) -> bool:
    return (store.root / name).exists() and store.get(name).checkpoint_dir("last") is not None


SHELL = """
import os, signal, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.executable, [sys.executable, "-c", WRAPPER, *sys.argv[1:]])
while True:
    _, status = os.waitpid(child, os.WUNTRACED)
    os.tcsetpgrp(0, os.getpgrp())
    if not os.WIFSTOPPED(status):
        sys.exit(os.waitstatus_to_exitcode(status))
    print("the job is stopped", flush=True)
    if input() == "fg":
        os.tcsetpgrp(0, child)
    os.killpg(child, signal.SIGCONT)
"""
"""What a shell does with one job. The job is a program that waits for another one, as `uv run` does."""
WRAPPER = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, *sys.argv[1:]]))"


def test_ctrl_z_goes_back_to_the_shell_and_fg_brings_everything_back(tmp_path: Path) -> None:
    """Also after a `bg`: without the terminal nothing can be drawn."""
    (tmp_path / "text.txt").write_text(TEXT)
    home, store = tmp_path / "home", RunStore(tmp_path / "home" / "runs")
    command = ["-m", "tui_gpt", "train", str(tmp_path / "text.txt"), *TINY, "--name", "one"]
    with Terminal(["-c", f"WRAPPER = {WRAPPER!r}\n{SHELL}", *command], home) as terminal:
        terminal.wait_until(lambda: is_saved(store, "one"))
        for answers in (["fg"], ["bg", "fg"]):
            terminal.forget()
            terminal.type("\x1a")
            for answer in answers:
                terminal.wait_for("the job is stopped")
                check_terminal(terminal, "app")
                terminal.screen = terminal.screen.replace("the job is stopped", "")
                terminal.type(f"{answer}\n")
            terminal.wait_until(lambda: terminal.mode(1049) is True)
            terminal.wait_for("training")
        terminal.type("q")
        terminal.wait_for("Save and quit")
        terminal.type("s")
        assert terminal.wait_for_exit() == EXIT_DONE
        check_terminal(terminal, "app")
    assert store.get("one").state == "stopped"


@pytest.mark.slow
def test_ctrl_z_without_the_app_stops_the_training_and_its_clock(tmp_path: Path) -> None:
    home, store = tmp_path / "home", RunStore(tmp_path / "home" / "runs")
    (tmp_path / "text.txt").write_text(TEXT)
    command = ["-m", "tui_gpt", "train", str(tmp_path / "text.txt"), *TINY, "--name", "one", "--headless"]
    began = time.monotonic()
    with Terminal(["-c", f"WRAPPER = {WRAPPER!r}\n{SHELL}", *command], home) as terminal:
        terminal.wait_until(lambda: is_saved(store, "one"))
        terminal.type("\x1a")
        terminal.wait_for("the job is stopped")
        terminal.run_for(1.0)  # the wrapper stops first
        size, stopped = store.get("one").log.path.stat().st_size, time.monotonic()
        terminal.run_for(4.0)  # longer than it takes to start and to end
        assert store.get("one").log.path.stat().st_size == size
        suspended = time.monotonic() - stopped
        terminal.type("fg\n")
        terminal.wait_until(lambda: store.get("one").log.path.stat().st_size > size)
        terminal.type("\x03")
        terminal.wait_for_exit()
        seconds = time.monotonic() - began
    end = list(store.get("one").events())[-1]
    assert isinstance(end, Finished)
    assert 0 < end.elapsed_seconds < seconds - suspended


def test_ctrl_z_without_a_shell_to_go_back_to_changes_nothing(tmp_path: Path) -> None:
    """A suspended app could not be continued."""
    with Terminal(["-m", "tui_gpt"], tmp_path / "home") as terminal:
        terminal.wait_for("press s to train", "about")
        terminal.type("\x1a")
        terminal.wait_until(lambda: terminal.modes(1049) == [True, False, True])
        terminal.type("q")
        assert terminal.wait_for_exit() == EXIT_DONE


@pytest.mark.parametrize("interface", [pytest.param(INTERFACES[0], marks=pytest.mark.slow), INTERFACES[1]])
def test_a_terminal_that_is_closed_loses_no_work(interface: str, tmp_path: Path) -> None:
    """What a lost SSH connection does, and the end of the parent that held the terminal."""
    with train_on_a_terminal("step", interface, tmp_path) as terminal:
        terminal.wait_until((tmp_path / "reached").exists)
        terminal.close()
        let_go(tmp_path)
        assert terminal.wait_for_exit() == 128 + signal.SIGHUP
    check_run(tmp_path, "step")
