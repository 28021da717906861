"""Measure following and controlling a run of another process, and whether killing either side loses anything.

    python -m benchmarks.attach latency [--seconds 20]    an event of another process to the screen of the app
    python -m benchmarks.attach stop [--times 10]         a stop asked for to the end of the run
    python -m benchmarks.attach cycles [--cycles 100]     start, attach, detach, kill either side, resume
    python -m benchmarks.attach cost [--seconds 10]       what answering requests costs the training

Each prints a row of Markdown. Runs are of a model of a few thousand parameters; run it from the repository's root.
"""

import argparse
import asyncio
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from tui_gpt.control import Control
from tui_gpt.events import Event, Finished, Progress
from tui_gpt.storage.runs import Run, RunStore
from tui_gpt.storage.runs.live.attach import attach, send_request
from tui_gpt.storage.runs.live.follow import LogFollower
from tui_gpt.storage.runs.live.requests import RunRequest, SentRequest
from tui_gpt.storage.runs.live.service import RequestService

TINY = [
    "--preset", "nano", "--n-layer", "1", "--n-embd", "16", "--n-head", "2", "--block-size", "16", "--batch-size", "2",
    "--threads", "1", "--eval-interval", "1000000", "--warmup-iters", "0", "--autosave-seconds", "1",
    "--max-iters", "10000000",
]  # fmt: skip


def start_training(name: str, *options: str) -> "subprocess.Popen[bytes]":
    """Train in another process, or resume, and wait until its log has the beginning."""
    resume = (RunStore().root / name).is_dir()
    how = ["--resume", name] if resume else ["--name", name, *TINY, *options]
    run = Run(RunStore().root / name)
    follower = LogFollower(run.log)
    list(follower.read())
    process = subprocess.Popen([sys.executable, "-m", "tui_gpt", "train", "--headless", "--quiet", *how])
    while not any(isinstance(event, Progress) for event in follower.read()):
        if process.poll() is not None:
            raise SystemExit(f"the training ended with {process.returncode}")
        time.sleep(0.05)
    return process


def percentile(values: list[float], fraction: float) -> float:
    return sorted(values)[min(len(values) - 1, int(fraction * len(values)))]


# Another process to the screen

_WRITER = """
import sys, time
from tests.fakes import progress, started
from tui_gpt.storage.recorder import Recorder
from tui_gpt.storage.runs import RunStore
run = RunStore().get(sys.argv[1])
with run.lock():
    recorder = Recorder(run)
    list(recorder.take(started(1_000_000)))
    print("ready", flush=True)
    until, step = time.monotonic() + float(sys.argv[2]), 0
    while time.monotonic() < until:
        time.sleep(0.0371)
        step += 1
        event = progress(step)
        list(recorder.take(event))
        print(step, time.monotonic(), flush=True)
"""


async def _on_screen(seconds: float) -> dict[int, float]:
    """Return when each step was first drawn by the app."""
    from tui_gpt.tui.app.app import TuiGptApp
    from tui_gpt.tui.train.run_status import RunStatus

    drawn: dict[int, float] = {}
    render: Any = RunStatus.render

    def noted(self: Any) -> Any:
        content = render(self)
        drawn.setdefault(self._record.step, time.monotonic())
        return content

    RunStatus.render = noted  # type: ignore[method-assign]  # to note the time
    app = TuiGptApp()
    async with app.run_test(size=(80, 24)) as pilot:
        while app.main is None or not app.main.control.loader.is_done:
            await pilot.pause(0.05)
        record = app.main.control.follow(await asyncio.to_thread(app.main.control.open, "far"))
        app.main.train_pane.show_run(record)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await asyncio.sleep(0.5)
        app.main.control.detach()
    return drawn


