"""The program as a process: real training, real signals, real pipes. Each test waits for what it needs to see."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as POSIX systems do")

TINY = [
    "--preset", "nano", "--n-layer", "1", "--n-embd", "16", "--n-head", "2", "--block-size", "16", "--batch-size", "2",
    "--threads", "1", "--log-interval", "5", "--eval-interval", "1000000", "--warmup-iters", "0",
]  # fmt: skip
ENDLESS = [*TINY, "--max-iters", "10000000"]
TIMEOUT_SECONDS = 120
RESTORED_TITLE = "\x1b]2;\x07\x1b[23;2t"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a home and a small text, shared by the tests of this file."""
    place = tmp_path_factory.mktemp("place")
    (place / "text.txt").write_text("the quick brown fox jumps over the lazy dog.\n" * 200)
    return place


def environment(place: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TUI_GPT_")}
    own = {"TUI_GPT_HOME": str(place / "home"), "XDG_CACHE_HOME": str(place / "cache"), "OMP_NUM_THREADS": "1"}
    return {**kept, **own}


def start(place: Path, *arguments: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tui_gpt", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr,
        text=True, encoding="utf-8", cwd=place, env=environment(place),
    )  # fmt: skip


def run(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    process = start(place, *arguments)
    out, err = process.communicate(timeout=TIMEOUT_SECONDS)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def lines_of(stream: IO[str] | None) -> Iterator[str]:
    assert stream is not None
    return iter(stream.readline, "")


def wait_for(process: subprocess.Popen[str], kind: str) -> dict[str, Any]:
    """Return the next event of that kind."""
    for line in lines_of(process.stdout):
        record: dict[str, Any] = json.loads(line)
        if record["type"] == kind:
            return record
    raise AssertionError(f"no {kind} event came: {process.stderr.read() if process.stderr else ''}")


def events_in(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_run_is_trained_generated_from_and_evaluated(place: Path) -> None:
    trained = run(place, "train", "text.txt", "--headless", "--json", "--name", "whole", *TINY, "--max-iters", "20")
    assert trained.returncode == 0, trained.stderr
    events = events_in(trained.stdout)
    assert events[0]["type"] == "started"
    assert (events[-1]["type"], events[-1]["step"], events[-1]["reason"]) == ("finished", 20, "completed")
    assert "tui-gpt generate --run whole" in trained.stderr

    written = run(place, "generate", "the ", "--run", "whole", "--max-new-tokens", "30", "--seed", "1")
    assert (written.returncode, len(written.stdout)) == (0, 30), written.stderr
    assert "seed 1" in written.stderr

    measured = run(place, "eval", "--run", "whole", "--json")
    assert json.loads(measured.stdout)["val_loss"] == pytest.approx(events[-1]["best_val_loss"], abs=1e-4)


def test_an_interrupted_run_is_saved_and_resumed(place: Path) -> None:
    process = start(place, "train", "text.txt", "--headless", "--json", "--name", "one", *ENDLESS)
    wait_for(process, "progress")
    refused = run(place, "runs", "rm", "one", "--yes")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (process.returncode, "Traceback" in err) == (130, False), err
    assert f"process {process.pid} is writing the run 'one'" in refused.stderr
    *_, finished = events_in(out)
    assert (finished["type"], finished["reason"]) == ("finished", "stopped")
    assert any(event["type"] == "saved" and event["step"] == finished["step"] for event in events_in(out))

    goal = finished["step"] + 7
    resumed = run(place, "train", "--headless", "--json", "--resume", "one", "--max-iters", str(goal))
    assert resumed.returncode == 0, resumed.stderr
    events = events_in(resumed.stdout)
    assert (events[0]["type"], events[0]["step"]) == ("started", finished["step"])
    assert (events[-1]["step"], events[-1]["reason"]) == (goal, "completed")


def test_a_terminated_run_is_saved_and_leaves_a_clean_line(place: Path) -> None:
    """stderr is a real terminal here: no rest of the progress bar stays beside the summary."""
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    process = start(place, "train", "text.txt", "--headless", "--json", "--name", "two", *ENDLESS, stderr=slave)
    os.close(slave)
    wait_for(process, "progress")
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    shown = everything_from(master)
    assert process.returncode == 143
    assert events_in(out)[-1]["reason"] == "stopped"
    assert "% " in shown
    assert "saving, then stopping" in shown
    tail = shown.rpartition("\r\x1b[K")[2]
    assert tail.startswith("stopped after")
    assert tail.removesuffix(RESTORED_TITLE).endswith("\n")


def everything_from(descriptor: int) -> str:
    data = b""
    try:
        while piece := os.read(descriptor, 65_536):
            data += piece
    except OSError:
        pass  # Linux reports the end of a terminal as an error
    finally:
        os.close(descriptor)
    return data.decode()


WATCHED = """
import sys
class Watcher:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print("importing", flush=True)
sys.meta_path.insert(0, Watcher())
from tui_gpt.cli.main import main
sys.argv = ["tui-gpt", *sys.argv[1:]]
main()
"""


def test_a_signal_while_torch_is_imported_is_not_lost(place: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WATCHED, "train", "text.txt", "--headless", "--name", "early", *ENDLESS],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=place, env=environment(place),
    )  # fmt: skip
    assert next(lines_of(process.stdout)) == "importing\n"
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 143, err
    assert "Traceback" not in err


STUCK = """
import time
from tui_gpt.control import Control
from tui_gpt.cli.signals import StopOnSignals
with StopOnSignals(Control(), "stopping"):
    print("ready", flush=True)
    while True:
        time.sleep(0.01)
"""


def test_a_second_signal_exits_immediately(place: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(place)
    )
    assert next(lines_of(process.stdout)) == "ready\n"
    process.send_signal(signal.SIGINT)
    assert next(lines_of(process.stderr)) == "stopping\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 143


def test_a_reader_that_exits_sees_no_traceback(place: Path) -> None:
    with start(place, "config", "show") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


@pytest.fixture(scope="module")
def trained(place: Path) -> str:
    """Return the name of a run that has made a few steps."""
    done = run(place, "train", "text.txt", "--headless", "--quiet", "--name", "small", *TINY, "--max-iters", "3")
    assert done.returncode == 0, done.stderr
    return "small"


def in_shell(place: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m tui_gpt {command}"],
        cwd=place, env=environment(place), capture_output=True, text=True, timeout=TIMEOUT_SECONDS,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("command", "code", "expected"),
    [
        ("generate --quiet --run small --max-new-tokens 9 >&-", 1, "error: stdout is closed: send it somewhere"),
        ("config path >&-", 1, "error: stdout is closed"),
        ("train - --headless --quiet <&-", 2, "error: stdin is closed: pipe a text into it, or name a file"),
        ("eval --file - <&-", 2, "error: stdin is closed"),
        ("generate - <&-", 2, "error: stdin is closed"),
        ("generate --run small --max-new-tokens 9 2>&-", 0, ""),
        ("no-such-command 2>&-", 2, ""),
        ("train --headless --resume small --max-iters 6 <&- >&- 2>&-", 0, ""),
    ],
)
def test_a_closed_stream_is_one_line_or_has_no_effect(
    place: Path, trained: str, command: str, code: int, expected: str
) -> None:
    done = in_shell(place, command)
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith(expected)
    assert done.stderr.count("\n") == bool(expected)
    assert not list((place / "home" / "logs").glob("*"))


def test_what_goes_to_a_closed_stderr_does_not_end_up_in_a_file(place: Path) -> None:
    """Otherwise the next opened file would get its descriptor."""
    script = "import os; from tui_gpt.cli.commands.terminal import occupy_closed_descriptors as occupy; occupy()"
    script += "; file = open('kept.txt', 'w'); os.write(2, b'noise'); os.write(1, b'noise') if 0 else None"
    command = f'{sys.executable} -c "{script}; print(file.fileno() > 2, file=file)" <&- >&- 2>&-'
    subprocess.run(["/bin/sh", "-c", command], cwd=place, env=environment(place), check=True)
    assert (place / "kept.txt").read_text() == "True\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_measuring_a_text_ends_at_once_with_the_code_of_the_signal(
    place: Path, trained: str, number: signal.Signals, code: int
) -> None:
    (place / "long.txt").write_text("the quick brown fox jumps over the lazy dog.\n" * 200_000)
    process = start(place, "eval", "--run", trained, "--file", "long.txt")
    assert any("evaluating " in line for line in lines_of(process.stderr))
    process.send_signal(number)
    out, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (process.returncode, out) == (code, "")
    assert "Traceback" not in err


ENDING = """
import atexit, sys, threading, types
from tui_gpt.cli.main import main
if sys.argv.pop(1) == "with":
    sys.modules["torch"] = types.ModuleType("torch")
class Last:
    def __del__(self):
        print("taken apart", flush=True)
last = Last()
def after_main():
    threading.main_thread().join()
    print("waited for", flush=True)
    atexit.register(print, "called", flush=True)
threading.Thread(target=after_main).start()
main()
"""


@pytest.mark.parametrize(("torch", "ending"), [("with", ""), ("without", "taken apart\n")])
def test_a_process_with_torch_ends_once_threads_and_exit_handlers_are_done(
    place: Path, torch: str, ending: str
) -> None:
    command = [sys.executable, "-c", ENDING, torch, "data", "list", "--no-such-option"]
    done = subprocess.run(command, env=environment(place), capture_output=True, text=True, timeout=60)
    assert done.stdout == f"waited for\ncalled\n{ending}"
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
