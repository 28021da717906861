"""Compare validation loss against training time: this program's presets, GPT-2 from `transformers`, n-gram counts.

    python benchmarks/contenders.py WORK [--seeds 3] [--only NAME ...] [--best] [--picture docs/contenders.svg]

Every contender is a command of its own that trains on TinyShakespeare with all cores; its losses are noted with the
seconds since its process began. Finished runs are kept in WORK/finished.jsonl and not repeated, so the benchmark can be
run in parts and in any order; seeds take turns, so that a busy hour of the machine affects all contenders. `--list`
lists the contenders, `--table` only prints the results so far.

Losses are nats per character over the entire validation split, in separate windows of 256 characters, for the prior
too; `nano` and its peer (64) and `bigram` (8) in windows of their own context, which is all
they can see. What counts is the last evaluation of a run, not its best. The peer has the preset's layers, heads, width,
context and batch, and the same seconds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from curves import drawn

FIRST_SEED = 1337
TARGET = 1.4697
"""nanoGPT's baby GPT after three minutes of an A100."""
PICTURE_LOSSES = (1.3, 2.7)


@dataclass(frozen=True)
class Contender:
    """A command that is run with a seed."""

    name: str
    label: str
    arguments: tuple[str, ...]
    """Arguments of `tui-gpt train --headless --json`, or of gpt2.py: preset and seconds."""
    is_peer: bool = False
    is_drawn: bool = True


@dataclass(frozen=True)
class Result:
    """One finished run."""

    contender: str
    seed: int
    scale: float
    seconds: float
    """Wall time of the command from start to end."""
    steps: int
    parameters: int
    curve: list[tuple[float, float]] = field(default_factory=list)
    """(seconds since the command's start, validation loss)."""

    @property
    def loss(self) -> float:
        return self.curve[-1][1]


CONTENDERS = (
    Contender("quick-12", "quick, 12 s", ("--preset", "quick", "--max-seconds", "12")),
    Contender("quick-60", "quick, 60 s", ("--preset", "quick", "--max-seconds", "60")),
    Contender("quick-180", "quick, 180 s", ("--preset", "quick", "--max-seconds", "180")),
    Contender(
        "network-180",
        "quick without its prior, 180 s",
        ("--preset", "quick", "--ngram-order", "0", "--max-seconds", "180"),
    ),
    Contender("nano", "nano, 2,000 steps", ("--preset", "nano", "--max-iters", "2000")),
    Contender("bigram", "bigram, 3,000 steps", ("--preset", "bigram", "--max-iters", "3000"), is_drawn=False),
    Contender("gpt2-quick-60", "GPT-2 in quick's shape, 60 s", ("quick", "60"), is_peer=True),
    Contender("gpt2-quick-180", "GPT-2 in quick's shape, 180 s", ("quick", "180"), is_peer=True),
    Contender("gpt2-nano-60", "GPT-2 in nano's shape, 60 s", ("nano", "60"), is_peer=True),
)
BEST = (
    Contender("best", "best", ("--preset", "best")),
    Contender(
        "best-network",
        "best without its prior, 1,300 steps",
        ("--preset", "best", "--ngram-order", "0", "--max-iters", "1300"),
    ),
)
"""Contenders that are run only with --best or by name; each takes at most an hour."""


def main() -> None:
    """Run what is missing, and print the tables in Markdown."""
    options = parsed()
    if options.list:
        print("\n".join(contender.name for contender in CONTENDERS + BEST))
        return
    options.work.mkdir(parents=True, exist_ok=True)
    chosen = [c for c in CONTENDERS + BEST if c.name in options.only] if options.only else [*CONTENDERS]
    chosen += BEST if options.best and not options.only else ()
    kept = options.work / "finished.jsonl"
    if not options.table:
        for seed in range(FIRST_SEED, FIRST_SEED + options.seeds):
            for contender in chosen:
                run_if_missing(contender, seed, options, kept)
    results = [result for result in read_results(kept) if result.scale == options.scale]
    print_table(results)
    prior = counted_prior() if options.prior else None
    print_time_to_target(results)
    if options.picture and results:
        options.picture.write_text(picture_of(results, prior), encoding="utf-8")


