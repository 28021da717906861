"""`--on-event MODULE:FUNCTION`: call a function of the user's with each event of a run (docs/integrations.md).

The module is the user's own code, which the option names: it is imported, and thus executed, before anything starts.
The function is called in the trainer's thread, after the event was written to the log. What it raises is reported once,
and never ends the training.
"""

import importlib
import sys
import traceback
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Self

from tui_gpt.errors import UsageError
from tui_gpt.escaping import escape_controls
from tui_gpt.events import Event

EventFunction = Callable[[Event, str], object]
"""Called with an event and the run's name; what it returns is ignored."""


def load_function(spec: str) -> EventFunction:
    """Return the function that MODULE:FUNCTION names; the module may be in the current folder.

    Installed modules take precedence over those in the folder. Raises UsageError if it cannot be imported.
    """
    module, _, name = spec.partition(":")
    if not module or not name:
        raise UsageError(f"--on-event {spec!r}: name it as MODULE:FUNCTION, e.g. hooks:log for log() in hooks.py")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        function = attrgetter(name)(importlib.import_module(module))
    except (Exception, SystemExit) as error:  # the module can raise anything
        raise UsageError(f"--on-event {spec}: {_import_problem(module, name, error)}") from error
    if not callable(function):
        raise UsageError(f"--on-event {spec}: {name} is not a function: name one that takes an event and a run's name")
    return function  # type: ignore[no-any-return]  # its signature is the user's


def _import_problem(module: str, name: str, error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError):
        if error.name is not None and (module == error.name or module.startswith(f"{error.name}.")):
            return f"there is no module {error.name!r} here or installed: change to its folder, or set PYTHONPATH"
        return f"the module {module} needs {error.name!r}: install it"
    if isinstance(error, AttributeError) and module in sys.modules:
        return f"the module {module} has no {name!r}: name a function in it"
    return f"the module {module} cannot be imported ({_words(error)}): fix it, or leave the option out"


class EventHook:
    """Calls the user's function and contains its errors."""

    def __init__(self, spec: str, function: EventFunction, warn: Callable[[str], None]) -> None:
        """`warn` is called with a sentence when the function fails for the first time, and at the end."""
        self._spec = spec
        self._function = function
        self._warn = warn
        self._calls = 0
        self._failures = 0

    @classmethod
    def of(cls, spec: str, warn: Callable[[str], None]) -> Self:
        """Make a hook. Raises UsageError, see `load_function`."""
        return cls(spec, load_function(spec), warn)

    def call(self, event: Event, run: str | None) -> None:
        """Call the function with an event of the run of this name."""
        self._calls += 1
        try:
            self._function(event, run or "")
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # also SystemExit: nothing in the user's function may lose a training
            self._failures += 1
            if self._failures == 1:
                self._warn(
                    f"--on-event: {self._spec} failed at step {event.step:,} ({_words(error)}{_place_of(error)}); "
                    "training is not affected, and further errors are only counted"
                )

    def close(self) -> None:
        """Report how many calls have failed, if it was more than the one that was reported."""
        if self._failures > 1:
            self._warn(f"--on-event: {self._failures:,} of {self._calls:,} calls of {self._spec} failed")


def _words(error: BaseException) -> str:
    """Return the type and the message of an error in one line."""
    message = escape_controls(str(error)).replace("\n", " ").strip()[:200]
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _place_of(error: BaseException) -> str:
    """Return the line of the user's function that failed; "" if the function is not written in Python."""
    frames = traceback.extract_tb(error.__traceback__)[1:2]
    return f", {Path(frames[0].filename).name}:{frames[0].lineno}" if frames else ""
