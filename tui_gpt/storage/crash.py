"""Write a report of an unexpected error, to be attached to a bug report, instead of printing a traceback.

It has versions, platform, stack and the last events of the run, but neither corpus nor prompt: local variables are left
out, as are the messages of all exceptions but this program's own, because a `KeyError` can quote any text; of a text in
an event only the length is given.
"""

import dataclasses
import errno
import json
import platform
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from tui_gpt import __version__
from tui_gpt.errors import TuiGptError
from tui_gpt.events import Event
from tui_gpt.storage import paths
from tui_gpt.storage.files import atomic_write

_KEPT_REPORTS = 20
_LAST_EVENTS = 20
_TEXTS: Mapping[str, tuple[str, ...]] = {"sampled": ("prompt", "text"), "initialized": ("new_characters",)}
"""The fields of events that contain the user's text."""
_PACKAGES = ("torch", "textual", "click", "numpy", "safetensors")


def write_report(error: BaseException, events: Iterable[Event] = ()) -> Path | None:
    """Write a report of `error` with the last of `events`; return its path, or None when it cannot be written."""
    name = f"crash-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}.txt"
    try:
        folder = paths.logs_dir()
        atomic_write(folder / name, report(error, events).encode("utf-8", errors="backslashreplace"))
        _prune(folder)
    except (OSError, TuiGptError):
        return None
    return folder / name


def sentence(path: Path | None) -> str:
    """Return the message for the user about a report at `path`."""
    where = f"a report is in {path}" if path else "the report could not be written"
    return f"unexpected error: {where}"


def report(error: BaseException, events: Iterable[Event] = ()) -> str:
    """Return the text of a report."""
    last = list(events)[-_LAST_EVENTS:]
    parts = [
        f"tui-gpt {__version__}, {datetime.now(UTC).isoformat(timespec='seconds')}",
        f"Python {sys.version.split()[0]} on {platform.platform()}",
        ", ".join(f"{package} {_version(package)}" for package in _PACKAGES),
        f"{type(error).__name__}, at the end of:",
        "".join(_traceback(error)),
        "last events:",
        *(_without_text(event) for event in last),
    ]
    return "\n".join(parts) + "\n"


def _traceback(error: BaseException) -> Iterator[str]:
    """Yield the stack and the type of an error and of its causes, oldest first."""
    for one in reversed(list(_chain(error))):
        yield from traceback.format_tb(one.__traceback__)
        yield f"{type(one).__module__}.{type(one).__qualname__}{_message(one)}\n"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if isinstance(error, BaseExceptionGroup):
            for one in error.exceptions:
                yield from _chain(one)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _message(error: BaseException) -> str:
    """Return the message of an error of this program, or the code of a system error."""
    if isinstance(error, TuiGptError):
        return f": {error}"
    if isinstance(error, OSError) and error.errno is not None:
        return f": {errno.errorcode.get(error.errno, error.errno)}"
    return ""


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


def _without_text(event: Event) -> str:
    """Return an event as JSON, with the lengths of its texts instead of these."""
    texts = _TEXTS.get(event.type, ())
    plain = {name: value for name, value in dataclasses.asdict(event).items() if name not in texts}
    lengths = {f"{name}_characters": len(getattr(event, name)) for name in texts}
    return json.dumps({"type": event.type, **plain, **lengths})


def _prune(folder: Path) -> None:
    for old in sorted(folder.glob("crash-*.txt"))[:-_KEPT_REPORTS]:
        with suppress(OSError):
            old.unlink()
