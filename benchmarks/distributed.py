"""Measure training in several processes: equal losses, throughput, and what becomes of a run whose ranks are disturbed.

    python -m benchmarks.distributed trace [--ranks 2,4]         losses of several ranks against one process
    python -m benchmarks.distributed speed [--preset classic]    2 ranks x 1 thread against 1 process x 2 threads
    python -m benchmarks.distributed members                     an ensemble's windows or its members divided
    python -m benchmarks.distributed cycles [--cycles 50] [--torchrun]    kill, freeze, signal or cut off a rank, and
                                                                 resume

Each prints rows of Markdown. The ranks are forks of this process, which has imported PyTorch, or with `--torchrun` are
started by torchrun, which takes several times as long. Cutting off needs the rights of root; run it from the
repository's root.
"""

import argparse
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.cycles import Cycles, events, wait_until
from tests.ranks import ForkedRanks, hosts_problem, load
from tests.torchrun import TorchrunCycles
from tui_gpt.errors import EXIT_SIGTERM

KINDS = ("kill", "signal", "freeze", "cut-off")
TRACE = [
    "--preset", "nano", "--n-layer", "2", "--n-embd", "64", "--block-size", "64", "--batch-size", "8",
    "--gradient-accumulation", "2", "--threads", "1", "--max-iters", "50", "--log-interval", "1",
    "--eval-interval", "50",
]  # fmt: skip

ENDLESS = ["--max-iters", "5000", "--log-interval", "1", "--eval-interval", "1000000", "--sample-interval", "0"]


def started(folder: Path, world: int, arguments: Sequence[str]) -> ForkedRanks:
    """Start a training of `tinyshakespeare` with that many ranks."""
    place = folder / f"{world}-{len(list(folder.iterdir()))}"
    place.mkdir()
    ranks = ForkedRanks(place, ["train", "tinyshakespeare", "--headless", "--json", *arguments], world)
    ranks.start()
    return ranks


def ended(ranks: ForkedRanks, stop_after: int | None = None) -> list[dict[str, Any]]:
    """Return the progress events of a training, which is stopped after a number of them."""
    if stop_after is not None:
        wait_until(lambda: len(events(ranks, "progress")) >= stop_after, "progress")
        ranks.signal(0, signal.SIGTERM)
    if any(code not in (0, EXIT_SIGTERM) for code in ranks.wait()):
        raise SystemExit(ranks.output(0))
    return events(ranks, "progress")


def trace(folder: Path, worlds: Sequence[int]) -> None:
    """Compare the training losses of 50 steps."""
    losses = {world: [event["loss"] for event in ended(started(folder, world, TRACE))] for world in (1, *worlds)}
    print("| ranks | steps | largest difference of the loss from one process |\n|---|---|---|")
    for world in worlds:
        difference = max(abs(one - other) for one, other in zip(losses[1], losses[world], strict=True))
        print(f"| {world} | {len(losses[world])} | {difference:.1e} |")


def speed(folder: Path, preset: str, steps: int, rounds: int) -> None:
    """Compare the throughput of two ranks of one thread with that of one process of two threads, in turns."""
    settings = [*ENDLESS, "--preset", preset, *(["--members", "2"] if preset in ("quick", "best") else [])]
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for world in rates:
            log = ended(started(folder, world, [*settings, "--threads", str(2 // world)]), steps)
            rates[world] += [event["tokens_per_second"] for event in log[1:]]
    medians = {world: statistics.median(found) for world, found in rates.items()}
    print("| preset | 1 process x 2 threads, chars/s | 2 ranks x 1 thread | ratio |\n|---|---|---|---|")
    print(f"| {preset} | {medians[1]:,.0f} | {medians[2]:,.0f} | {medians[2] / medians[1]:.2f} |")


def members(folder: Path, steps: int, rounds: int) -> None:
    """Compare two ranks that divide the windows of an ensemble of two with two that have a member each.

    The latter are two processes that know nothing of each other, which no way of spreading the members can beat.
    """
    settings = [*ENDLESS, "--preset", "quick", "--threads", "1", "--members"]
    divided: list[float] = []
    spread: list[float] = []
    for _ in range(rounds):
        divided += [event["tokens_per_second"] for event in ended(started(folder, 2, [*settings, "2"]), steps)[1:]]
        alone = [started(folder, 1, [*settings, "1"]) for _ in range(2)]
        logs = [ended(ranks, steps)[1:] for ranks in alone]
        spread += [2 * event["tokens_per_second"] for log in logs for event in log]
    rates = statistics.median(divided), statistics.median(spread)
    print("| windows divided, chars/s | members divided (bound) | ratio |\n|---|---|---|")
    print(f"| {rates[0]:,.0f} | {rates[1]:,.0f} | {rates[0] / rates[1]:.2f} |")


def cycles(folder: Path, count: int, seed: int, kind_of_cycles: type[Cycles]) -> None:
    """Disturb that many runs, one kind after the other."""
    problem = hosts_problem()
    kinds = [kind for kind in KINDS if kind != "cut-off" or not problem]
    tried = kind_of_cycles(folder, random.Random(seed))
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
    parser.add_argument("what", choices=("trace", "speed", "members", "cycles"))
    parser.add_argument("--ranks", default="2,4")
    parser.add_argument("--preset", default="classic")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--cycles", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--torchrun", action="store_true", help="cycles: under torchrun instead of forks")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        os.environ["TUI_GPT_HOME"] = str(Path(name, "home"))
        load()
        match options.what:
            case "trace":
                trace(Path(name), [int(word) for word in options.ranks.split(",")])
            case "speed":
                speed(Path(name), options.preset, options.steps, options.rounds)
            case "members":
                members(Path(name), options.steps, options.rounds)
            case _:
                cycles(Path(name), options.cycles, options.seed, TorchrunCycles if options.torchrun else Cycles)
    print(f"{time.monotonic() - began:.0f} s; load {os.getloadavg()[0]:.1f}", file=sys.stderr)


if __name__ == "__main__":
    main()
