"""Run the program on a pseudo-terminal, and observe what it draws, the terminal's state and how it ends.

Every wait has a time limit, so a program that hangs fails its test instead of blocking it. The terminal belongs to the
child: closing it is what a lost SSH connection does.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

TIMEOUT_SECONDS = 90.0


class Terminal:
    """A Python process on a terminal. Use it in a `with` block, at the end of which the process is ended."""

    def __init__(
        self, arguments: Sequence[str], home: Path, *, rows: int = 36, columns: int = 120, kernel: bool = False
    ) -> None:
        """Start `python *arguments`, with the C extension only on request."""
        self.screen = ""
        """All that was drawn, including escape sequences."""
        self._status: int | None = None
        self._open = True
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TUI_GPT_")}
        environment |= {"TUI_GPT_HOME": str(home), "TERM": "xterm-256color", "OMP_NUM_THREADS": "1"}
        environment |= {"TUI_GPT_NO_KERNEL": "" if kernel else "1", "PYTHONPATH": str(Path(__file__).parents[2])}
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            os.execve(sys.executable, [sys.executable, *arguments], environment)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.attributes = termios.tcgetattr(self._master)
        """The terminal's attributes before the program could change them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.close()

    def close(self) -> None:
        """Close the terminal."""
        if self._open:
            os.close(self._master)
            self._open = False

    def send(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def forget(self) -> None:
        """Drop what was drawn so far, for long sittings."""
        self.screen = ""

    @property
    def words(self) -> str:
        """Return what was drawn, without escape sequences."""
        return re.sub(r"\x1b(\[[0-9;?<>=]*[A-Za-z]|\][^\x07]*\x07|[()][A-Z0-9]|P[^\x1b]*\x1b\\|.)", "", self.screen)

    def wait_for(self, *anything: str) -> None:
        """Wait until one of these words is drawn."""
        self._wait(lambda: any(word in self.words for word in anything), f"none of {anything} came")

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds, for example of a file."""
        self._wait(condition, "it never came true")

    def wait_for_exit(self) -> int:
        """Wait until the process has ended; return its exit code, or minus the signal that ended it."""
        self._wait(self._has_ended, "it did not end")
        assert self._status is not None
        while self._open and self._read(0.0):
            pass
        return os.waitstatus_to_exitcode(self._status)

    def run_for(self, seconds: float) -> None:
        """Let it run for some seconds, reading what it draws."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._read(left)

    def cpu_seconds(self) -> float:
        """Return the CPU time that the process has used (Linux)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def is_as_before(self) -> bool:
        """Return whether line editing, echo and signal keys are as the program found them."""
        return termios.tcgetattr(self._master)[:4] == self.attributes[:4]

    def mode(self, number: int) -> bool | None:
        """Return whether a private mode (25 cursor, 1049 second screen, 1000 mouse) is set; None if it never was."""
        return next(reversed(self.modes(number)), None)

    def modes(self, number: int) -> list[bool]:
        """Return every setting and resetting of a private mode so far, in order."""
        found = re.findall(rf"\x1b\[\?(?:\d+;)*{number}(?:;\d+)*([hl])", self.screen)
        return [letter == "h" for letter in found]

    def _wait(self, condition: Callable[[], bool], complaint: str) -> None:
        until = time.monotonic() + TIMEOUT_SECONDS
        while not condition():
            if time.monotonic() > until:
                raise AssertionError(f"{complaint}; the end of the screen: {self.words[-2000:]!r}")
            self._read(0.02)

    def _has_ended(self) -> bool:
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = status if pid else None
        return self._status is not None

    def _read(self, seconds: float) -> bool:
        """Read what is drawn within that time; return whether there was anything."""
        if not self._open:
            time.sleep(seconds)
            return False
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._master, 65_536)
        except OSError:
            data = b""  # Linux reports the end of a terminal as an error
        self.screen += data.decode(errors="replace")
        if not data:
            time.sleep(min(seconds, 0.02))
        return bool(data)
