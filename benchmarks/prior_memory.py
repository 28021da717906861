"""Measure the memory and time of the n-gram prior on large and unusual texts.

    python benchmarks/prior_memory.py [--megabytes 100] [--only NAME ...]

The texts are synthetic, the same in every run: English-like (words of TinyShakespeare in random order), 5,000 distinct
characters by Zipf's law, and random bytes. Each is measured in a process of its own: the peak of its resident memory
once the text is there in tokens, and again after the prior has counted it, computed its cross-fitted tables and a
hundred batches of rows, as `quick` does. The difference is the memory of the prior. Needs Linux, which can reset the
peak.
"""

import argparse
import json
import subprocess
import sys

KINDS = ("english", "alphabet", "bytes")

WORK = """
import json, sys, time
from pathlib import Path
import numpy as np
from tui_gpt.config import PRESETS
from tui_gpt.text.corpora import load, read_corpus
from tui_gpt.prior.ngram import NgramPrior
from tui_gpt.prior.sizing import capped_order

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6

kind, size = sys.argv[1], int(float(sys.argv[2]) * 1e6)
random = np.random.default_rng(1)
if kind == "english":
    words = load(read_corpus("tinyshakespeare")).text.split(" ")
    parts, length = [], 0
    while length < size:
        for k in random.integers(len(words), size=100_000):
            parts.append(words[k].encode())
            length += len(parts[-1]) + 1
        parts = [b" ".join(parts)]
    letters = sorted(set(parts[0]))
    table = bytes(letters.index(k) if k in letters else 0 for k in range(256))
    tokens = np.frombuffer(parts[0][:size].translate(table), np.uint8)
    del parts, words
elif kind == "alphabet":
    shares = 1 / np.arange(1, 5_001)
    pieces = [random.choice(5_000, 1_000_000, p=shares / shares.sum()) for _ in range(max(1, size // 1_000_000))]
    tokens = np.concatenate([piece.astype(np.uint16) for piece in pieces])
else:
    tokens = random.integers(256, size=size, dtype=np.uint8)
vocab_size = int(tokens.max()) + 1
Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
before, began = peak(), time.perf_counter()
prior = NgramPrior.fit(tokens, vocab_size, capped_order(PRESETS["quick"].model.ngram_order, vocab_size))
prior.prepare_training()
counted = time.perf_counter() - began
for _ in range(100):
    prior.training_rows(random.integers(len(tokens) - 300, size=8), 256)
print(json.dumps({
    "characters": len(tokens), "distinct": vocab_size, "order": prior.order, "before": before, "used": peak() - before,
    "seconds": counted, "batch": (time.perf_counter() - began - counted) / 100,
}))
"""


def main() -> None:
    """Print a row of Markdown per text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=100.0)
    parser.add_argument("--only", nargs="+", default=list(KINDS), choices=KINDS)
    options = parser.parse_args()
    print("| text | characters | distinct | order | the prior's memory, MB | seconds to count | ms a batch |")
    print("|---|---|---|---|---|---|---|")
    for kind in options.only:
        command = [sys.executable, "-c", WORK, kind, str(options.megabytes)]
        facts = json.loads(subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout)
        print(
            f"| {kind} | {facts['characters']:,} | {facts['distinct']:,} | {facts['order']} | {facts['used']:.0f} "
            f"| {facts['seconds']:.1f} | {1e3 * facts['batch']:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
