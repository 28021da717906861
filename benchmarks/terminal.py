"""Run a process on a pseudo-terminal, for benchmarks of the app."""

import fcntl
import json
import os
import pty
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path
from typing import Any


def run_on_a_terminal(
    script: str, *arguments: str, rows: int = 36, columns: int = 120, home: Path | None = None
) -> dict[str, Any]:
    """Run Python source on a terminal; return the JSON it writes to `sys.argv[1]`. `sys.argv[2]` is its start time.

    `home` holds the user's data; by default there are none.
    """
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        pid, terminal = pty.fork()
        if pid == 0:
            environment = {**os.environ, "TUI_GPT_HOME": str(home or folder), "TERM": "xterm-256color"}
            command = [sys.executable, "-c", script, str(result), repr(time.time()), *arguments]
            os.execve(sys.executable, command, environment)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        _drain(terminal)
        os.waitpid(pid, 0)
        facts: dict[str, Any] = json.loads(result.read_text())
        return facts


def _drain(terminal: int) -> None:
    """Read what the process draws until it exits."""
    try:
        while os.read(terminal, 65_536):
            pass
    except OSError:
        os.close(terminal)
