"""Measure whether time budgets are kept, and the memory used: every preset on texts from 2 KB to 50 MB.

    python benchmarks/budgets.py [--seconds 10,60] [--presets quick,nano] [--texts 2KB,1MB] [--busy]

Each row is one `tui-gpt train --headless --json` in a process of its own, measured from its start to its end. `--busy`
lets another process compute beside it. A run is within its budget when it takes at most 5 % and one second more; a run
that is refused must be refused within that time as well. `steps` is the fraction of the time spent in optimizer steps,
`points` the number of evaluations, `memory` the largest resident set.
"""

import argparse
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SIZES = {"2KB": 2_000, "1MB": 1_000_000, "10MB": 10_000_000, "50MB": 50_000_000}
PRESETS = ("quick", "best", "classic", "nano", "bigram")
BUDGETS = (5, 10, 20, 60, 180)
BUSY_PROGRAM = "while True: sum(range(100_000))"


@dataclass(frozen=True)
class Row:
    """The result of one run."""

    preset: str
    text: str
    budget: float
    wall: float
    refused: str
    points: int
    loss: str
    steps_share: float
    memory_mb: float

    @property
    def verdict(self) -> str:
        """Whether the run kept to its budget."""
        late = self.wall > 1.05 * self.budget + 1
        return "LATE" if late else "refused" if self.refused else "ok"

    def markdown(self) -> str:
        """Return the row of a table."""
        if self.refused:
            figures = f"{self.refused} | | | "
        else:
            figures = f"{self.loss} | {self.points} | {self.steps_share:.0%} | "
        return (
            f"| {self.preset} | {self.text} | {self.budget:g} | {self.wall:.1f} | {self.verdict} | {figures}"
            f"{self.memory_mb:,.0f} |"
        )


def main() -> None:
    """Print a table, a row for each run, and the worst figures."""
    options = parsed()
    print("| preset | text | budget, s | wall, s | verdict | loss, or why not | points | steps | memory, MB |")
    print("|---|---|---|---|---|---|---|---|---|")
    rows = []
    with tempfile.TemporaryDirectory() as folder, other_programs(options.busy):
        for text in options.texts.split(","):
            path = text_of(Path(folder), text)
            for preset in options.presets.split(","):
                for budget in map(float, options.seconds.split(",")):
                    rows.append(measured(preset, path, text, budget, Path(folder) / "home"))
                    print(rows[-1].markdown(), flush=True)
    late = sum(row.verdict == "LATE" for row in rows)
    trained = [row for row in rows if not row.refused]
    print(f"\n{len(rows)} runs, {late} late, {len(rows) - len(trained)} refused; ", end="")
    print(f"at most {max(row.memory_mb for row in rows):,.0f} MB")
    long = [row.steps_share for row in trained if row.budget >= 60]
    if long:
        print(f"fraction of steps from 60 s on: at least {min(long):.0%}")


def parsed() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", default=",".join(map(str, BUDGETS)))
    parser.add_argument("--presets", default=",".join(PRESETS))
    parser.add_argument("--texts", default=",".join(SIZES))
    parser.add_argument("--busy", action="store_true")
    return parser.parse_args()


@contextmanager
def other_programs(are_there: bool) -> Iterator[None]:
    """Let another program compute, on one core."""
    programs = [subprocess.Popen([sys.executable, "-c", BUSY_PROGRAM])] if are_there else []
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def text_of(folder: Path, name: str) -> Path:
    """Return a file of random words by Zipf's law, or the file that `name` is."""
    if name not in SIZES:
        return Path(name)
    rng = random.Random(3)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(20_000)]
    weights = list(itertools.accumulate(1 / (rank + 5) for rank in range(len(words))))
    path = folder / f"{name}.txt"
    written = 0
    with path.open("w", encoding="utf-8") as file:
        while written < SIZES[name]:
            piece = " ".join(rng.choices(words, cum_weights=weights, k=10_000))
            lines = "\n".join(piece[start : start + 80] for start in range(0, len(piece), 80)) + "\n"
            written += file.write(lines[: SIZES[name] - written])
    return path


def measured(preset: str, path: Path, text: str, budget: float, home: Path) -> Row:
    """Train once."""
    command = [sys.executable, "-m", "tui_gpt", "train", str(path), "--headless", "--json"]
    command += ["--preset", preset, "--max-seconds", f"{budget:g}"]
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, env={**os.environ, "TUI_GPT_HOME": str(home)})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - began
        out.seek(0), err.seek(0)
        events, messages = [json.loads(line) for line in out], err.read().strip().splitlines()
    refused = messages[-1].removeprefix("error: ") if process.returncode else ""
    evaluated = [event for event in events if event["type"] == "evaluated"]
    best = [event for event in evaluated if event["is_best"]]
    loss = f"{'~' if best[-1]['is_estimate'] else ''}{best[-1]['val_loss']:.3f}" if best else ""
    fraction = stepping_seconds(events) / wall
    return Row(preset, text, budget, wall, refused, len(evaluated), loss, fraction, usage.ru_maxrss / 1e3)


def stepping_seconds(events: list[dict[str, Any]]) -> float:
    """Return the seconds spent in steps, from the rates in progress events."""
    progress = [event for event in events if event["type"] == "progress"]
    if not progress:
        return 0.0
    begun = [{"step": 0}, *progress]
    steps = [later["step"] - sooner["step"] for sooner, later in zip(begun, progress, strict=False)]
    paces = [count / event["tokens_per_second"] for count, event in zip(steps, progress, strict=True)]
    seconds: float = sum(paces) * tokens_per_step(events)
    return seconds


def tokens_per_step(events: list[dict[str, Any]]) -> float:
    """Return the characters per step, from the checkpoint's configuration."""
    folder = next((Path(event["path"]) for event in events if event["type"] == "saved"), None)
    if folder is None:
        return 0.0
    config = json.loads((folder / "checkpoint.json").read_text(encoding="utf-8"))["config"]
    model, train = config["model"], config["train"]
    windows = train["batch_size"] * train["gradient_accumulation"] * max(1, model["members"])
    return float(windows * model["block_size"])


if __name__ == "__main__":
    main()
