"""The recorded training that ships with the program: the log of a real run, with its settings.

`benchmarks/recording.py` makes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tui_gpt.config import RunConfig
from tui_gpt.errors import NotFoundError
from tui_gpt.events import Event, Progress
from tui_gpt.storage.paths import shipped_dir
from tui_gpt.storage.plain_files import read_plain_file
from tui_gpt.storage.runs import Run

_COMMAND_LIMIT = 4_096


@dataclass(frozen=True)
class Recording:
    """The log of a run that has ended."""

    config: RunConfig
    events: Sequence[Event]
    command: str
    """The command that trained it."""

    @classmethod
    def load(cls, folder: Path | None = None) -> Self:
        """Read a recording, by default the one that ships. Raises TuiGptError when it is missing or damaged."""
        run = Run(folder or shipped_dir() / "demo")
        events = tuple(run.events())
        if not any(isinstance(event, Progress) for event in events):
            raise NotFoundError(f"the recording in {run.path} is missing or damaged: install tui-gpt again")
        return cls(run.config, events, _command(run.path / "command.txt"))

    @property
    def seconds(self) -> float:
        """How long the training took, in seconds."""
        return max(event.elapsed_seconds for event in self.events if isinstance(event, Progress))


def _command(file: Path) -> str:
    try:
        return read_plain_file(file, _COMMAND_LIMIT).decode("utf-8", "replace").strip()
    except OSError as error:
        raise NotFoundError(f"{file} cannot be read ({error.strerror}): install tui-gpt again") from error
