"""Measure whether training slows down the app, and the app the training.

    python benchmarks/event_loop.py [--preset quick] [--steps 150] [--rounds 3]

The same run, headless and in the app, in turns. In the app a ticker asks to be woken every 20 ms and notes how much
later it is; the characters per second are those the trainer reports, medians over the run without its first tenth.
"""

import argparse
import statistics

from terminal import run_on_a_terminal

TRAINING = """
import json, sys, time, asyncio
from tui_gpt.config import resolve
from tui_gpt.control import Control
from tui_gpt.events import Progress
from tui_gpt.requests import TrainRequest
from tui_gpt.session import Session
result, began, preset, steps = sys.argv[1:5]
config = resolve(preset, max_iters=int(steps), log_interval=5, eval_interval=100_000, sample_interval=0)
request = TrainRequest(config=config, name="run")
def speeds(events):
    found = [event.tokens_per_second for event in events if isinstance(event, Progress)]
    return found[len(found) // 10 + 1:]
"""

HEADLESS = (
    TRAINING
    + """
session = Session()
session.load_torch()
found = speeds(list(session.train(request, Control())))
json.dump({"speeds": found}, open(result, "w"))
"""
)

APP = (
    TRAINING
    + """
from tui_gpt.storage.runs import RunStore
from tui_gpt.tui.app.app import TuiGptApp
class Ticking(TuiGptApp):
    lags = []
    def on_mount(self):
        self.ticker = asyncio.create_task(self.tick())
    async def tick(self):
        while True:
            wanted = time.perf_counter() + 0.02
            await asyncio.sleep(0.02)
            if self.main is not None and self.main.control.is_training:
                self.lags.append((time.perf_counter() - wanted) * 1000)
            elif self.lags:
                self.exit()
                return
app = Ticking(request)
app.run()
found = speeds(RunStore().get("run").events())
json.dump({"speeds": found, "lags": app.lags}, open(result, "w"))
"""
)


def main() -> None:
    """Print Markdown rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    headless: list[float] = []
    in_app: list[float] = []
    lags: list[float] = []
    for _ in range(options.rounds):
        headless += run_on_a_terminal(HEADLESS, options.preset, str(options.steps))["speeds"]
        facts = run_on_a_terminal(APP, options.preset, str(options.steps))
        in_app += facts["speeds"]
        lags += facts["lags"]
    ranked = sorted(lags)
    alone, beside = statistics.median(headless), statistics.median(in_app)
    print("| what | figure |\n|---|---|")
    print(
        f"| tick lag p50 / p99 / worst of {len(ranked):,}, ms | {ranked[len(ranked) // 2]:.1f} / "
        f"{ranked[len(ranked) * 99 // 100]:.1f} / {ranked[-1]:.1f} |"
    )
    print(f"| characters per second headless / in the app | {alone:,.0f} / {beside:,.0f} ({beside / alone - 1:+.1%}) |")


if __name__ == "__main__":
    main()
