"""Measure the app with 500 runs: the start, reading the list, and keys while it is read.

    python benchmarks/runs_tab.py

The start is measured as in `startup`, beside an empty Textual app and the app without runs. For the keys, a thread of
the app reads all runs from scratch, again and again, while letters are typed into the filter of the Runs tab.
"""

import fcntl
import os
import pty
import statistics
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keys import COLUMNS, FIRST_SIGN, ROWS, App, print_row
from startup import EMPTY, OURS
from terminal import run_on_a_terminal

from tui_gpt.config import resolve
from tui_gpt.events import Evaluated, Event, Finished, Progress, Started, to_json
from tui_gpt.storage.runs import RunList, RunStore
from tui_gpt.storage.runs.run import RunRecord

RUNS = 500
STEPS = 1_000
STARTS = 9
KEYS = 100

READING = """
from tui_gpt.storage.runs import RunList, RunStore
from tui_gpt.tui.app.app import run_app
from tui_gpt.tui.threads import start_in_background
def read():
    while True:
        RunList(RunStore(), rest=0.003).read()
{start}
run_app()
"""
"""The app, with or without a thread that reads the runs."""


def events() -> Iterator[Event]:
    """Yield the log of a run."""
    yield Started(
        step=0, max_iters=STEPS, parameters=800_000, device="cpu", train_tokens=1_000_000, val_tokens=111_540,
        preset="quick", seed=1337,
    )  # fmt: skip
    for step in range(2, STEPS + 1, 2):
        loss = 1.5 + 2.5 / (1 + step / 50)
        yield Progress(
            step=step, loss=loss, learning_rate=1e-3, grad_norm=0.5, tokens_per_second=2e4, elapsed_seconds=step / 20
        )
        if step % 100 == 0:
            yield Evaluated(
                step=step,
                train_loss=loss,
                val_loss=loss,
                bits_per_char=loss / 0.693,
                bits_per_byte=loss,
                is_best=True,
                val_tokens=111_540,
            )
    yield Finished(step=STEPS, reason="completed", best_val_loss=1.6, elapsed_seconds=50.0)


def fill(home: Path) -> None:
    """Create the runs."""
    log = "".join(f"{to_json(event)}\n" for event in events()).encode()
    record = RunRecord(config=resolve("quick"), state="finished").to_json()
    for number in range(RUNS):
        folder = home / "runs" / f"run-{number:03}"
        folder.mkdir(parents=True)
        (folder / "run.json").write_bytes(record)
        (folder / "events.jsonl").write_bytes(log)


def print_start(home: Path) -> None:
    """Print the time to the complete main screen beside the first picture of an empty app."""
    empty, without, ours = [], [], []
    for _ in range(STARTS):
        empty.append(run_on_a_terminal(EMPTY)["first"])
        without.append(run_on_a_terminal(OURS)["whole"])
        ours.append(run_on_a_terminal(OURS, home=home)["whole"])
    bare = statistics.median(empty)
    print("| what | seconds, median | beside the empty app |\n|---|---|---|")
    print(f"| an empty Textual app's first picture | {bare:.3f} | 1.00 |")
    for name, times in (("without runs", without), (f"with {RUNS} runs", ours)):
        whole = statistics.median(times)
        print(f"| `tui-gpt` {name}, complete main screen | {whole:.3f} | {whole / bare:.2f} |", flush=True)


def print_reading(home: Path) -> None:
    """Print the CPU time of the first and of a later reading."""
    runs = RunList(RunStore(home / "runs"))
    times = []
    for _ in range(2):
        began = time.process_time()
        runs.read()
        times.append(time.process_time() - began)
    print(f"\nCPU seconds to read {RUNS} runs: {times[0]:.2f}; again, unchanged: {times[1]:.3f}\n", flush=True)


@contextmanager
def app_with_runs(home: Path, *, is_reading: bool) -> Iterator[App]:
    """Start the app in the Runs tab, with the cursor in the filter."""
    pid, terminal = pty.fork()
    if pid == 0:
        script = READING.format(start='start_in_background(read, "reader")' if is_reading else "")
        environment = {**os.environ, "TUI_GPT_HOME": str(home), "TERM": "xterm-256color"}
        os.execve(sys.executable, [sys.executable, "-c", script], environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    app = App(terminal)
    try:
        app.wait_for("Generate")
        app.idle(6.0)
        app.press("\x1bOS")  # F4
        app.wait_for("run-4")
        app.idle(2.0)
        app.press("/")
        app.idle(1.0)
        yield app
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)


def print_keys(home: Path) -> None:
    """Print the time from a key to its sign in the filter."""
    print("| milliseconds from a key to its sign on the screen | p50 | p95 | worst |\n|---|---|---|---|")
    for is_reading, name in ((False, "filter of 500 runs"), (True, "the same while all runs are read from scratch")):
        with app_with_runs(home, is_reading=is_reading) as app:
            times = []
            for k in range(KEYS):
                times.append(app.milliseconds_until_drawn(chr(FIRST_SIGN + k % 200)))
                app.idle(0.05)
                app.press("\x7f")
                app.idle(0.1)
            print_row(name, times)


def main() -> None:
    """Print all tables."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        fill(home)
        print_start(home)
        print_reading(home)
        print_keys(home)


if __name__ == "__main__":
    main()
