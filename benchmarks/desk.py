"""Measure the probability tree and the preview of the prompt with the shipped model.

    python benchmarks/desk.py [--keys 40]

First the time from a request to the first level of the tree and to all of it, and to a preview after one more
character. Then keys in the app: each is pressed when the preview after the one before is being computed, with previews
switched on and off; the time until the character is drawn is measured.
"""

import argparse
import statistics
import time

from keys import FIRST_SIGN, app_on_a_terminal, print_row

from tui_gpt.generation.branches import TreeShape
from tui_gpt.generation.sampler import Sampler
from tui_gpt.storage.paths import shipped_dir

LINE = "ROMEO:\nI will go to the king and speak with him, my lord.\n"
TIMES = 5
PRESSED_SECONDS = 0.27
"""Time between two keys: the preview is requested 0.25 s after one."""


def sampler() -> Sampler:
    return Sampler.open(shipped_dir() / "pretrained", "shipped")


def measure_tree(lines: int) -> None:
    prompt, firsts, wholes = LINE * lines, list[float](), list[float]()
    for _ in range(TIMES):
        model = sampler()
        began, times = time.perf_counter(), list[float]()
        for _level in model.continuations(prompt, TreeShape(6)):
            times.append(time.perf_counter() - began)
        firsts.append(times[0])
        wholes.append(times[-1])
    first, whole = (1e3 * statistics.median(times) for times in (firsts, wholes))
    print(f"tree of depth 6 after {len(prompt)} characters: first level {first:.0f} ms, all {whole:.0f} ms")


def measure_preview(lines: int) -> None:
    model, prompt, times = sampler(), LINE * lines, list[float]()
    list(model.continuations(prompt, TreeShape(24, width=1)))
    for character in "the ki":
        prompt += character
        began = time.perf_counter()
        list(model.continuations(prompt, TreeShape(24, width=1)))
        times.append(time.perf_counter() - began)
    print(f"preview after {len(prompt)} characters and one more: {1e3 * statistics.median(times):.0f} ms")


def measure_keys(count: int, preview: bool) -> None:
    with app_on_a_terminal(state={"source": "shipped", "preview": preview}) as app:
        app.wait_for("Generate")
        app.idle(4.0)
        app.press("2")
        app.idle(1.0)
        app.press("To be")
        app.idle(2.0)
        times = []
        for number in range(count):
            times.append(app.milliseconds_until_drawn(chr(FIRST_SIGN + number)))
            app.idle(PRESSED_SECONDS)
    print_row(f"previews {'on' if preview else 'off'}", times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=40)
    count = parser.parse_args().keys
    for lines in (1, 4):
        measure_tree(lines)
        measure_preview(lines)
    print("| milliseconds from a key to its sign on the screen | p50 | p95 | worst |\n|---|---|---|---|")
    for preview in (False, True):
        measure_keys(count, preview)


if __name__ == "__main__":
    main()
