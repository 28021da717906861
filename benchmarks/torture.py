"""Measure whether work is ever lost: crashes, damaged files and long runs.

    python -m benchmarks.torture kill [--kills 500]       SIGKILL real trainings at random instants
    python -m benchmarks.torture faults                   SIGKILL a real training at each disk operation
    python -m benchmarks.torture fuzz [--files 10000]     open damaged files
    python -m benchmarks.torture resume [--points 55]     interrupt and resume at random instants, and generate
    python -m benchmarks.torture signals                  every signal in every phase, on a terminal
    python -m benchmarks.torture save                     pauses of training for a checkpoint of `classic`
    python -m benchmarks.torture memory [--steps 20000]   memory and file descriptors of a long run
    python -m benchmarks.torture idle                     CPU time of an idle app
    python -m benchmarks.torture app [--minutes 120]      memory, files and threads of an app in occasional use

Each prints rows of Markdown. Work that is to be killed runs in forks of one process that has imported torch but never
computed with it, so a crash costs milliseconds instead of an import; run it from the repository's root, on POSIX.
"""

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.storage.damage import open_mutated_settings, resume_altered
from tests.storage.fuzzing import open_mutated
from tests.storage.helpers import killed_at
from tui_gpt.config import RunConfig, SampleConfig, resolve
from tui_gpt.control import Control
from tui_gpt.errors import TuiGptError
from tui_gpt.events import (
    Evaluated,
    Event,
    Finished,
    Progress,
    RolledBack,
    Sampled,
    Saved,
    SettingChanged,
    Started,
    StepSkipped,
)
from tui_gpt.requests import TrainRequest
from tui_gpt.session import Session
from tui_gpt.storage.runs import RunStore
from tui_gpt.training.checkpoints.checkpointer import Checkpointer
from tui_gpt.training.checkpoints.tensors import read_checkpoint
from tui_gpt.training.state import Kind

TEXT = "the quick brown fox jumps over the lazy dog and runs back to the river bank\n" * 10
SHAPE = {"n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 16, "batch_size": 4}
TINY = {"device": "cpu", "threads": 1, "log_interval": 3, "sample_interval": 25, "autosave_seconds": 1.0}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "classic": {"preset": "classic", **SHAPE, "dropout": 0.2, "gradient_accumulation": 3},
    "nano": {"preset": "nano", **SHAPE},
    "bigram": {"preset": "bigram", "batch_size": 4},
    "quick": {"preset": "quick", **SHAPE, "ngram_order": 3, "dropout": 0.1},
    "best": {"preset": "best", **SHAPE, "ngram_order": 3},
    "quick without prior": {"preset": "quick", **SHAPE, "ngram_order": 0},
}
RUN = "run"
LONGEST_EXIT_SECONDS = 5.0
F2, F3, F4 = "\x1bOQ", "\x1bOR", "\x1bOS"


def config_of(architecture: str, **settings: Any) -> RunConfig:
    """Return the config of a tiny run of that architecture."""
    chosen = {**ARCHITECTURES[architecture], **TINY, **settings}
    return resolve(chosen.pop("preset"), str(Path(os.environ["TUI_GPT_HOME"]) / "fox.txt"), **chosen)


def request_of(store: RunStore, config: RunConfig) -> TrainRequest:
    """Resume the run, or start it."""
    return (
        TrainRequest(config=config, resume=RUN)
        if (store.root / RUN).exists()
        else TrainRequest(config=config, name=RUN)
    )


def train(root: Path, config: RunConfig) -> None:
    """Train to the end from the current step of the run in `root`, with saves between evaluations too."""
    store, control = RunStore(root), Control()
    for event in Session(store).train(request_of(store, config), control):
        if isinstance(event, Progress):
            control.save()


