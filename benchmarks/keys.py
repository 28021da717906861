"""Measure the latency of key presses while a model is trained and text streams, in one app.

    python benchmarks/keys.py [--keys 100]

The app runs on a terminal of its own, trains the preset `quick` and generates answers of 100,000 characters, with the
live weights and then with the shipped model. Characters that nothing else on the screen shows are typed into the prompt
box; the time from the key until the character is drawn is measured. A new answer starts as soon as one is done. The
first lines measure the same without streaming, and without training; others, the time until an answer has stopped.
"""

import argparse
import fcntl
import json
import os
import pty
import select
import statistics
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROWS, COLUMNS = 36, 120
FIRST_SIGN = 0x0400
"""Cyrillic letters: one cell wide, and not in Shakespeare."""
PATIENCE_SECONDS = 60.0
BETWEEN_KEYS_SECONDS = 0.08
KEYS_AN_ANSWER = 20
STOPS = 20
STOPPING_KEYS = {
    "Ctrl+C": "\x03",
    "Esc in a terminal with the kitty keyboard protocol": "\x1b[27u",
    "Esc in any other, where Textual waits 0.1 s for the rest of a sequence": "\x1b",
}


class App:
    """The app on a terminal."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self.drawn = b""

    def press(self, keys: str) -> None:
        """Send keys."""
        os.write(self._terminal, keys.encode())

    def look(self, seconds: float) -> bytes:
        """Return what is drawn within that many seconds, or as soon as something is."""
        if not select.select([self._terminal], [], [], seconds)[0]:
            return b""
        fresh = os.read(self._terminal, 65_536)
        self.drawn = (self.drawn + fresh)[-200_000:]
        return fresh

    def wait_for(self, words: str) -> None:
        """Wait until these words have been drawn since the last wait."""
        deadline = time.perf_counter() + PATIENCE_SECONDS
        while words.encode() not in self.drawn:
            if time.perf_counter() > deadline:
                raise TimeoutError(f"{words!r} was not drawn")
            self.look(0.1)
        self.drawn = b""

    def idle(self, seconds: float) -> None:
        """Let the app draw for a while."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self.look(left)

    def milliseconds_until_drawn(self, sign: str) -> float:
        """Return the seconds from a key press to its character on the screen."""
        self.drawn = b""
        began = time.perf_counter()
        self.press(sign)
        self.wait_for(sign)
        return 1e3 * (time.perf_counter() - began)


@contextmanager
def app_on_a_terminal(
    *arguments: str, source: str = "live", state: Mapping[str, object] | None = None
) -> Iterator[App]:
    """Start the app with a temporary home and that state; else, if it trains, for long answers of that model."""
    with tempfile.TemporaryDirectory() as home:
        if state is None:
            state = {"source": source, "sampling": {"max_new_tokens": 100_000}} if arguments else {}
        Path(home, "state.json").write_text(json.dumps(state))
        pid, terminal = pty.fork()
        if pid == 0:
            environment = {**os.environ, "TUI_GPT_HOME": home, "TERM": "xterm-256color"}
            os.execve(sys.executable, [sys.executable, "-m", "tui_gpt", *arguments], environment)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        try:
            yield App(terminal)
        finally:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            os.close(terminal)


def measured(app: App, keys: int, *, is_generating: bool) -> list[float]:
    """Return the milliseconds of each key."""
    times = []
    for k in range(keys):
        if k % KEYS_AN_ANSWER == 0:
            app.press("\r" if is_generating and k else "\x15")  # begins an answer; else empties the line
            app.idle(0.5)
        times.append(app.milliseconds_until_drawn(chr(FIRST_SIGN + k % 200)))
        app.idle(BETWEEN_KEYS_SECONDS)
    return times


def print_row(name: str, times: Sequence[float]) -> None:
    """Return the median, the 95th percentile and the maximum."""
    p95 = statistics.quantiles(times, n=20)[-1]
    print(f"| {name} | {statistics.median(times):.1f} | {p95:.1f} | {max(times):.1f} |", flush=True)


def main() -> None:
    """Print Markdown rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=100)
    options = parser.parse_args()
    print("| milliseconds from a key to its sign on the screen | p50 | p95 | worst |\n|---|---|---|---|")
    with app_on_a_terminal() as app:
        app.wait_for("Generate")
        app.idle(4.0)
        app.press("2")
        app.idle(1.0)
        print_row("nothing else running", measured(app, options.keys, is_generating=False))
    for source in ("live", "shipped"):
        tell_of_busy_app(options, source)


def tell_of_busy_app(options: argparse.Namespace, source: str) -> None:
    """Print the rows of an app that trains, and of one that also generates with that model."""
    arguments = ("train", "--preset", "quick", "--max-iters", "1000000", "--name", "run")
    with app_on_a_terminal(*arguments, source=source) as app:
        app.wait_for("training")
        app.idle(5.0)
        app.press("2")
        app.idle(1.0)
        if source == "live":
            print_row("training", measured(app, options.keys, is_generating=False))
        app.press("\r")
        app.wait_for("writing")
        print_row(f"training, and text streams ({source})", measured(app, options.keys, is_generating=True))
        for name, key in STOPPING_KEYS.items():
            print_row(f"from {name} to the answer's `stopped`, the same", stops(app, key))


def stops(app: App, key: str) -> list[float]:
    """Return the milliseconds from the key until an answer is shown as stopped."""
    times = []
    for _ in range(STOPS):
        app.press("\x15\r")
        app.wait_for("writing")
        app.idle(1.0)
        app.drawn = b""
        began = time.perf_counter()
        app.press(key)
        app.wait_for("stopped")
        times.append(1e3 * (time.perf_counter() - began))
    return times


if __name__ == "__main__":
    main()
