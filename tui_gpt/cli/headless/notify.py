"""`--notify COMMAND`: run a program of the user's for each alert of a run.

COMMAND is divided into words as by a POSIX shell, and the first one is the program. No shell is started and nothing is
inserted into the words, so no name or text of a run can become part of a command. The facts are in environment
variables, and on stdin as one JSON object. A program that fails, or does not end in time, is reported in one line; the
training neither waits for it nor fails.
"""

import dataclasses
import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from tui_gpt.alerts import Alert
from tui_gpt.errors import UsageError
from tui_gpt.escaping import escape_controls
from tui_gpt.formatting import format_duration

TIMEOUT_SECONDS = 30.0
"""After this time the program is killed."""
_ERROR_BYTES = 4_096


def command_words(command: str) -> list[str]:
    """Return the words of a command. Raises UsageError if it is no command, or its program is not found."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--notify {command!r}: {str(error).lower()}: quote it as for a shell") from None
    if not words:
        raise UsageError("--notify is empty: name a program, or leave it out")
    if shutil.which(words[0]) is None:
        raise UsageError(f"--notify: there is no program {words[0]!r}: name one that is installed, or its path")
    return words


def variables(alert: Alert) -> dict[str, str]:
    """Return the environment variables that describe an alert; a loss that is unknown is ""."""
    loss = "" if alert.best_val_loss is None else f"{alert.best_val_loss:.6f}"
    facts = {"RUN": alert.run, "STATE": alert.state, "STEP": str(alert.step), "LOSS": loss, "MESSAGE": alert.message}
    return {f"TUI_GPT_NOTIFY_{name}": escape_controls(value) for name, value in facts.items()}


class Notifier:
    """Runs a command for alerts, each in a thread."""

    def __init__(self, words: list[str], warn: Callable[[str], None], timeout: float = TIMEOUT_SECONDS) -> None:
        """`warn` is called with a sentence, from another thread, when the command fails."""
        self._words = words
        self._warn = warn
        self._timeout = timeout
        self._threads: list[threading.Thread] = []

    @classmethod
    def of(cls, command: str, warn: Callable[[str], None]) -> Self:
        """Make a notifier. Raises UsageError, see `command_words`."""
        return cls(command_words(command), warn)

    def send(self, alert: Alert) -> None:
        """Start the command, and return."""
        thread = threading.Thread(target=self._run, args=(alert,), name="notify", daemon=True)
        self._threads.append(thread)
        try:
            thread.start()
        except RuntimeError:
            self._threads.remove(thread)
            self._warn("--notify: no more threads can be started")

    def wait(self) -> None:
        """Wait until all commands have ended; none takes longer than the time limit."""
        for thread in self._threads:
            thread.join()

    def _run(self, alert: Alert) -> None:
        try:
            problem = self._problem(alert)
        except subprocess.TimeoutExpired:
            problem = f"did not end in {format_duration(self._timeout)} and was killed"
        except (OSError, ValueError) as error:
            problem = f"could not be run ({error})"
        if problem:
            self._warn(f"--notify: {self._words[0]} {problem}; training is not affected")

    def _problem(self, alert: Alert) -> str:
        """Run the command; return what went wrong, "" for nothing.

        It has its own session, so Ctrl+C does not end it. Its stderr is a file, as a pipe would also wait for the
        processes that it leaves behind.
        """
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                self._words,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=os.environ | variables(alert),
                start_new_session=True,
            )
            try:
                process.communicate(json.dumps(dataclasses.asdict(alert)).encode("ascii"), self._timeout)
            except subprocess.TimeoutExpired:
                _kill_session(process)
                raise
            return (
                "" if process.returncode == 0 else f"ended with code {process.returncode}{_last_line(errors.fileno())}"
            )


def _kill_session(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process and the children in its session."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _last_line(descriptor: int) -> str:
    """Return the last line of a file in parentheses, "" if there is none."""
    size = os.fstat(descriptor).st_size
    with suppress(OSError):
        os.lseek(descriptor, max(0, size - _ERROR_BYTES), os.SEEK_SET)
        lines = os.read(descriptor, _ERROR_BYTES).decode("utf-8", "replace").split("\n")
        words = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f" ({words[:200]})" if words else ""
    return ""