def fingerprint(root: Path) -> str:
    """Return a hash of what a run has learned: weights, optimizer, generators, prior, and its log without times."""
    run = RunStore(root).get(RUN)
    digest = hashlib.sha256()
    for which in ("last", "best"):
        checkpoint = read_checkpoint(run.require_checkpoint(which), training=True)
        for name, tensor in sorted({**checkpoint.weights, **(checkpoint.training or {})}.items()):
            digest.update(f"{which} {name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.numpy().tobytes())
    for event in filter(None, map(without_clock, run.events())):
        digest.update(repr(event).encode())
    return digest.hexdigest()


def without_clock(event: Event) -> Event | None:
    """Return the part of an event that must not depend on interruptions, or None."""
    match event:
        case Progress():
            return replace(event, tokens_per_second=0.0, elapsed_seconds=0.0)
        case Evaluated() | Sampled() | SettingChanged() | StepSkipped() | RolledBack():
            return event
        case _:
            return None


def in_a_fork(work: Callable[[], object], kill_after: float | None = None) -> tuple[bool, str]:
    """Run `work` in a child; return whether it completed, and what it returned or raised."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _report(writer, work)
    os.close(writer)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reader, "rb") as answer:
        result = answer.read().decode()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return False, ""
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"the work failed: {result}")
    return True, result


def _report(writer: int, work: Callable[[], object]) -> None:
    code = 1
    try:
        os.write(writer, str(work()).encode())
        code = 0
    except BaseException as error:
        os.write(writer, repr(error).encode())
    finally:
        os._exit(code)


def straight(root: Path, config: RunConfig) -> tuple[str, float]:
    """Return the fingerprint of an uninterrupted run, and the seconds that it takes."""
    began = time.monotonic()
    in_a_fork(lambda: train(root, config))
    seconds = time.monotonic() - began
    return in_a_fork(lambda: fingerprint(root))[1], seconds


def valid_step(root: Path) -> int | None:
    """Return the step of the newest valid `last` checkpoint; None before the first. Raises CheckpointError."""
    if not (root / RUN).exists() or not RunStore(root).get(RUN).ever_saved("last"):
        return None
    return read_checkpoint(RunStore(root).get(RUN).require_checkpoint("last"), training=True).info.step


# Kills


def kill(options: argparse.Namespace) -> None:
    """Kill trainings at random instants, any number of times each, until enough kills were survived."""
    rng = random.Random(options.seed)
    kills = runs = equal = went_back = 0
    names = list(ARCHITECTURES)
    began = time.monotonic()
    while kills < options.kills:
        name = names[runs % len(names)]
        with tempfile.TemporaryDirectory() as folder:
            config = config_of(name, max_iters=60, eval_interval=4)
            expected, seconds = straight(Path(folder) / "straight", config)
            root, killed, newest = Path(folder) / "killed", 0, -1
            while not in_a_fork(lambda: train(root, config), rng.uniform(0.0, 0.7 * seconds))[0]:  # noqa: B023  # used at once
                killed += 1
                step = int(in_a_fork(lambda: -1 if (found := valid_step(root)) is None else found)[1])  # noqa: B023
                went_back += step < newest
                newest = max(newest, step)
                if killed > 300:
                    raise SystemExit("the run makes no headway")
            equal += in_a_fork(lambda: fingerprint(root))[1] == expected  # noqa: B023
            kills, runs = kills + killed, runs + 1
            log(f"{name}: {killed} kills, {kills} in all, {equal}/{runs} runs equal, {time.monotonic() - began:.0f} s")
    row("SIGKILLs at random instants, a valid checkpoint and a resumable run after each", f"{kills} of {kills}")
    row("checkpoints that went back after a kill", f"{went_back}")
    row_of_all("killed runs whose weights, optimizer, generators, prior and log equal a straight run's", equal, runs)


def faults(options: argparse.Namespace) -> None:
    """Kill a short training at each of its disk operations, and resume it."""
    point = equal = 0
    with tempfile.TemporaryDirectory() as folder:
        config = config_of("classic", max_iters=6, eval_interval=3, sample_interval=0, log_interval=2)
        expected, _ = straight(Path(folder) / "straight", config)
        root = Path(folder) / "killed"
        while killed_at(point, lambda: train(root, config)):
            in_a_fork(lambda: valid_step(root))
            in_a_fork(lambda: train(root, config))
            equal += in_a_fork(lambda: fingerprint(root))[1] == expected
            shutil.rmtree(root)
            point += options.stride
            if point % 20 == 0:
                log(f"{point} points, {equal} equal")
    tried = -(-point // options.stride)
    row_of_all("disk operations of a training with four saves: killed there, it resumes exactly", equal, tried)


# Damage


def fuzz(options: argparse.Namespace) -> None:
    """Open damaged files of every kind."""
    names = ["run.json", "events.jsonl", "last/checkpoint.json", "last/model.safetensors", "last/training.safetensors"]
    per_kind = options.files // 11 + 1
    slowest = opened = 0.0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "runs"
        jobs: list[tuple[str, Callable[[], int]]] = [
            *((name, partial(open_mutated, root, name, per_kind, options.seed)) for name in names),
            *((f"forged {name}", partial(open_mutated, root, name, per_kind, 2, forged=True)) for name in names[3:]),
            ("generated from and resumed", partial(resume_altered, root, per_kind, 3)),
            *(
                (name, partial(open_mutated_settings, name, per_kind, 4))
                for name in ("config.toml", "state.json", "notebook")
            ),
        ]
        for label, job in jobs:
            began = time.monotonic()
            opened += job()
            slowest = max(slowest, (time.monotonic() - began) / per_kind)
            log(f"{label}: {opened:.0f} files, {time.monotonic() - began:.0f} s")
    row("damaged files opened: one line or tolerated, nothing changed on the disk", f"{opened:.0f} of {opened:.0f}")
    row("memory after all of them, MB", f"{_peak_megabytes():.0f} at most")


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


# Exact resumption


def resume(options: argparse.Namespace) -> None:
    """Stop trainings at random instants, also during a step, while generating from the live weights."""
    rng = random.Random(options.seed)
    points = equal = runs = written = 0
    names = list(ARCHITECTURES)
    while points < options.points:
        name = names[runs % len(names)]
        with tempfile.TemporaryDirectory() as folder:
            config = config_of(name, max_iters=90, eval_interval=15, threads=1 + runs % 2)
            expected, seconds = straight(Path(folder) / "straight", config)
            root, stops = Path(folder) / "stopped", 0
            while True:
                delay = rng.uniform(0.1, 0.6) * seconds
                _, result = in_a_fork(lambda: stop_after(root, config, delay))  # noqa: B023  # used at once
                facts = json.loads(result)
                written += facts["written"]
                if facts["finished"]:
                    break
                stops += 1
            equal += stops * (in_a_fork(lambda: fingerprint(root))[1] == expected)  # noqa: B023
            points, runs = points + stops, runs + 1
            log(f"{name}: {stops} stops, {equal} of {points} exact, {written} characters written")
    row_of_all(
        f"interruptions at random instants over {len(names)} architectures, {written:,} characters written in between, "
        "bit-identical to the straight run",
        equal,
        points,
    )


def stop_after(root: Path, config: RunConfig, seconds: float) -> str:
    """Train until then while generating; return what happened, in JSON."""
    control, session, store = Control(), Session(RunStore(root)), RunStore(root)
    facts = {"finished": False, "written": 0}
    timer = threading.Timer(seconds, control.stop)
    writer = threading.Thread(target=_write_live, args=(session, facts), daemon=True)
    for event in session.train(request_of(store, config), control):
        if isinstance(event, Started):
            timer.start()
            writer.start()
        if isinstance(event, Finished):
            facts["finished"] = event.reason == "completed"
    timer.cancel()
    writer.join()
    return json.dumps(facts)


def _write_live(session: Session, facts: dict[str, Any]) -> None:
    with suppress(TuiGptError):
        for _ in range(3):
            pieces = session.open_model("live").stream("the ", SampleConfig(max_new_tokens=5, seed=1))
            facts["written"] += sum(len(piece.text) for piece in pieces)


# Signals


def signals(options: argparse.Namespace) -> None:
    """Send one signal, and two, in each phase, to the app and to the headless command; measure the time to exit."""
    from tests.cli.phases import PHASES
    from tests.cli.test_signals_on_a_pty import INTERFACES, SIGNALS, seconds_to_exit

    seconds: list[float] = []
    for interface in INTERFACES:
        for phase in PHASES:
            for numbers in [[number] for number in SIGNALS] * options.rounds:
                with tempfile.TemporaryDirectory() as folder:
                    seconds.append(seconds_to_exit(phase, interface, numbers, Path(folder)))
                log(f"{interface} {phase} {numbers[0].name}: {seconds[-1]:.1f} s")
        with tempfile.TemporaryDirectory() as folder:
            leaving = seconds_to_exit("step", interface, [signal.SIGINT, signal.SIGTERM], Path(folder))
        row(f"a second signal during a step, {interface}: exit 143, terminal restored, after", f"{leaving:.1f} s")
    cells = len(INTERFACES) * len(PHASES) * len(SIGNALS)
    row("signals x phases x interfaces: exit code, terminal, valid checkpoint", f"{cells} of {cells}")
    row("from the signal to the exit: median / longest, s", f"{statistics.median(seconds):.1f} / {max(seconds):.1f}")
    if max(seconds) > LONGEST_EXIT_SECONDS:
        sys.exit(1)


# Saving


def save(options: argparse.Namespace) -> None:
    """Train a model of the size of `classic` in small steps, and save now and then.

    The trainer's thread waits for the copies; then the writer takes processor time from the steps beside it. Both are
    printed: the first by the clock around the call, the second as the excess time of all steps until the save's end.
    """
    shape: dict[str, Any] = {"batch_size": 2, "max_iters": 1_000_000, "eval_interval": 1_000_000, "log_interval": 1}
    config = resolve("classic", threads=options.threads, device="cpu", autosave_seconds=86_400.0, **shape)
    control = Control()
    usual: list[float] = []
    beside: list[list[float]] = []
    durations: list[float] = []
    waits = _timed_saves()
    last = asked = 0.0
    is_saving = False
    for event in Session(RunStore(Path(os.environ["TUI_GPT_HOME"]) / "runs")).train(
        TrainRequest(config=config, name=RUN), control
    ):
        now = time.monotonic()
        if isinstance(event, Progress):
            if event.step > 3:
                (beside[-1] if is_saving else usual).append(now - last)
            last = now
            if event.step >= options.steps:
                control.stop()
            elif event.step % 8 == 0 and not is_saving:
                control.save()
                beside.append([])
                is_saving, asked = True, now
        elif isinstance(event, Saved) and is_saving:
            durations.append(now - asked)
            is_saving = False
            took = [round(seconds * 1e3) for seconds in beside[-1]]
            log(f"step {event.step}: waited {waits[-1] * 1e3:.0f} ms, steps of {took} ms")
    step = statistics.median(usual)
    lost = [sum(seconds - step for seconds in steps) for steps in beside if steps]
    noise = statistics.quantiles([abs(seconds - step) for seconds in usual], n=10)[-1]
    del waits[len(lost) :]  # the last save, at the end of the run
    row("the trainer waits for a save of `classic`: median / longest, ms", in_milliseconds(waits))
    row(
        f"all that the steps until the save's end lose, that wait included: median / longest of {len(lost)}, ms",
        in_milliseconds(lost),
    )
    row(
        "a step without a save (two windows): median / nine in ten are nearer to it than, ms",
        in_milliseconds([step, noise]),
    )
    row(
        "from the request to the end of the step in which the save came to its end: median, s",
        f"{statistics.median(durations):.2f}",
    )


def in_milliseconds(seconds: list[float]) -> str:
    """Return median and maximum; of two figures, both."""
    first, second = seconds if len(seconds) == 2 else (statistics.median(seconds), max(seconds))
    return f"{first * 1e3:.0f} / {second * 1e3:.0f}"


def _timed_saves() -> list[float]:
    """Return a list that receives the seconds that each save delays the trainer."""
    seconds: list[float] = []
    inner = Checkpointer.save

    def timed(checkpoints: Checkpointer, kind: Kind) -> None:
        began = time.monotonic()
        inner(checkpoints, kind)
        seconds.append(time.monotonic() - began)

    Checkpointer.save = timed  # type: ignore[method-assign,assignment]  # to time it
    return seconds


# Long runs


def memory(options: argparse.Namespace) -> None:
    """Train for long, and record the memory and the open files of the process."""
    config = config_of("nano", max_iters=options.steps, eval_interval=500, sample_interval=1000, log_interval=10)
    sizes: list[tuple[int, float]] = []
    files: list[int] = []
    for event in Session(RunStore(Path(os.environ["TUI_GPT_HOME"]) / "runs")).train(
        TrainRequest(config=config, name=RUN), Control()
    ):
        if isinstance(event, Progress) and event.step % 100 == 0 and event.step >= options.steps // 10:
            sizes.append((event.step, _resident_megabytes()))
            files.append(len(list(Path("/proc/self/fd").iterdir())))
    steps, megabytes = zip(*sizes, strict=True)
    slope = statistics.linear_regression(steps, megabytes).slope * 1000
    row(
        f"memory over {options.steps:,} steps, MB a 1,000 steps",
        f"{slope:+.3f} (from {megabytes[0]:.0f} to {megabytes[-1]:.0f} MB)",
    )
    row("open files, least and most", f"{min(files)} and {max(files)}")


def _resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def idle(options: argparse.Namespace) -> None:
    """Open the app on a terminal, leave it idle, and measure its CPU time."""
    from tests.cli.terminals import Terminal

    with Terminal(["-m", "tui_gpt"], Path(os.environ["TUI_GPT_HOME"])) as terminal:
        terminal.wait_for("Train")
        terminal.run_for(options.collect_garbage)
        before, began = terminal.cpu_seconds(), time.monotonic()
        terminal.run_for(options.seconds)
        fraction = (terminal.cpu_seconds() - before) / (time.monotonic() - began)
    row(f"CPU of an idle app over {options.seconds:.0f} s", f"{fraction:.2%}")


# Long use

APP_SETTINGS = {
    **{"preset": "nano", **SHAPE, "device": "cpu", "threads": 1},
    **{"max_iters": 150, "warmup_iters": 10, "eval_interval": 50, "log_interval": 5},
}


@dataclass(frozen=True)
class Reading:
    """The resources of a process at one moment, read from outside."""

    minute: int
    megabytes: float
    files: int
    threads: int
    busy: float
    """Fraction of a core used in the minute before."""
    used: bool
    """Whether the app was used in that minute."""


def app(options: argparse.Namespace) -> None:
    """Use the app every few minutes for hours: train, generate, open every tab; read its size once per minute."""
    from tests.cli.terminals import Terminal

    home = Path(os.environ["TUI_GPT_HOME"])
    settings = {**APP_SETTINGS, "corpus": str(home / "fox.txt")}
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    (home / "config.toml").write_text("\n".join(["[train]", *lines, "[generate]", "max_new_tokens = 200", ""]))
    samples: list[Reading] = []
    with Terminal(["-m", "tui_gpt"], home, kernel=True) as terminal:
        terminal.wait_for("Train")
        terminal.run_for(10.0)
        for minute in range(options.minutes):
            until, before = time.monotonic() + 60.0, terminal.cpu_seconds()
            used = minute % options.every == 0
            if used:
                use_the_app(terminal, home)
            terminal.run_for(until - time.monotonic())
            terminal.forget()
            samples.append(reading_of(terminal.pid, minute + 1, (terminal.cpu_seconds() - before) / 60.0, used))
            log(f"{samples[-1]}")
        terminal.type("q")
        code = terminal.wait_for_exit()
    report_on_the_app(samples, code)


def use_the_app(terminal: Any, home: Path) -> None:
    """Train one new run to its end, generate with it, and return to the first tab."""
    finished = count_of(home, "*/events.jsonl", '"finished"')
    for key in (F2, "n", "s"):
        terminal.type(key)
        terminal.run_for(1.0)
    terminal.wait_until(lambda: count_of(home, "*/events.jsonl", '"finished"') > finished)
    terminal.type(F3)
    terminal.run_for(2.0)
    written = lines_of(home / "history.jsonl")
    terminal.type("the \r")
    terminal.wait_until(lambda: lines_of(home / "history.jsonl") > written)
    terminal.type(F4)
    terminal.run_for(2.0)
    terminal.type(F2)


def count_of(home: Path, pattern: str, word: str) -> int:
    """Return how many files of the runs contain that word."""
    return sum(word in path.read_text() for path in (home / "runs").glob(pattern))


def lines_of(path: Path) -> int:
    """Return the number of lines; 0 while the file is missing."""
    return len(path.read_text().splitlines()) if path.exists() else 0


def reading_of(pid: int, minute: int, busy: float, used: bool) -> Reading:
    """Return the resources of a process now (Linux)."""
    folder = Path(f"/proc/{pid}")
    pages = int((folder / "statm").read_text().split()[1])
    return Reading(
        minute=minute,
        megabytes=pages * resource.getpagesize() / 1e6,
        files=len(list((folder / "fd").iterdir())),
        threads=len(list((folder / "task").iterdir())),
        busy=busy,
        used=used,
    )


def report_on_the_app(samples: list[Reading], code: int) -> None:
    """Print rows on the growth after the first quarter, and on the CPU time of an idle minute."""
    settled = samples[len(samples) // 4 :]
    slope = statistics.linear_regression([one.minute / 60 for one in settled], [one.megabytes for one in settled]).slope
    idle_fractions = [one.busy for one in samples if not one.used]
    files, threads = [one.files for one in settled], [one.threads for one in settled]
    uses = sum(one.used for one in samples)
    row(
        f"memory of an app open for {len(samples)} minutes, used {uses} times, MB an hour after the first quarter",
        f"{slope:+.2f} (from {settled[0].megabytes:.0f} to {settled[-1].megabytes:.0f} MB)",
    )
    row("its open files then: first, last, most", f"{files[0]}, {files[-1]}, {max(files)}")
    row("its threads then: first, last, most", f"{threads[0]}, {threads[-1]}, {max(threads)}")
    row(
        "its CPU in minutes without use: median / most",
        f"{statistics.median(idle_fractions):.2%} / {max(idle_fractions):.2%}",
    )
    row("its exit code after q", str(code))


# The table


def log(line: str) -> None:
    """Print progress to stderr."""
    print(line, file=sys.stderr, flush=True)


def row(what: str, figure: str) -> None:
    """Print a row of the table."""
    print(f"| {what} | {figure} |", flush=True)


def row_of_all(what: str, good: int, tried: int) -> None:
    """Print a row that allows no exception."""
    row(what, f"{good} of {tried}")
    if good != tried or tried == 0:
        sys.exit(1)


def _options() -> Iterator[tuple[str, Callable[[argparse.Namespace], None], dict[str, float]]]:
    yield "kill", kill, {"kills": 500}
    yield "faults", faults, {"stride": 1}
    yield "fuzz", fuzz, {"files": 10_000}
    yield "resume", resume, {"points": 55}
    yield "signals", signals, {"rounds": 1}
    yield "save", save, {"steps": 160, "threads": 2}
    yield "memory", memory, {"steps": 20_000}
    yield "idle", idle, {"settle": 15.0, "seconds": 30.0}
    yield "app", app, {"minutes": 120, "every": 4}


def main() -> None:
    """Run the requested mode in a temporary home."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, work, numbers in _options():
        command = commands.add_parser(name)
        command.set_defaults(work=work)
        command.add_argument("--seed", type=int, default=1)
        for option, default in numbers.items():
            command.add_argument(f"--{option}", type=type(default), default=default)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(TUI_GPT_HOME=home, TUI_GPT_NO_KERNEL="1", OMP_NUM_THREADS="1")
        (Path(home) / "fox.txt").write_text(TEXT)
        Session().load_torch()
        import_module("torch._dynamo")  # the first optimizer would import it, in every fork
        options.work(options)


if __name__ == "__main__":
    main()
