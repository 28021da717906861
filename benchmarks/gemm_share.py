"""Measure the fraction of the machine's GEMM peak that training reaches, for each preset.

    python benchmarks/gemm_share.py [PRESET ...] [--turns 3] [--seconds 4]

The peak is the fastest of several large single-precision products, by MKL and by oneDNN, over all cores; it is
measured before every turn, and medians are compared. A preset's rate is what its entire trainer reaches (events,
clipping, optimizer and all, without evaluations), at 6 N + 12 L C T operations per character, as nanoGPT counts them: N
parameters without positions and token embedding, L blocks, width C, context T. What Muon and the n-gram prior compute
is time but not work here. The last row is `classic`'s shape in the plain implementation (peers.py), as nanoGPT does.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from peers import PlainGPT, PlainTraining, Shape

from tui_gpt.config import PRESETS, ModelConfig, resolve
from tui_gpt.control import Control
from tui_gpt.cores import available_cores
from tui_gpt.events import Event, Progress
from tui_gpt.models.linear import linear, uses_onednn
from tui_gpt.storage.runs import RunStore
from tui_gpt.training.setup.new import prepare_new

PEAK_SIZES = (1_024, 2_048, 3_072)
PEAK_TRIES = 5
PLAIN = "`classic`'s shape in plain PyTorch"
TRAINED = tuple(name for name, preset in PRESETS.items() if preset.model.n_layer)


def main() -> None:
    """Print a row of Markdown per preset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="*", metavar="PRESET", default=list(TRAINED), help=", ".join(TRAINED))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="the least that a turn takes")
    options = parser.parse_args()
    print(f"cores: {available_cores()}; oneDNN takes the products: {uses_onednn()}\n")
    print("| training | characters/s | GFLOP/s | GEMM peak, GFLOP/s | fraction |\n|---|---|---|---|---|")
    for preset in options.presets:
        with tempfile.TemporaryDirectory() as folder:
            print_row(
                f"`{preset}`",
                PRESETS[preset].model,
                measured(our_turns(preset, options.seconds, Path(folder)), options),
            )
    if "classic" in options.presets:
        print_row(PLAIN, PRESETS["classic"].model, measured(plain_turns(options.seconds), options))


def measured(turns: Iterator[float], options: argparse.Namespace) -> tuple[float, float]:
    """Return the medians of characters per second and of the peak, without a warm-up turn."""
    speeds, peaks = [], []
    for _ in range(options.turns + 1):
        peaks.append(gemm_peak())
        speeds.append(next(turns))
    return statistics.median(speeds[1:]), statistics.median(peaks[1:])


def print_row(name: str, shape: ModelConfig, facts: tuple[float, float]) -> None:
    """Print a row."""
    speed, peak = facts
    rate = speed * operations_a_character(shape) / 1e9
    print(f"| {name} | {speed:,.0f} | {rate:.1f} | {peak:.0f} | {rate / peak:.0%} |", flush=True)


def operations_a_character(shape: ModelConfig, vocab_size: int = 65) -> float:
    """Return the floating-point operations of a forward and a backward pass, per character."""
    blocks = shape.n_layer * 12 * shape.n_embd**2
    return 6.0 * (blocks + shape.n_embd * vocab_size) + 12.0 * shape.n_layer * shape.n_embd * shape.block_size


def gemm_peak() -> float:
    """Return the GFLOP/s of the fastest product on all cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(available_cores())
    best = 0.0
    with torch.inference_mode():
        for size in PEAK_SIZES:
            a, b = torch.randn(size, size), torch.randn(size, size)
            for product in (linear, torch.nn.functional.linear):
                for _ in range(PEAK_TRIES):
                    began = time.perf_counter()
                    product(a, b)
                    best = max(best, 2e-9 * size**3 / (time.perf_counter() - began))
    torch.set_num_threads(before)
    return best


def our_turns(preset: str, seconds: float, folder: Path) -> Iterator[float]:
    """Yield the characters per second of our trainer, turn by turn."""
    config = resolve(preset, max_iters=1_000_000, eval_interval=1_000_000, log_interval=1, sample_interval=0)
    prepared = prepare_new(config, Control())
    run = RunStore(folder).create(config, "gemm")
    events: Iterator[Event] = prepared.trainer(run, Control(), lambda _: ()).run()
    model = prepared.config.model
    characters = prepared.config.train.batch_size * model.networks * model.block_size
    while True:
        threads = torch.get_num_threads()
        began, steps = time.perf_counter(), 0
        while time.perf_counter() - began < seconds or not steps:
            steps += isinstance(next(events), Progress)
        yield steps * characters / (time.perf_counter() - began)
        torch.set_num_threads(threads)


def plain_turns(seconds: float) -> Iterator[float]:
    """Yield the characters per second of the plain implementation, every operation on all cores."""
    model = PRESETS["classic"].model
    shape = Shape(65, model.block_size, model.n_layer, model.n_head, model.n_embd, model.dropout)
    training = PlainTraining(PlainGPT(shape), torch.randint(65, (1_000_000,)), 64, model.block_size, 1e-3)
    while True:
        torch.set_num_threads(available_cores())
        began, steps = time.perf_counter(), 0
        while time.perf_counter() - began < seconds or not steps:
            training.step()
            steps += 1
        yield steps * 64 * model.block_size / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
