"""Compare the tokenizers on some texts: the same preset and seconds, bits per character of the validation part.

`python benchmarks/compare_tokenizers.py TEXT... [--seconds 60]` trains one run for each text and tokenizer, in turns
and with one seed, and prints a table. Needs the extra `bpe`. The losses are those that the runs report at their end, on
the part of the validation split that the time allows.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

TOKENIZERS = ("character", "byte", "bpe")
HEADINGS = ("text", "tokenizer", "tokens", "characters per token", "steps", "nats per token", "bits/char", "bits/byte")


def main() -> None:
    """Train, and print a line of the table for each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", nargs="+")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--preset", default="quick")
    options = parser.parse_args()
    print(f"| {' | '.join(HEADINGS)} |\n{'|---' * len(HEADINGS)}|")
    for text in options.texts:
        for tokenizer in TOKENIZERS:
            print(row(text, tokenizer, events_of(text, tokenizer, options.preset, options.seconds)), flush=True)


def events_of(text: str, tokenizer: str, preset: str, seconds: float) -> list[dict[str, Any]]:
    """Return the events of one run, in its own process and folder."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "tui_gpt", "train", text, "--headless", "--json", "--quiet"]
        command += ["--preset", preset, "--max-seconds", f"{seconds:g}", "--tokenizer", tokenizer]
        environment = {**os.environ, "TUI_GPT_HOME": home}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def row(text: str, tokenizer: str, events: list[dict[str, Any]]) -> str:
    """Return the line of a run."""
    started = next(event for event in events if event["type"] == "started")
    best = [event for event in events if event["type"] == "evaluated" and event["is_best"]][-1]
    about = "~" if best["is_estimate"] else ""
    cells = [
        Path(text).name,
        tokenizer,
        f"{started['vocab_size']:,}",
        f"{started['token_size']['characters']:.2f}",
        f"{events[-1]['step']:,}",
        f"{about}{best['val_loss']:.3f}",
        f"{about}{best['bits_per_char']:.3f}",
        f"{about}{best['bits_per_byte']:.3f}",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
