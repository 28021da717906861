"""Measure the time to draw the chart, and the load of the app's own thread while training is shown.

    pip install plotext                      # the peer; without it only our own rows are printed
    python benchmarks/chart.py [--runs 6] [--points 100000] [--redraws 50] [--skip-load]

The first table: one complete redraw (curves, axes, legend, strips for the screen) of an overlay, with nothing cached
between redraws, beside plotext, which also draws braille, given the same points and once given no more points than its
canvas has columns. The second: the app over a session that only sends events, ten per second; processor time of the
event loop's thread. All times are medians, in processor time.
"""

import argparse
import asyncio
import math
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from unittest import mock

from rich.style import Style

from tui_gpt.config import RunConfig, resolve
from tui_gpt.control import Control
from tui_gpt.events import Evaluated, Event, Progress, Started
from tui_gpt.requests import Estimate, TrainRequest
from tui_gpt.session import Session
from tui_gpt.tui.app.app import TuiGptApp
from tui_gpt.tui.train.chart.curves import ChartSettings, _layers
from tui_gpt.tui.train.chart.loss_chart import LossChart
from tui_gpt.tui.train.chart.overlay import OverlayRun
from tui_gpt.tui.train.chart.viewport import Viewport
from tui_gpt.tui.train.record import RunView

SIZE = (160, 48)
LOAD_SECONDS, SETTLE_SECONDS = 15.0, 4.0
EVENTS_PER_SECOND = 10