def parsed() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="folder that keeps the finished runs")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", choices=[c.name for c in CONTENDERS + BEST])
    parser.add_argument("--best", action="store_true", help="the hour-long ones as well")
    parser.add_argument("--eval-interval", type=int, help="of the quick runs, for a finer curve")
    parser.add_argument("--scale", type=float, default=1.0, help="multiply every budget, to try this script")
    parser.add_argument("--prior", action="store_true", help="measure the n-gram prior alone as well")
    parser.add_argument("--picture", type=Path, help="SVG file to draw")
    parser.add_argument("--list", action="store_true", help="name the contenders")
    parser.add_argument("--table", action="store_true", help="run nothing")
    return parser.parse_args()


# Running


def run_if_missing(contender: Contender, seed: int, options: argparse.Namespace, kept: Path) -> None:
    """Append the run to `kept`, unless it is there already."""
    key = (contender.name, seed, options.scale)
    if any((r.contender, r.seed, r.scale) == key for r in read_results(kept)):
        return
    print(f"{contender.name}, seed {seed} ...", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as home:
        command = command_of(contender, seed, options)
        result = followed(command, {**os.environ, "TUI_GPT_HOME": home}, key)
    with kept.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(result)) + "\n")


def command_of(contender: Contender, seed: int, options: argparse.Namespace) -> list[str]:
    """Return the contender's command line."""
    if contender.is_peer:
        preset, seconds = contender.arguments
        script = str(Path(__file__).with_name("gpt2.py"))
        return [sys.executable, script, preset, str(seed), str(float(seconds) * options.scale)]
    arguments = list(contender.arguments)
    if arguments[-2] in ("--max-iters", "--max-seconds"):
        amount = float(arguments[-1]) * options.scale
        arguments[-1] = str(round(amount)) if arguments[-2] == "--max-iters" else str(amount)
    if options.eval_interval and contender.name.startswith(("quick", "network")):
        arguments += ["--eval-interval", str(options.eval_interval)]
    tui_gpt = str(Path(sys.executable).with_name("tui-gpt"))
    return [tui_gpt, "train", "--headless", "--json", "--quiet", "--seed", str(seed), *arguments]


def followed(command: list[str], environment: dict[str, str], key: tuple[str, int, float]) -> Result:
    """Run `command` and note its evaluations as they come. Raises CalledProcessError when it fails."""
    began = time.perf_counter()
    curve, steps, parameters = [], 0, 0
    with subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE) as process:
        for line in process.stdout or ():
            event = json.loads(line)
            steps = max(steps, event.get("step", 0))
            parameters = event.get("parameters", parameters)
            if event["type"] == "evaluated":
                curve.append((time.perf_counter() - began, float(event["val_loss"])))
    if process.returncode or not curve:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Result(*key, time.perf_counter() - began, steps, parameters, curve)


def read_results(kept: Path) -> list[Result]:
    """Return the runs so far."""
    if not kept.exists():
        return []
    records: Iterator[dict[str, Any]] = map(json.loads, kept.read_text(encoding="utf-8").splitlines())
    return [Result(**{**record, "curve": [(s, loss) for s, loss in record["curve"]]}) for record in records]


# N-gram counts alone


def counted_prior() -> tuple[float, float]:
    """Print the loss of quick's n-gram prior without a network, in separate windows and over continuous text."""
    from tui_gpt.config import PRESETS

    model = PRESETS["quick"].model
    command = [sys.executable, "-c", PRIOR_ALONE, str(model.ngram_order), str(model.block_size)]
    output = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout
    facts: dict[str, float] = json.loads(output)
    print(f"\n| n-gram prior alone, order {model.ngram_order} | |\n|---|---|")
    print(f"| windows of {model.block_size}, nothing before them | {facts['strict']:.4f} |")
    print(f"| context running on, as published n-gram figures have it | {facts['running']:.4f} |")
    print(f"| seconds to count / with all training rows | {facts['fit']:.1f} / {facts['rows']:.1f} |")
    print(f"| peak memory of the process over one that has the text, MB | {facts['megabytes']:.0f} |")
    return facts["strict"], facts["running"]


