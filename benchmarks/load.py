"""Measure what the app costs while it only watches: processor time of its own thread, and bytes to the terminal.

    python benchmarks/load.py [--seconds 20]

The app runs on a terminal of its own, first idle with the form on screen, then while it trains the preset `quick` with
the chart on screen. The processor time is that of the process's first thread, which runs the event loop; Linux only.
"""

import argparse
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

SIZES = ((80, 24), (160, 48))
START_SECONDS = 60.0
IDLE_SIGN, TRAINING_SIGN = b"quick", b"/s"
"""What the screen shows once there is something to measure: the presets, or a training speed."""
SETTLE_SECONDS = 8.0


class Watched:
    """The app on a terminal of `columns` x `rows`; `arguments` are those of the command line."""

    def __init__(self, columns: int, rows: int, home: str, *arguments: str) -> None:
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            environment = {**os.environ, "TUI_GPT_HOME": home, "TERM": "xterm-256color"}
            os.execve(sys.executable, [sys.executable, "-m", "tui_gpt", *arguments], environment)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds: float, until: bytes = b"") -> int:
        """Read what is drawn, for some seconds or until it contains `until`; return the number of bytes."""
        end, drawn, count = time.monotonic() + seconds, b"", 0
        while (left := end - time.monotonic()) > 0:
            if select.select([self._terminal], [], [], left)[0]:
                piece = os.read(self._terminal, 65_536)
                count += len(piece)
                drawn = (drawn + piece)[-100_000:]
            if until and until in drawn:
                return count
        return count

    def processor_seconds(self) -> float:
        """Return the processor time of the first thread."""
        status = Path(f"/proc/{self.pid}/task/{self.pid}/stat").read_text(encoding="ascii")
        fields = status.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """End the process."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._terminal)


def measure(columns: int, rows: int, seconds: float, *, training: bool) -> tuple[float, float]:
    """Return the share of a core and the bytes per second."""
    with tempfile.TemporaryDirectory() as home:
        app = Watched(columns, rows, home, *(("train", "--max-seconds", "600") if training else ()))
        try:
            app.read(START_SECONDS, TRAINING_SIGN if training else IDLE_SIGN)
            app.read(SETTLE_SECONDS)
            began, spent = time.monotonic(), app.processor_seconds()
            count = app.read(seconds)
            passed = time.monotonic() - began
            return (app.processor_seconds() - spent) / passed, count / passed
        finally:
            app.kill()


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    seconds = parser.parse_args().seconds
    print("| the app | share of a core | bytes per second |\n|---|---|---|")
    for training in (False, True):
        for columns, rows in SIZES:
            share, rate = measure(columns, rows, seconds, training=training)
            words = "training" if training else "idle"
            print(f"| {words}, {columns} x {rows} | {share:.2%} | {rate:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