def latency(seconds: float) -> None:
    from tui_gpt.config import resolve

    RunStore().create(resolve("nano"), "far")
    command = [sys.executable, "-c", _WRITER, "far", str(seconds + 8)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        drawn = asyncio.run(_on_screen(seconds))
        written = {int(step): float(when) for step, when in (line.split() for line in writer.stdout)}
    first = min(drawn) + 20
    # A step that was drawn together with a later one was on the screen when that one was.
    waits = [
        min(when for shown, when in drawn.items() if shown >= step) - at
        for step, at in written.items()
        if first < step <= max(drawn)
    ]
    print(f"| event of another process to the screen, {len(waits)} events | median {statistics.median(waits):.3f} s, "
          f"p95 {percentile(waits, 0.95):.3f} s, maximum {max(waits):.3f} s |")  # fmt: skip


# A stop


def stop(times: int) -> None:
    waits, steps = [], []
    for number in range(times):
        process = start_training(f"run-{number}")
        time.sleep(0.5 + random.random() * 0.3)
        run, began = RunStore().get(f"run-{number}"), time.monotonic()
        send_request(run, RunRequest(action="stop"))
        while run.writer() is not None:
            time.sleep(0.01)
        waits.append(time.monotonic() - began)
        process.wait()
        paces = [event for event in run.events() if isinstance(event, Progress)]
        steps.append(16 * 2 / paces[-1].tokens_per_second)
    print(f"| a stop asked for to the end of the run, {times} runs, a step takes {statistics.median(steps):.4f} s "
          f"| median {statistics.median(waits):.3f} s, maximum {max(waits):.3f} s |")  # fmt: skip


# Cycles

_FOLLOWER = """
import sys
from tui_gpt.control import Control
from tui_gpt.session import Session
for event in Session().attach(sys.argv[1], Control()):
    print(event.step, flush=True)
"""


def _killed_follower(run: Run, chance: random.Random) -> None:
    """Follow in another process, send a request, and kill that process at some moment."""
    process = subprocess.Popen([sys.executable, "-c", _FOLLOWER, run.name], stdout=subprocess.DEVNULL)
    time.sleep(chance.random() * 0.8)
    process.kill()
    process.wait()


def _followed(run: Run, chance: random.Random) -> list[Event]:
    """Follow for a while, pause and continue, and detach."""
    control, events = Control(), list[Event]()
    timer = threading.Timer(0.3 + chance.random() * 0.4, control.detach)
    timer.start()
    for event in attach(run, control):
        events.append(event)
        if len(events) % 7 == 0:
            control.pause()
        if event.type == "paused":
            control.resume()
    send_request(run, RunRequest(action="resume"))
    return events


def cycles(count: int) -> None:
    """Kill the trainer or the follower in each cycle; whatever was followed must be in the log, in its order."""
    chance, healthy, answered = random.Random(1), 0, 0
    process, run = start_training("far", "--log-interval", "20"), Run(RunStore().root / "far")
    for _ in range(count):
        if process.poll() is not None:
            process = start_training("far")
        events = _followed(run, chance)
        log = iter([*run.events()])
        is_whole = bool(events) and all(event in log for event in events)
        match chance.choice(["trainer", "follower", "stop", "both"]):
            case "trainer":
                time.sleep(chance.random() * 0.2)
                process.send_signal(signal.SIGKILL)
                process.wait()
            case "follower":
                _killed_follower(run, chance)
            case "both":
                SentRequest(run.path, RunRequest(action="save"))  # its sender never reads the answer
                process.send_signal(signal.SIGKILL)
                process.wait()
            case _:
                send_request(run, RunRequest(action="stop"))
                answered += 1
                process.wait()
                is_whole = is_whole and isinstance([*run.events()][-1], Finished)
        is_alive = process.poll() is None
        state = run.state
        is_whole = is_whole and state == (
            "running" if is_alive else "stopped" if process.returncode == 0 else "interrupted"
        )
        healthy += is_whole
    process.kill()
    process.wait()
    print(f"| cycles of start, attach, pause, continue, detach, kill of either side or stop, resume: nothing lost "
          f"| {healthy} of {count} |")  # fmt: skip


# Cost


def cost(seconds: float) -> None:
    """Time a poll of the service, with and without a folder of requests, and so its part of a core."""
    from tui_gpt.config import resolve

    run = RunStore().create(resolve("nano"), "far")
    figures = []
    with run.lock() as lock:
        service = RequestService(run, lock, Control())
        for folder in (False, True):
            if folder:
                (run.path / "requests").mkdir()
            polls, began, used = 0, time.monotonic(), time.process_time()
            while time.monotonic() - began < seconds / 2:
                service.poll()
                polls += 1
            figures.append((time.process_time() - used) / polls)
    for name, value in zip(("no folder of requests", "an empty folder"), figures, strict=True):
        print(f"| CPU time of a poll, {name} | {value * 1e6:.1f} µs; ten per second: {value * 1e3:.4f} % of a core |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["latency", "stop", "cycles", "cost"])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--cycles", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["TUI_GPT_HOME"] = str(Path(home))
        match options.what:
            case "latency":
                latency(options.seconds)
            case "stop":
                stop(options.times)
            case "cycles":
                cycles(options.cycles)
            case _:
                cost(options.seconds)


if __name__ == "__main__":
    main()
