"""The report of an unexpected error: a file to attach to a bug report, instead of a traceback in the user's face.

It names versions, platform and place, and the last facts of the run. It never holds corpus or prompt: the local
variables are left out, and of an event's texts only the length is told.
"""

import platform
import sys
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from tui_gpt import __version__, paths
from tui_gpt.events import Event, Sampled, to_json

_KEPT_REPORTS = 20
_LAST_EVENTS = 20
_PACKAGES = ("torch", "textual", "click", "numpy", "safetensors")


def write_report(error: BaseException, events: Iterable[Event] = ()) -> Path | None:
    """Write what is known about `error`, with the last of `events`; its path, or None where it cannot be kept."""
    folder = paths.logs_dir()
    name = f"crash-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(report(error, events), encoding="utf-8", errors="backslashreplace")
        _prune(folder)
    except OSError:
        return None
    return folder / name


def sentence(path: Path | None) -> str:
    """What to tell the user about a report that lies at `path`."""
    where = f"a report is in {path}" if path else "the report could not be written"
    return f"something unexpected went wrong: {where}"


def report(error: BaseException, events: Iterable[Event] = ()) -> str:
    """The report's text."""
    last = list(events)[-_LAST_EVENTS:]
    parts = [
        f"tui-gpt {__version__}, {datetime.now(UTC).isoformat(timespec='seconds')}",
        f"Python {sys.version.split()[0]} on {platform.platform()}",
        ", ".join(f"{package} {_version(package)}" for package in _PACKAGES),
        f"{type(error).__name__}, at the end of:",
        "".join(_frames(error)),
        "last events:",
        *(_without_text(event) for event in last),
    ]
    return "\n".join(parts) + "\n"


def _frames(error: BaseException) -> list[str]:
    """The traceback, and the messages too: they are the program's and the libraries' own words."""
    return traceback.format_exception(error, chain=True)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


def _without_text(event: Event) -> str:
    if isinstance(event, Sampled):
        return f'{{"type": "sampled", "step": {event.step}, "characters": {len(event.text)}}}'
    return to_json(event)


def _prune(folder: Path) -> None:
    for old in sorted(folder.glob("crash-*.txt"))[:-_KEPT_REPORTS]:
        old.unlink(missing_ok=True)
