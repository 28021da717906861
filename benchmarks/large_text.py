"""Measure the set-up, the memory and the speed of training on a text of a gigabyte, against one of a megabyte.

    python benchmarks/large_text.py [--megabytes 1000] [--kinds english chinese code] [--presets nano quick]
                                    [--steps 60] [--rounds 3] [--folder DIR] [--no-set-up]

The texts are made first, the same in every run: `english` is lines of TinyShakespeare in random order, `chinese` 5,000
characters by Zipf's law, `code` lines of Python's standard library. Everything is measured in a process of its own:

- set-up: reading, checking and tokenizing the text, without what was prepared before and with it, and the peak of the
  resident memory; beside it the same text read as a whole, as texts of up to 64 MB are, and nanoGPT's preparation
  (`data/shakespeare_char/prepare.py`: `read`, `sorted(set(data))`, a list of numbers, `np.array`), of PEER_MEGABYTES
  because it takes tens of bytes per character.
- steps per second and the peak of the memory of a training, of the large text and of its first megabyte in turns, from
  the median of the events' figures. Needs Linux.

DIR, by default a temporary folder that is removed, holds the texts and takes two bytes per character.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tui_gpt.storage.paths import shipped_dir

KINDS = ("english", "chinese", "code")
PEER_MEGABYTES = 50

PEAK = """
import json, sys, time
from pathlib import Path
def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024 / 1e6
began, cpu = time.perf_counter(), time.process_time()
"""
SET_UP = """
from tui_gpt.text.corpora import read_corpus
from tui_gpt.text.dataset import Corpus
from tui_gpt.text.large import text
if sys.argv[2] == "whole":
    text.LARGE_BYTES = 1 << 40
began, cpu = time.perf_counter(), time.process_time()
corpus = Corpus.build(read_corpus(sys.argv[1]), 64)
tokens = len(corpus.train) + len(corpus.val)
"""
PEER = """
import numpy as np
with open(sys.argv[1], encoding="utf-8") as file:
    data = file.read()
stoi = {character: number for number, character in enumerate(sorted(set(data)))}
ids = np.array([stoi[character] for character in data], dtype=np.uint16)
ids.tofile(sys.argv[1] + ".bin")
tokens = len(ids)
"""
RESULT = """
print(json.dumps({
    "seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu, "peak": peak(), "tokens": tokens,
}))
"""
TRAIN = """
import statistics
from tui_gpt.config import resolve
from tui_gpt.control import Control
from tui_gpt.events import Progress
from tui_gpt.requests import TrainRequest
from tui_gpt.session import Session
spec, preset, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
settings = {"max_iters": steps, "max_seconds": None, "log_interval": max(1, steps // 12), "eval_interval": steps}
if preset == "quick":
    settings["members"] = 1
request = TrainRequest(config=resolve(preset, spec, **settings))
events = list(Session().train(request, Control()))
rates = [event.tokens_per_second for event in events if isinstance(event, Progress)]
print(json.dumps({"rate": statistics.median(rates), "peak": peak()}))
"""


def main() -> None:
    """Print two tables of Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1_000)
    parser.add_argument("--kinds", nargs="+", default=["english"], choices=KINDS)
    parser.add_argument("--presets", nargs="+", default=["nano", "quick"])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--no-set-up", action="store_true", help="skip the first table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        os.environ["TUI_GPT_HOME"] = str(folder / "home")
        texts = {kind: make_text(folder, kind, options.megabytes) for kind in options.kinds}
        if not options.no_set_up:
            print("| text | MB | way | seconds | CPU seconds | peak, MB |\n|---|---|---|---|---|---|")
            for kind, path in texts.items():
                set_up(folder, kind, path, options.megabytes)
        print("\n| text | preset | steps/s, large ÷ 1 MB | peak, MB | peak of 1 MB |\n|---|---|---|---|---|")
        for kind, path in texts.items():
            for preset in options.presets:
                compare(folder, kind, path, preset, options.steps, options.rounds)


def set_up(folder: Path, kind: str, path: Path, megabytes: int) -> None:
    """Print a row for each way to prepare a text."""
    few = min(megabytes, PEER_MEGABYTES)
    part = make_text(folder, kind, few)
    for way, size, code, arguments in (
        ("first time", megabytes, SET_UP, [path, "pieces"]),
        ("again", megabytes, SET_UP, [path, "pieces"]),
        ("as a whole", few, SET_UP, [part, "whole"]),
        ("nanoGPT's way", few, PEER, [part]),
    ):
        facts = measured(PEAK + code + RESULT, [str(argument) for argument in arguments])
        print(
            f"| {kind} | {size:,} | {way} | {facts['seconds']:.1f} | {facts['cpu']:.1f} | {facts['peak']:.0f} |",
            flush=True,
        )


def compare(folder: Path, kind: str, path: Path, preset: str, steps: int, rounds: int) -> None:
    """Print the ratio of the speeds of training on a large text and on a megabyte of it, run in turns."""
    small = make_text(folder, kind, 1)
    pairs = [[measured(PEAK + TRAIN, [str(one), preset, str(steps)]) for one in (path, small)] for _ in range(rounds)]
    ratio = statistics.median(large["rate"] / one["rate"] for large, one in pairs)
    peaks = [max(pair[number]["peak"] for pair in pairs) for number in range(2)]
    print(f"| {kind} | {preset} | {ratio:.3f} | {peaks[0]:.0f} | {peaks[1]:.0f} |", flush=True)


def measured(code: str, arguments: Sequence[str]) -> dict[str, float]:
    """Return what a program prints as JSON, run in a process of its own."""
    command = [sys.executable, "-c", code, *arguments]
    result = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout
    facts: dict[str, float] = json.loads(result)
    return facts


def make_text(folder: Path, kind: str, megabytes: int) -> Path:
    """Return a text of a kind and a size, made unless it is there."""
    path = folder / f"{kind}-{megabytes}.txt"
    if not path.exists():
        left = megabytes * 1_000_000
        with path.open("wb") as file:
            for block in blocks(kind):
                file.write(block)
                left -= len(block)
                if left <= 0:
                    break
    return path


def blocks(kind: str) -> Iterator[bytes]:
    """Yield blocks of a text of that kind without end."""
    generator = random.Random(1)
    if kind == "chinese":
        characters = [chr(0x4E00 + number) for number in range(5_000)]
        weights = [1 / (number + 1) for number in range(5_000)]
        lines = ["".join(generator.choices(characters, weights, k=40)) + "。\n" for _ in range(20_000)]
    elif kind == "code":
        sources = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
        lines = [line for path in sources for line in path.read_text(encoding="utf-8").splitlines(keepends=True)]
    else:
        whole = (shipped_dir() / "tinyshakespeare" / "input.txt").read_text(encoding="utf-8")
        lines = whole.splitlines(keepends=True)
    while True:
        start = generator.randrange(len(lines))
        block = lines[start : start + 30]
        generator.shuffle(block)
        yield "".join(block).encode()


if __name__ == "__main__":
    main()