PRIOR_ALONE = """
import json, resource, sys, time
import numpy as np
from tui_gpt.text.corpora import read_corpus
from tui_gpt.text.dataset import Corpus
from tui_gpt.text.windows import validation_windows
from tui_gpt.prior.ngram import NgramPrior
order, block_size = map(int, sys.argv[1:])
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
corpus = Corpus.build(read_corpus("tinyshakespeare"), block_size)
train = corpus.train.astype(np.int64)
before, began = peak(), time.perf_counter()
prior = NgramPrior.fit(train, corpus.tokenizer.vocab_size, order)
fit = time.perf_counter() - began
prior.prepare_training()
rows, used = time.perf_counter() - began, peak() - before
windows = validation_windows(corpus.val, block_size, len(corpus.val), 65_536)
strict = np.concatenate([prior.losses(inputs, targets).ravel() for inputs, targets in windows]).mean()
val = corpus.val.astype(np.int64)[None]
running = prior.losses(val[:, :-1], val[:, 1:]).mean()
print(json.dumps({"strict": strict, "running": running, "fit": fit, "rows": rows, "megabytes": used}))
"""


# Tables


def print_table(results: Sequence[Result]) -> None:
    """Print a row per contender, with means and standard deviations over its seeds."""
    print("| contender | validation loss | seconds, entire command | steps | parameters | seeds |")
    print("|---|---|---|---|---|---|")
    for contender in CONTENDERS + BEST:
        runs = [result for result in results if result.contender == contender.name]
        if not runs:
            continue
        losses, seconds = [run.loss for run in runs], [run.seconds for run in runs]
        steps = round(statistics.mean(run.steps for run in runs))
        print(
            f"| {contender.label} | {with_deviation(losses, 4)} | {with_deviation(seconds, 1)} | {steps:,} "
            f"| {runs[0].parameters:,} | {len(runs)} |"
        )


def with_deviation(values: Sequence[float], digits: int) -> str:
    """Return the mean and, of several, the sample standard deviation."""
    mean = f"{statistics.mean(values):.{digits}f}"
    return mean if len(values) < 2 else f"{mean} ± {statistics.stdev(values):.{digits}f}"


def print_time_to_target(results: Sequence[Result]) -> None:
    """Print the seconds from start to target of the fastest `quick` budget, and those of nano's 2,000 steps."""
    nano = [result.seconds for result in results if result.contender == "nano"]
    for contender in CONTENDERS:
        runs = [result for result in results if result.contender == contender.name]
        reached = [first_below(run.curve) for run in runs]
        times = [second for second in reached if second is not None]
        if not contender.name.startswith("quick") or not times or len(times) < len(runs):
            continue
        seconds = statistics.mean(times)
        print(f"\n{contender.label}: {with_deviation(times, 1)} s from the command's start to {TARGET}", end="")
        print(f", {seconds / statistics.mean(nano):.2f} of nano's {statistics.mean(nano):.1f} s" if nano else "")


def first_below(curve: Sequence[tuple[float, float]]) -> float | None:
    """Return the seconds after which the loss was first known to be at most the target."""
    return next((second for second, loss in curve if loss <= TARGET), None)


def picture_of(results: Sequence[Result], prior: tuple[float, float] | None) -> str:
    """Draw loss against seconds, each contender's seeds in one colour."""
    curves: dict[str, list[list[tuple[float, float]]]] = {}
    for contender in CONTENDERS + BEST:
        runs = [result.curve for result in results if result.contender == contender.name]
        if runs and contender.is_drawn:
            curves[contender.label] = runs
    lines = {"nanoGPT's 10.7 M model, 3 minutes of an A100": TARGET}
    if prior is not None:
        lines["counting alone (Kneser-Ney)"] = prior[0]
    return drawn(curves, lines, *PICTURE_LOSSES)


if __name__ == "__main__":
    main()
