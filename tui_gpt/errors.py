"""The exceptions that the program raises on purpose: one sentence with what is wrong and the remedy.

    TuiGptError                 exit 1    something failed; nothing that was saved is lost
    ├── UsageError              exit 2    the request is invalid
    │   ├── ConfigError                   a setting is out of range or contradicts another; a ValueError too
    │   ├── CorpusError                   the text cannot be used: missing, empty, binary, too short
    │   └── IncompatibleError             a valid checkpoint or run that does not fit the request
    ├── NotFoundError           exit 1    no such run, checkpoint or corpus
    ├── CheckpointError         exit 1    a checkpoint is damaged
    ├── RunLockedError          exit 1    another process writes this run
    ├── NotTrainingError        exit 1    no process trains this run
    ├── RequestRefusedError     exit 1    the process that trains a run refused a request, or did not answer
    ├── RunDiedError            exit 1    the process that trained a run failed, or was killed
    ├── RankLostError           exit 1    another process of a run in several processes died, or cannot be reached
    ├── StorageError            exit 1    the disk is full, read-only or not permitted
    ├── DivergedError           exit 1    the loss became NaN or infinite
    ├── DeviceMemoryError       exit 1    not even the smallest pass fits into the device's memory
    └── StoppedError            exit 1    stopped on request before there was a result

The command line prints `str(error)` as one line and exits with `error.exit_code`; a traceback means a bug.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_SIGHUP = 129
"""The terminal was closed."""
EXIT_SIGINT = 130
EXIT_SIGPIPE = 141
"""The reader of stdout exited."""
EXIT_SIGTERM = 143
SIGNAL_EXIT_CODES: Mapping[str, int] = MappingProxyType(
    {"SIGHUP": EXIT_SIGHUP, "SIGINT": EXIT_SIGINT, "SIGTERM": EXIT_SIGTERM}
)
"""The signals that stop the program after saving, and its exit code then."""


class TuiGptError(Exception):
    """Something failed that the user can fix; the message is one sentence that names the remedy."""

    exit_code: ClassVar[int] = EXIT_FAILED


class UsageError(TuiGptError):
    """The request is invalid."""

    exit_code: ClassVar[int] = EXIT_USAGE


class ConfigError(UsageError, ValueError):
    """A setting or a record's field has the wrong type, is out of range or contradicts another."""

    def __init__(self, sentence: str, setting: str = "") -> None:
        super().__init__(sentence)
        self.setting = setting
        """The name of the setting that is wrong, where it is a single one."""


class CorpusError(UsageError):
    """The text cannot be used: missing, empty, binary, badly encoded or too short."""


class IncompatibleError(UsageError):
    """A checkpoint or run is valid but does not fit the request."""


class NotFoundError(TuiGptError):
    """There is no run, checkpoint or corpus of that name."""


class CheckpointError(TuiGptError):
    """A checkpoint is damaged: truncated, altered, or written by another program."""


class RunLockedError(TuiGptError):
    """Another process writes this run."""


class NotTrainingError(TuiGptError):
    """No process trains this run."""


class RequestRefusedError(TuiGptError):
    """The process that trains a run has refused a request, or has not answered it."""


class RunDiedError(TuiGptError):
    """The process that trained a run has failed, or was killed, before the run's end."""


class RankLostError(TuiGptError):
    """Another process that trains the same run has died, or has not answered in time."""


class StorageError(TuiGptError):
    """The disk is full, read-only, or not permitted."""


class DivergedError(TuiGptError):
    """The loss became NaN or infinite; the last good checkpoint is kept."""


class DeviceMemoryError(TuiGptError):
    """Not even the smallest pass of a model fits into the device's memory; the last checkpoint is kept."""


class StoppedError(TuiGptError):
    """The work was stopped on request before it had a result."""


OUT_OF_MEMORY = "out of memory: close other programs, or choose a smaller model, batch, context or text"
_SIGNS = ("can't allocate memory", "out of memory", "not enough memory", "cannot allocate memory", "bad_alloc")
"""Parts of the messages of PyTorch, which raises a RuntimeError on every device."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error of Python, NumPy or PyTorch means that memory ran out."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)
