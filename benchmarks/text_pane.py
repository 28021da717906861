"""Measure the cost of one more burst of text on a screen that already shows 100,000 characters.

The Generate tab's view beside Textual's own `Log` (which does not wrap) and `Static` (which does), each in the same
app, at the same size, in the same run: append a burst, let the screen draw it, and take the processor time of both
together (waiting for the next frame costs nothing). The view is measured as the Generate tab uses it: a card among
others, its tail followed.

    python benchmarks/text_pane.py [--characters 100000] [--bursts 100]
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable

from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Footer, Log, Static

from tui_gpt.tui.generate.cards.notebook_view import NotebookView
from tui_gpt.tui.generate.job import Burst
from tui_gpt.tui.generate.notebook import Answer, Card

SIZE = (120, 40)
BURST = "What, ho! my lord, the king is come."
"""A thirtieth of a second at about 1,000 characters per second."""
TEXT = "To be, or not to be, that is the question:\nWhether 'tis nobler in the mind to suffer the slings and arrows\n"


class Screen(App[None]):
    """One widget over a footer."""

    def __init__(self, kind: str, characters: int) -> None:
        super().__init__()
        self.kind = kind
        self.text = (TEXT * (characters // len(TEXT) + 1))[:characters]

    def compose(self) -> ComposeResult:
        """Yield the widget that is measured."""
        if self.kind == "view":
            yield NotebookView()
        elif self.kind == "log":
            yield Log()
        else:
            with VerticalScroll():
                yield Static(markup=False)
        yield Footer()

    def writer(self) -> Callable[[str], None]:
        """Show the text so far; return a function that appends a burst."""
        if self.kind == "view":
            return self._view_writer()
        if self.kind == "log":
            log = self.query_one(Log)
            log.write(self.text)
            return lambda burst: void(log.write(burst))
        return self._static_writer()

    def _view_writer(self) -> Callable[[str], None]:
        view = self.query_one(NotebookView)
        earlier = [Card(answers=(Answer(prompt="ROMEO:", text=TEXT * 5),)) for _ in range(50)]
        answer = Answer(prompt="ROMEO:", text=self.text, logprobs=(-0.5,) * len(self.text))
        view.show_cards([*earlier, Card(answers=(answer,))])
        block = view.cards[-1]
        block.set_stage("generating", (answer.id,))
        view.follow()

        def write(burst: str) -> None:
            row = block.grow({answer.id: Burst(burst, (-0.5,) * len(burst))}, 1.0)
            view.grown(view.index_of(block), row or 0)

        return write

    def _static_writer(self) -> Callable[[str], None]:
        static, scroll = self.query_one(Static), self.query_one(VerticalScroll)
        static.update(self.text)

        def write(burst: str) -> None:
            self.text += burst
            static.update(self.text)
            scroll.scroll_end(animate=False)

        return write


def void(value: object) -> None:
    """Do nothing; the returned value is ignored."""
    del value


async def burst_milliseconds(kind: str, characters: int, bursts: int) -> list[float]:
    """Return the milliseconds of processor time until a burst is drawn, for each burst."""
    app = Screen(kind, characters)
    drawn = asyncio.Event()
    async with app.run_test(size=SIZE) as pilot:
        write = app.writer()
        await pilot.pause(0.5)
        times = []
        for _ in range(bursts):
            drawn.clear()
            start = time.thread_time()
            write(BURST)
            app.screen.call_after_refresh(drawn.set)
            await drawn.wait()
            times.append(1e3 * (time.thread_time() - start))
            await asyncio.sleep(0.02)
    return times


def main() -> None:
    """Print a row per widget: the median, the 95th percentile and the maximum."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--characters", type=int, default=100_000)
    parser.add_argument("--bursts", type=int, default=100)
    chosen = parser.parse_args()
    print(f"{chosen.bursts} bursts of {len(BURST)} characters, {SIZE[0]} x {SIZE[1]} cells; milliseconds a burst")
    print("| widget | characters | p50 | p95 | max |\n|---|---|---|---|---|")
    for characters in (1_000, chosen.characters):
        for kind in ("view", "log", "static"):
            times = asyncio.run(burst_milliseconds(kind, characters, chosen.bursts))
            p95 = statistics.quantiles(times, n=20)[-1]
            row = f"{statistics.median(times):.1f} | {p95:.1f} | {max(times):.1f}"
            print(f"| {kind} | {characters:,} | {row} |", flush=True)


if __name__ == "__main__":
    main()
