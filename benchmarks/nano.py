"""`nano` beside the same recipe written the plain way: milliseconds an iteration, in turns, in one process.

    python benchmarks/nano.py

Both train nanoGPT's CPU demo (4 x 128, context 64, batch 12) on TinyShakespeare with all cores. Our side is the whole
trainer, events and all; the peer is `PlainTraining` (see peers.py). Turns of 50 iterations alternate, so that a busy
moment of the machine hits both; the medians of the turns are compared.
"""

import statistics
import time
from collections.abc import Callable, Iterator

import torch
from peers import PlainGPT, PlainTraining, Shape

from tui_gpt.config import resolve
from tui_gpt.control import Control
from tui_gpt.events import Event, Progress
from tui_gpt.gpt.preparation import prepare_new
from tui_gpt.gpt.trainer import Trainer
from tui_gpt.gpt.world import available_cores
from tui_gpt.runs import RunStore

TURNS = 20
ITERATIONS = 50


def main() -> None:
    """Print a row of Markdown for each side and the ratio."""
    config = resolve("nano", max_iters=TURNS * ITERATIONS + ITERATIONS, eval_interval=100_000, log_interval=ITERATIONS)
    prepared = prepare_new(config, None)
    run = RunStore().create(config, "benchmark-nano")
    events = Trainer(prepared.parts(run), config.train, Control()).run()
    shape = Shape(prepared.corpus.tokenizer.vocab_size, 64, 4, 4, 128)
    torch.manual_seed(1337)
    peer = PlainTraining(PlainGPT(shape), torch.from_numpy(prepared.corpus.train), 12, 64, 1e-3)
    ours, plain = in_turns(lambda: until_progress(events), lambda: make_steps(peer))
    print("| side | ms an iteration, median (min - max) |\n|---|---|")
    print(f"| `tui-gpt` preset nano | {described(ours)} |\n| plain PyTorch, nanoGPT's recipe | {described(plain)} |")
    print(f"\nratio of medians: {statistics.median(ours) / statistics.median(plain):.2f}")


def until_progress(events: Iterator[Event]) -> None:
    """Let the trainer make one turn's iterations."""
    while not isinstance(next(events), Progress):
        pass


def make_steps(peer: PlainTraining) -> None:
    """Let the peer make one turn's iterations, every operation on all cores, as torch does by itself."""
    ours = torch.get_num_threads()
    torch.set_num_threads(available_cores())
    for _ in range(ITERATIONS):
        peer.step()
    torch.set_num_threads(ours)


def in_turns(one: Callable[[], object], other: Callable[[], object]) -> tuple[list[float], list[float]]:
    """Milliseconds an iteration of each side's turns; the first turn of each is a warm-up."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(TURNS + 1):
        for side, work in zip(times, (one, other), strict=True):
            began = time.perf_counter()
            work()
            side.append((time.perf_counter() - began) * 1000 / ITERATIONS)
    return times[0][1:], times[1][1:]


def described(milliseconds: list[float]) -> str:
    """Median and range."""
    return f"{statistics.median(milliseconds):.1f} ({min(milliseconds):.1f} - {max(milliseconds):.1f})"


if __name__ == "__main__":
    main()
