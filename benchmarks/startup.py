"""Measure the time to the first frame of the app and of an empty Textual app, and the time of `--help`.

    python benchmarks/startup.py

Each start is a process of its own on a pseudo-terminal of 120 x 36; the clock starts with the process and is read
inside it, once the first frame is written and once the complete main screen is up. Both apps start in turns, so that a
busy moment of the machine affects both.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from terminal import run_on_a_terminal

ROUNDS = 15

EMPTY = """
import json, sys, time
from textual.app import App
class Empty(App):
    def on_mount(self):
        self.call_after_refresh(self.report)
    def report(self):
        seconds = time.time() - float(sys.argv[2])
        open(sys.argv[1], "w").write(json.dumps({"first": seconds}))
        self.exit()
Empty().run()
"""

OURS = """
import json, sys, time
from tui_gpt.tui.app.app import TuiGptApp
class Timed(TuiGptApp):
    facts = {}
    def on_mount(self):
        self.call_after_refresh(self.report)
    def report(self):
        self.facts = {"first": time.time() - float(sys.argv[2]), "torch": "torch" in sys.modules}
        self.set_interval(0.005, self.look)
    def look(self):
        if self.main is not None and self.screen is self.main and self.main.query("LossChart"):
            self.main.call_after_refresh(self.done)
    def done(self):
        self.facts.setdefault("whole", time.time() - float(sys.argv[2]))
        open(sys.argv[1], "w").write(json.dumps(self.facts))
        import os
        self.exit()
Timed().run()
"""


def main() -> None:
    """Print Markdown rows."""
    empty, ours = [], []
    for _ in range(ROUNDS):
        empty.append(run_on_a_terminal(EMPTY))
        ours.append(run_on_a_terminal(OURS))
    bare = statistics.median(facts["first"] for facts in empty)
    first = statistics.median(facts["first"] for facts in ours)
    whole = statistics.median(facts["whole"] for facts in ours)
    print("| what | seconds, median | beside the empty app |\n|---|---|---|")
    print(f"| an empty Textual app's first picture | {bare:.3f} | 1.00 |")
    print(
        f"| `tui-gpt`, first picture (torch imported by then: {any(f['torch'] for f in ours)}) | {first:.3f} "
        f"| {first / bare:.2f} |"
    )
    print(f"| `tui-gpt`, complete main screen | {whole:.3f} | {whole / bare:.2f} |")
    print(f"| `tui-gpt --help`, entire process | {help_seconds():.3f} | |")


def help_seconds() -> float:
    """Return the median wall time of `tui-gpt --help`."""
    command = [str(Path(sys.executable).with_name("tui-gpt")), "--help"]
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    main()
