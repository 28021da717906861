"""Measure what learning while reading adds: the losses of a frozen and of an adapting model on long texts.

    python benchmarks/adapt.py [MODEL] [--file F ...] [--characters 50000]

The first rows are the validation split of TinyShakespeare, which follows the shipped model's training text, and its
last 60,000 characters; the others are the first characters of each file. Characters that the model does not know are
left out, also for the peer: PPMd variant H of order 6 (`pip install pyppmd`), given the training text first.
"""

import argparse
import math
import time
from pathlib import Path

from tui_gpt.config import DEFAULT_CORPUS
from tui_gpt.generation.text_model import TextModel
from tui_gpt.session import Session, measure_speed
from tui_gpt.text.corpora import load, read_corpus

LAST = 60_000
TRAIN_SHARE = 0.9


def main() -> None:
    """Print a row of Markdown per text."""
    options = parsed()
    model = Session().open_model(options.model)
    text = load(read_corpus(DEFAULT_CORPUS)).text
    train, unseen = text[: int(TRAIN_SHARE * len(text))], text[int(TRAIN_SHARE * len(text)) :]
    print(f"{model.name}; {measure_speed().flops / 1e9:.0f} GFLOP/s\n")
    print("| text | characters | frozen | adapting | PPMd, adapting | characters/s |\n|---|---|---|---|---|---|")
    print_rows(model, "TinyShakespeare's validation split", train, unseen)
    for path in options.file:
        shown = path.read_text(encoding="utf-8")[: options.characters]
        print_rows(model, path.name, train, shown.translate(dict.fromkeys(map(ord, model.unknown(shown)))))


def parsed() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="shipped")
    parser.add_argument("--file", nargs="*", type=Path, default=[])
    parser.add_argument("--characters", type=int, default=50_000)
    return parser.parse_args()


def print_rows(model: TextModel, name: str, train: str, text: str) -> None:
    """Print the losses on a text, in nats per token, and those on its end if it is long."""
    began = time.perf_counter()
    pairs = [(-piece.logprob, -score) for piece, score in model.score_adapting(text)]
    speed = len(text) / (time.perf_counter() - began)
    frozen, adapting = (list(losses) for losses in zip(*pairs, strict=True))
    print_row(name, len(text), frozen, adapting, f"{ppmd(train, text):.4f}", f"{speed:,.0f}")
    if len(text) > LAST:
        before = len(text) - LAST
        end = ppmd(train + text[:before], text[before:])
        print_row(f"{name}, its end", LAST, frozen[-LAST:], adapting[-LAST:], f"{end:.4f}", "")


def print_row(name: str, size: int, frozen: list[float], adapting: list[float], peer: str, speed: str) -> None:
    """Print a row of Markdown."""
    means = (f"{math.fsum(losses) / len(losses):.4f}" for losses in (frozen, adapting))
    print(f"| {name} | {size:,} | " + " | ".join(means) + f" | {peer} | {speed} |", flush=True)


def ppmd(train: str, text: str) -> float:
    """Return the loss of PPMd on a text after the training text, in nats per character; NaN if it is not installed."""
    try:
        import pyppmd  # type: ignore[import-not-found,import-untyped,unused-ignore]  # optional: the peer
    except ImportError:
        return math.nan
    sizes = [len(pyppmd.compress(part.encode(), max_order=6, mem_size=64 << 20)) for part in (train, train + text)]
    return (sizes[1] - sizes[0]) * math.log(2) * 8 / len(text)


if __name__ == "__main__":
    main()
