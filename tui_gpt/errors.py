"""Every error the program raises on purpose: one sentence that says what is wrong and names the remedy.

    TuiGptError                 exit 1    something failed; nothing that was saved is lost
    ├── UsageError              exit 2    what was asked for cannot be done as it was asked
    │   ├── ConfigError                   a setting is out of range or contradicts another
    │   ├── CorpusError                   the text cannot be used: missing, empty, binary, too short
    │   └── IncompatibleError             a checkpoint or run that does not fit what was asked
    ├── NotFoundError           exit 1    no such run, checkpoint or corpus
    ├── CheckpointError         exit 1    a checkpoint is damaged
    ├── RunLockedError          exit 1    another process is writing this run
    ├── StorageError            exit 1    the disk refused: full, read-only, no permission
    └── DivergedError           exit 1    the loss became NaN or infinite

A face prints `str(error)` as one line and leaves with `error.exit_code`; a traceback means a bug.
"""

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


class TuiGptError(Exception):
    """Something failed that the user can mend; the message is one sentence with the remedy in it."""

    exit_code: ClassVar[int] = EXIT_FAILED


class UsageError(TuiGptError):
    """What was asked for cannot be done as it was asked."""

    exit_code: ClassVar[int] = EXIT_USAGE


class ConfigError(UsageError):
    """A setting is out of range or contradicts another."""


class CorpusError(UsageError):
    """The text cannot be used: missing, empty, binary, badly encoded or too short."""


class IncompatibleError(UsageError):
    """A checkpoint or run exists and is whole, but does not fit what was asked."""


class NotFoundError(TuiGptError):
    """There is no run, checkpoint or corpus of that name."""


class CheckpointError(TuiGptError):
    """A checkpoint is damaged: truncated, altered, or not one of ours."""


class RunLockedError(TuiGptError):
    """Another process is writing this run."""


class StorageError(TuiGptError):
    """The disk refused: full, read-only, or not permitted."""


class DivergedError(TuiGptError):
    """The loss became NaN or infinite; the last good checkpoint is kept."""
