"""Measure training in several processes: equal losses, throughput, and what becomes of a run whose ranks are disturbed.

    python -m benchmarks.distributed trace [--ranks 2,4]         losses of several ranks against one process
    python -m benchmarks.distributed speed [--preset classic]    2 ranks x 1 thread against 1 process x 2 threads
    python -m benchmarks.distributed cycles [--cycles 50]        kill, freeze, signal or cut off a rank, and resume

Each prints rows of Markdown. The ranks are forks of this process, which has imported PyTorch; `--torchrun` starts them
by torchrun instead, where it is given. Cutting off needs the rights of root; run it from the repository's root.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.cycles import Cycles, events
from tests.ranks import ForkedRanks, hosts_problem, load

KINDS = ("kill", "signal", "freeze", "cut-off")
TRACE = [
    "--preset",
    "nano",
    "--n-layer",
    "2",
    "--n-embd",
    "64",
    "--block-size",
    "64",
    "--batch-size",
    "8",
    "--gradient-accumulation",
    "2",
    "--threads",
    "1",
    "--max-iters",
    "50",
    "--log-interval",
    "1",
    "--eval-interval",
    "50",
]


def train(folder: Path, world: int, arguments: Sequence[str]) -> ForkedRanks:
    """Train `tinyshakespeare` to the end with that many ranks."""
    place = folder / f"{world}-{len(os.listdir(folder))}"
    place.mkdir()
    ranks = ForkedRanks(place, ["train", "tinyshakespeare", "--headless", "--json", *arguments], world)
    ranks.start()
    if any(ranks.wait()):
        raise SystemExit(ranks.output(0))
    return ranks


def trace(folder: Path, worlds: Sequence[int]) -> None:
    """Compare the training losses of 50 steps."""
    losses = {world: [e["loss"] for e in events(train(folder, world, TRACE), "progress")] for world in (1, *worlds)}
    print("| ranks | steps | largest difference of the loss from one process |\n|---|---|---|")
    for world in worlds:
        difference = max(abs(one - other) for one, other in zip(losses[1], losses[world], strict=True))
        print(f"| {world} | {len(losses[world])} | {difference:.1e} |")


def speed(folder: Path, preset: str, steps: int, rounds: int, *, by_torchrun: bool) -> None:
    """Compare the throughput of two ranks of one thread with that of one process of two threads, in turns."""
    settings = ["--preset", preset, "--max-iters", str(steps), "--log-interval", "1", "--eval-interval", "1000000"]
    settings += ["--members", "2"] if preset in ("quick", "best") else []
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for world in rates:
            own = [*settings, "--threads", str(2 // world)]
            log = torchrun(world, own) if by_torchrun else events(train(folder, world, own), "progress")
            rates[world] += [event["tokens_per_second"] for event in log[2:]]
    medians = {world: statistics.median(found) for world, found in rates.items()}
    print("| preset | 1 process x 2 threads, chars/s | 2 ranks x 1 thread | ratio |\n|---|---|---|---|")
    print(f"| {preset} | {medians[1]:,.0f} | {medians[2]:,.0f} | {medians[2] / medians[1]:.2f} |")


def torchrun(world: int, arguments: Sequence[str]) -> list[dict[str, Any]]:
    """Return the progress events of a training by torchrun."""
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={world}", "-m", "tui_gpt", "train"]
    done = subprocess.run([*command, "--headless", "--json", *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return [event for event in map(json.loads, done.stdout.splitlines()) if event["type"] == "progress"]


def cycles(folder: Path, count: int, seed: int) -> None:
    """Disturb that many runs, one kind after the other."""
    problem = hosts_problem()
    kinds = [kind for kind in KINDS if kind != "cut-off" or not problem]
    tried = Cycles(folder, random.Random(seed))
    tried.prepare()
    failures: dict[str, list[str]] = {kind: [] for kind in kinds}
    numbers = dict.fromkeys(kinds, 0)
    for number in range(count):
        kind = kinds[number % len(kinds)]
        numbers[kind] += 1
        if sentence := tried.run(kind):
            failures[kind].append(sentence)
        print(f"{number + 1} cycles, {sum(map(len, failures.values()))} not as promised {sentence}", file=sys.stderr)
    print("| disturbance | as promised | slowest end of all ranks, s |\n|---|---|---|")
    for kind in kinds:
        slowest = max(tried.timings.get(kind, [0.0]))
        print(f"| {kind} | {numbers[kind] - len(failures[kind])} of {numbers[kind]} | {slowest:.1f} |")
    print("\n".join([problem, *(sentence for found in failures.values() for sentence in found)]).strip())


def main() -> None:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("trace", "speed", "cycles"))
    parser.add_argument("--ranks", default="2,4")
    parser.add_argument("--preset", default="classic")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--cycles", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--torchrun", action="store_true")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        os.environ["TUI_GPT_HOME"] = str(Path(name, "home"))
        load()
        match options.what:
            case "trace":
                trace(Path(name), [int(word) for word in options.ranks.split(",")])
            case "speed":
                speed(Path(name), options.preset, options.steps, options.rounds, by_torchrun=options.torchrun)
            case _:
                cycles(Path(name), options.cycles, options.seed)
    print(f"{time.monotonic() - began:.0f} s; load {os.getloadavg()[0]:.1f}", file=sys.stderr)


if __name__ == "__main__":
    main()
