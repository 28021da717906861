"""Measure how long it takes to explain the prediction at a text cursor, also while a model trains.

    python benchmarks/explain.py [--moves 200] [--preset quick]

The shipped ensemble explains a cursor that walks through a text of 1,200 characters, one character at a time forward
and back, and by rows of 60 characters, beyond the attention window. It is measured on an idle machine, and then while
this process trains another model in a thread with all cores, as the app does. Reading the text for the first time is
reported apart: that happens once per text.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tui_gpt.config import SampleConfig, resolve
from tui_gpt.control import Control
from tui_gpt.events import Progress
from tui_gpt.generation.text_model import TextModel
from tui_gpt.requests import TrainRequest
from tui_gpt.session import Session
from tui_gpt.storage.runs import RunStore
from tui_gpt.tui.threads import lower_thread_priority, set_switch_interval

ROW = 60
LENGTH = 1_200


def main() -> None:
    """Print Markdown rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=200)
    parser.add_argument("--preset", default="quick")
    options = parser.parse_args()
    set_switch_interval()
    model = Session().open_model("shipped")
    text = written(model)
    print("| what | milliseconds: p50 / p95 / worst | first reading, s |\n|---|---|---|")
    report("idle", model, text, options.moves)
    with tempfile.TemporaryDirectory() as folder:
        control, began = Control(), threading.Event()
        training = threading.Thread(target=train, args=(Path(folder), options.preset, control, began))
        training.start()
        began.wait()
        report(f"while `{options.preset}` trains", Session().open_model("shipped"), text, options.moves)
        control.stop()
        training.join()


def written(model: TextModel) -> str:
    """Return a text by the model."""
    config = SampleConfig(max_new_tokens=LENGTH, temperature=0.8, seed=1)
    return "".join(piece.text for piece in model.stream("ROMEO:\n", config))


def train(folder: Path, preset: str, control: Control, began: threading.Event) -> None:
    """Train until `control` stops; set `began` with the first steps."""
    lower_thread_priority()
    config = resolve(preset, max_iters=100_000, log_interval=5, eval_interval=100_000, sample_interval=0)
    for event in Session(RunStore(folder)).train(TrainRequest(config=config), control):
        if isinstance(event, Progress):
            began.set()


def report(what: str, model: TextModel, text: str, moves: int) -> None:
    """Print the times of one walk through the text, in a thread of low priority, as that of the app's lookup."""
    walk = threading.Thread(target=lambda: print(measured(what, model, text, moves)))
    walk.start()
    walk.join()


def measured(what: str, model: TextModel, text: str, moves: int) -> str:
    """Return the row of a walk."""
    began = time.perf_counter()
    model.explain(text[: LENGTH // 2])
    first = time.perf_counter() - began
    times = []
    for end in cursor(LENGTH // 2, moves):
        began = time.perf_counter()
        model.explain(text[:end])
        times.append((time.perf_counter() - began) * 1000)
    ranked = sorted(times)
    middle, high = ranked[len(ranked) // 2], ranked[len(ranked) * 95 // 100]
    return f"| {what} | {middle:.1f} / {high:.1f} / {ranked[-1]:.1f} | {first:.2f} |"


def cursor(start: int, moves: int) -> Iterator[int]:
    """Yield the positions of a cursor: mostly steps to the right and to the left, every twentieth move a row up."""
    position = start
    for move in range(moves):
        if move % 20 == 19:
            position -= ROW
        else:
            position += 1 if move % 60 < 40 else -1
        position = min(max(position, 1), LENGTH)
        yield position


if __name__ == "__main__":
    main()