def events(points: int, seed: int, every: int = 1) -> Iterator[Event]:
    """Yield a run whose loss falls from 4 to about 1.5, with ten evaluations."""
    noise = random.Random(seed)
    yield Started(
        step=0, max_iters=points * every, parameters=1, device="cpu", train_tokens=1, val_tokens=1, preset="", seed=seed
    )
    for k in range(1, points + 1):
        loss = 1.5 + 0.1 * seed + 2.5 * math.exp(-8 * k / points)
        yield Progress(
            step=k * every,
            loss=loss + noise.gauss(0, 0.05),
            learning_rate=1e-3 * (1 - 0.9 * k / points),
            grad_norm=0.5 + noise.random() / 5,
            tokens_per_second=2e4 + noise.gauss(0, 500),
            elapsed_seconds=k / EVENTS_PER_SECOND,
        )
        if k % max(1, points // 10) == 0:
            yield Evaluated(
                step=k * every,
                train_loss=loss,
                val_loss=loss + 0.1,
                bits_per_char=loss,
                bits_per_byte=loss,
                is_best=True,
                val_tokens=1,
            )


def view(points: int, seed: int) -> RunView:
    """Return a run that has ended."""
    record = RunView(name=f"run-{seed}")
    record.apply_all(events(points, seed))
    record.phase = "replayed"
    return record


def milliseconds(call: Callable[[], object], times: int) -> float:
    """Return the median processor time of a call."""
    found = []
    for _ in range(times):
        start = time.thread_time()
        call()
        found.append(1e3 * (time.thread_time() - start))
    return statistics.median(found)


class Chart(LossChart):
    """The chart of the app, with plain colours: styles are looked up once per theme, not per redraw."""

    def _style(self, name: str) -> Style:
        if name not in self._styles:
            self._styles[name] = Style(bold=name.endswith("pinned"))
        return self._styles[name]


def redraw_rows(runs: list[OverlayRun], redraws: int) -> Iterator[tuple[str, float]]:
    """Yield the rows of our own chart."""
    chart = Chart()
    for words, settings in (
        ("smoothed", ChartSettings()),
        ("not smoothed", ChartSettings(smoothing=0.0)),
        ("by seconds, last 20 %", ChartSettings(axis="seconds", viewport=Viewport(tail=0.2))),
    ):
        chart.choose(settings)
        for pinned in (None, 0):
            chart.show_overlay(runs, pinned)

            def redraw() -> None:
                _layers.clear()
                for run in runs:
                    run.record.train._smoothed.clear()
                chart.drawn(*SIZE)

            name = f"{words}{', one pinned' if pinned is not None else ''}"
            yield f"tui-gpt, {name}: all curves", milliseconds(redraw, redraws)
            yield f"tui-gpt, {name}: one run has a new point", milliseconds(lambda: grow(runs[0], chart), redraws)


def grow(run: OverlayRun, chart: LossChart) -> None:
    """Append a point, and draw."""
    series = run.record.train
    series.add(run.record.step, 1.5, series.last_seconds)
    chart.drawn(*SIZE)


def peer_rows(runs: list[OverlayRun]) -> Iterator[tuple[str, float]]:
    """Yield the rows of plotext, if it is installed."""
    try:
        import plotext  # type: ignore[import-not-found,import-untyped,unused-ignore]  # optional: the peer
    except ImportError:
        return
    curves = [list(run.record.train) for run in runs]
    for words, keep in (("every point", 1), ("decimated beforehand", max(1, len(curves[0]) // (2 * SIZE[0])))):
        columns = [([p.step for p in curve[::keep]], [p.mean for p in curve[::keep]]) for curve in curves]

        def draw(columns: list[tuple[list[int], list[float]]] = columns) -> None:
            plotext.clear_figure()
            plotext.plotsize(*SIZE)
            for steps, losses in columns:
                plotext.plot(steps, losses, marker="braille")
            plotext.build()

        yield f"plotext, {words}", milliseconds(draw, 3)


class EventSession(Session):
    """Sends events at a steady rate and computes nothing."""

    @property
    def run_name(self) -> str:
        """The name of every run."""
        return "run"

    def load_torch(self) -> None:
        """Load nothing."""

    def estimate(self, config: RunConfig, control: Control) -> Estimate:
        """Return any numbers, at once."""
        del config, control
        return Estimate(seconds=60.0, iterations=1_000, parameters=1, train_tokens=1)

    def train(self, request: TrainRequest, control: Control) -> Iterator[Event]:
        """Yield a long run, ten events per second."""
        del request
        for event in events(5_000, 0, every=10):
            yield event
            time.sleep(1.0 / EVENTS_PER_SECOND)
            if control.stop_requested:
                return


async def load(size: tuple[int, int], *, training: bool) -> float:
    """Return the processor seconds of the event loop's thread per second."""
    request = TrainRequest(config=resolve("quick"), name="run") if training else None
    app = TuiGptApp(request, session=EventSession())
    async with app.run_test(size=size):
        while training and (app.main is None or app.main.control.record is None or app.main.control.record.step < 10):
            await asyncio.sleep(0.1)
        await asyncio.sleep(SETTLE_SECONDS)
        start, began = time.thread_time(), time.perf_counter()
        await asyncio.sleep(LOAD_SECONDS)
        used = (time.thread_time() - start) / (time.perf_counter() - began)
        if app.main and app.main.control.training:
            app.main.control.training.control.stop()
            app.main.control.training.wait(SETTLE_SECONDS)
    return used


def print_load() -> None:
    """Print the second table, with a temporary home."""
    print("\n| the app's own thread | processor |\n|---|---|")
    for size in ((80, 24), SIZE):
        for training in (False, True):
            with tempfile.TemporaryDirectory() as home, mock.patch.dict(os.environ, TUI_GPT_HOME=home):
                share = asyncio.run(load(size, training=training))
            words = f"{EVENTS_PER_SECOND} events per second" if training else "idle"
            print(f"| {size[0]} x {size[1]}, {words} | {share:.1%} |", flush=True)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--redraws", type=int, default=50)
    parser.add_argument("--skip-load", action="store_true")
    chosen = parser.parse_args()
    runs = [OverlayRun(view(chosen.points, k), k) for k in range(chosen.runs)]
    print(f"{chosen.runs} runs of {chosen.points:,} points, {SIZE[0]} x {SIZE[1]} cells")
    print("| redraw | median ms |\n|---|---|")
    for name, found in (*redraw_rows(runs, chosen.redraws), *peer_rows(runs)):
        print(f"| {name} | {found:.2f} |", flush=True)
    if not chosen.skip_load:
        print_load()


if __name__ == "__main__":
    main()
