"""Compare `nano` with nanoGPT's CPU demo, the same shape and recipe: 4 x 128, context 64, batch 12, TinyShakespeare.

    python benchmarks/nano.py                                       an iteration of each, in turns, in one process
    python benchmarks/nano.py --whole [--nanogpt DIR] [--rounds 2]  whole commands, in turns

The peer is a plain implementation of the recipe (peers.py); with `--nanogpt` nanoGPT's own script too, unchanged, from
a checkout whose data/shakespeare_char/prepare.py has been run, with the settings its README gives for a CPU. All use
all cores and evaluate every 250 iterations: ours the entire validation split, the others 20 batches of 12. Turns
alternate, so that a busy moment of the machine affects all; ratios are of medians.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from peers import PlainGPT, PlainTraining, Shape

from tui_gpt.config import resolve
from tui_gpt.control import Control
from tui_gpt.cores import available_cores
from tui_gpt.events import Event, Progress
from tui_gpt.storage.runs import RunStore
from tui_gpt.training.setup.new import prepare_new

TURNS = 20
ITERATIONS_A_TURN = 50
OURS = "`tui-gpt train --headless --preset nano --json`"
PLAIN = "plain PyTorch, nanoGPT's recipe"
NANOGPT = "nanoGPT's `train.py`"
NANOGPT_SETTINGS = (
    "config/train_shakespeare_char.py --device=cpu --compile=False --eval_iters=20 --log_interval=1 --block_size=64 "
    "--batch_size=12 --n_layer=4 --n_head=4 --n_embd=128 --max_iters={0} --lr_decay_iters={0} --dropout=0.0"
)


def main() -> None:
    """Print Markdown: a row for each side, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whole", action="store_true", help="time whole commands")
    parser.add_argument("--nanogpt", type=Path, metavar="DIR", help="a checkout of nanoGPT, for --whole")
    parser.add_argument("--iterations", type=int, default=2_000, help="of a whole command (default 2,000)")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each whole command (default 2)")
    options = parser.parse_args()
    if options.whole:
        compare_commands(options.nanogpt, options.iterations, options.rounds)
    else:
        compare_iterations()


# Single iterations


def compare_iterations() -> None:
    """Compare the complete trainer, including events, with the plain step."""
    iterations = TURNS * ITERATIONS_A_TURN + ITERATIONS_A_TURN
    config = resolve("nano", max_iters=iterations, eval_interval=100_000, log_interval=ITERATIONS_A_TURN)
    prepared = prepare_new(config, Control())
    with tempfile.TemporaryDirectory() as folder:
        run = RunStore(Path(folder)).create(config, "nano")
        events = prepared.trainer(run, Control(), lambda _: ()).run()
        shape = Shape(prepared.corpus.tokenizer.vocab_size, 64, 4, 4, 128)
        torch.manual_seed(1337)
        peer = PlainTraining(PlainGPT(shape), torch.from_numpy(prepared.corpus.train), 12, 64, 1e-3)
        times = in_turns({OURS: lambda: until_progress(events), PLAIN: lambda: make_steps(peer)})
        events.close()
    print("| side | ms an iteration, median (min - max) |\n|---|---|")
    for side, milliseconds in times.items():
        print(f"| {side} | {described(milliseconds)} |")
    print(f"\nratio of medians: {statistics.median(times[OURS]) / statistics.median(times[PLAIN]):.2f}")


def until_progress(events: Iterator[Event]) -> None:
    """Run one turn's iterations of the trainer."""
    while not isinstance(next(events), Progress):
        pass


def make_steps(peer: PlainTraining) -> None:
    """Run one turn's iterations of the peer, every operation on all cores, as torch does by default."""
    ours = torch.get_num_threads()
    torch.set_num_threads(available_cores())
    for _ in range(ITERATIONS_A_TURN):
        peer.step()
    torch.set_num_threads(ours)


def in_turns(sides: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Return the milliseconds per iteration of each side's turns; the first turn of each is a warm-up."""
    times: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(TURNS + 1):
        for side, work in sides.items():
            began = time.perf_counter()
            work()
            times[side].append((time.perf_counter() - began) * 1000 / ITERATIONS_A_TURN)
    return {side: found[1:] for side, found in times.items()}


# Whole commands


def compare_commands(nanogpt: Path | None, iterations: int, rounds: int) -> None:
    """Time each command from the start of its process to the end."""
    sides: dict[str, Callable[[int], tuple[float, float]]] = {OURS: time_ours, PLAIN: time_plain}
    if nanogpt is not None:
        sides[NANOGPT] = lambda count: time_nanogpt(nanogpt, count)
    found: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, timed in sides.items():
            found[side].append(timed(iterations))
    ours = statistics.median(seconds for seconds, _ in found[OURS])
    print(
        f"| command, {iterations:,} iterations | seconds, median (min - max) | validation loss it reports | ours / it |"
    )
    print("|---|---|---|---|")
    for side, results in found.items():
        seconds = [second for second, _ in results]
        ratio = ours / statistics.median(seconds)
        print(f"| {side} | {described(seconds)} | {results[-1][1]:.4f} | {ratio:.2f} |")


def time_ours(iterations: int) -> tuple[float, float]:
    """Return the seconds and the last validation loss of the command."""
    command = [str(Path(sys.executable).with_name("tui-gpt")), "train", "--headless", "--preset", "nano", "--json"]
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "TUI_GPT_HOME": home}
        seconds, lines = timed_command([*command, "--max-iters", str(iterations)], Path.cwd(), environment)
    events = [json.loads(line) for line in lines]
    return seconds, float(next(e["val_loss"] for e in reversed(events) if e["type"] == "evaluated"))


def time_plain(iterations: int) -> tuple[float, float]:
    """Return the seconds and the last estimate of the plain recipe."""
    command = [sys.executable, str(Path(__file__).with_name("peers.py")), str(iterations)]
    seconds, lines = timed_command(command, Path.cwd(), dict(os.environ))
    return seconds, last_estimate(lines)


def time_nanogpt(folder: Path, iterations: int) -> tuple[float, float]:
    """Return the seconds and the last estimate of nanoGPT's own script."""
    command = [sys.executable, "-W", "ignore", "train.py", *NANOGPT_SETTINGS.format(iterations).split()]
    seconds, lines = timed_command(command, folder, dict(os.environ))
    return seconds, last_estimate(lines)


def last_estimate(lines: list[str]) -> float:
    """Return the loss of the last of nanoGPT's `step N: train loss A, val loss B`."""
    return float(next(line for line in reversed(lines) if line.startswith("step ")).rpartition(" ")[2])


def timed_command(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[float, list[str]]:
    """Return the wall time in seconds and the lines of stdout. Raises CalledProcessError with the output."""
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, check=True, text=True, stdout=subprocess.PIPE)
    return time.perf_counter() - began, done.stdout.splitlines()


def described(values: list[float]) -> str:
    """Return median and range."""
    return f"{statistics.median(values):.1f} ({min(values):.1f} - {max(values):.1f})"


if __name__ == "__main__":
    main()
