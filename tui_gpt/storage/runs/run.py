"""One run: a folder with its settings and state (`run.json`), its event log and the checkpoints `last` and `best`.

The folder can be read at any time, also while another process writes it, since `run.json` and the checkpoints are
replaced atomically. Only the holder of the run's lock may write. A run may come from a stranger, so its files are
opened as regular files, and no link in it is followed.
"""

import dataclasses
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from tui_gpt.config import RunConfig
from tui_gpt.errors import CheckpointError, ConfigError, NotFoundError, RunLockedError, TuiGptError
from tui_gpt.events import Event
from tui_gpt.records import read_record
from tui_gpt.storage.files import atomic_write, storage_errors
from tui_gpt.storage.folders import candidates, folder_size, remove_tree
from tui_gpt.storage.locks import SILENT_SECONDS, FileLock, LockHeldError, lock_holder, silent_seconds
from tui_gpt.storage.manifest import damaged, newest_complete, read_info
from tui_gpt.storage.plain_files import read_json_object
from tui_gpt.storage.runs.job import read_job, write_job
from tui_gpt.storage.runs.log import RunLog
from tui_gpt.storage.runs.note import read_note, write_note
from tui_gpt.storage.runs.summary import RunState, RunSummary, Writer, figures_of

Which = Literal["best", "last"]

RUN_FILE = "run.json"
LOCK_FILE = "lock"
_RUN_FILE_LIMIT = 1 << 20
_FORMAT_VERSION = 2
"""The format version of `run.json` and of the event log."""


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """The content of `run.json`."""

    format_version: int = _FORMAT_VERSION
    state: RunState
    config: RunConfig

    def __post_init__(self) -> None:
        if self.format_version != _FORMAT_VERSION:
            raise ConfigError(
                f"it has the format {self.format_version}, and this program reads {_FORMAT_VERSION}: "
                "upgrade with `pip install --upgrade tui-gpt`"
            )

    def to_json(self) -> bytes:
        """Return the content of the file."""
        return (json.dumps(dataclasses.asdict(self), indent=1) + "\n").encode("ascii")


class Run:
    """One run's folder. Creating the object does not touch the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = RunLog(path)
        self.lock_problem = ""
        """A warning while the run is locked: why the lock does not exclude other processes."""

    @property
    def name(self) -> str:
        """Return the name of the folder."""
        return self.path.name

    @property
    def config(self) -> RunConfig:
        """Return the run's configuration, or that of its newest checkpoint when `run.json` is damaged.

        Raises CheckpointError when both are unreadable.
        """
        return self._record().config

    @property
    def state(self) -> RunState:
        """Return the run's state, inferred from `run.json` and the lock."""
        return self._state(self.writer())

    def _state(self, writer: str | None) -> RunState:
        try:
            state = self._record().state
        except TuiGptError:
            return "damaged"
        return "interrupted" if state in ("running", "paused") and writer is None else state

    def _record(self) -> RunRecord:
        try:
            return read_record(RunRecord, read_json_object(self.path / RUN_FILE, _RUN_FILE_LIMIT))
        except (OSError, ValueError) as error:
            folder = self.newest_checkpoint()
            if folder is None:
                raise CheckpointError(
                    f"the run {self.name!r} is damaged: {RUN_FILE} {_problem(error)}, and it has no whole checkpoint: "
                    f"remove {self.path} or put a copy of the file back"
                ) from error
            return RunRecord(config=read_info(folder).config, state="interrupted")

    def set_state(self, state: RunState) -> None:
        """Write the run's state. Raises StorageError."""
        atomic_write(self.path / RUN_FILE, RunRecord(config=self.config, state=state).to_json())

    # The lock

    def writer(self) -> str | None:
        """Return the holder of the lock, e.g. `process 1234`; None when it is free."""
        return lock_holder(self.path / LOCK_FILE)

    def is_written(self) -> bool:
        """Return whether a process holds the lock, or another one asks this at the same moment. Takes no time."""
        return lock_holder(self.path / LOCK_FILE, patience=0.0) is not None

    def silent_seconds(self) -> float:
        """Return for how long the holder of the lock has given no sign of life; see `locks.SILENT_SECONDS`."""
        return silent_seconds(self.path / LOCK_FILE)

    @contextmanager
    def lock(self) -> Iterator[FileLock]:
        """Hold the run's lock within the block. Raises RunLockedError at once when another process holds it.

        On a file system without locks the block is entered anyway, and `lock_problem` describes the problem.
        """
        lock = FileLock(self.path / LOCK_FILE)
        try:
            with storage_errors(f"lock the run {self.name!r}"):
                lock.acquire()
        except LockHeldError as error:
            raise self.locked_by(str(error)) from None
        self.lock_problem = "" if lock.is_exclusive else _no_locks(self.path)
        try:
            self._remove_drafts()
            yield lock
        finally:
            lock.release()

    def locked_by(self, holder: str) -> RunLockedError:
        """Return the error for a run that `holder` is writing."""
        return RunLockedError(
            f"{holder} is writing the run {self.name!r}: stop it there first, or start a run with another name"
        )

    def _remove_drafts(self) -> None:
        """Remove the drafts of a process that died in an atomic write."""
        for draft in self.path.glob(".*.json*.tmp"):
            with suppress(OSError):
                remove_tree(draft)

    # The note

    @property
    def note(self) -> str:
        """Return the line that the user wrote about the run."""
        return read_note(self.path)

    def set_note(self, text: str) -> str:
        """Write the note, or remove it when `text` is empty, and return it. Raises UsageError, StorageError."""
        return write_note(self.path, text)

    # The processes that train it

    @property
    def job(self) -> str:
        """Return the torchrun (see `Ranks.job`) that made the run; empty for none."""
        return read_job(self.path)

    def set_job(self, job: str) -> None:
        """Write the torchrun that makes the run, if it is one. Raises StorageError."""
        if job:
            write_job(self.path, job)

    # The log

    def record(self, event: Event) -> None:
        """Append an event to the log, see `RunLog.append`. Raises StorageError."""
        self.log.append(event)

    def events(self) -> Iterator[Event]:
        """Yield the events of the log, see `RunLog.events`."""
        return self.log.events()

    # Checkpoints

    def checkpoint_target(self, which: Which) -> Path:
        """Return the folder to which `write_checkpoint` commits a checkpoint."""
        return self.path / which

    def checkpoint_dir(self, which: Which) -> Path | None:
        """Return the newest complete checkpoint of a kind, also after a crash in the middle of a commit."""
        return newest_complete(self.checkpoint_target(which))

    def newest_checkpoint(self) -> Path | None:
        """Return the whole checkpoint `last`, or else `best`."""
        return self.checkpoint_dir("last") or self.checkpoint_dir("best")

    def ever_saved(self, which: Which) -> bool:
        """Return whether there is a checkpoint of a kind, whole or damaged."""
        return self._any_checkpoint(which) is not None

    def _any_checkpoint(self, which: Which) -> Path | None:
        return next((path for path in candidates(self.checkpoint_target(which)) if os.path.lexists(path)), None)

    def require_checkpoint(self, which: Which) -> Path:
        """Return `checkpoint_dir`. Raises NotFoundError when nothing has been saved, CheckpointError when damaged."""
        folder = self.checkpoint_dir(which)
        if folder is not None:
            return folder
        found = self._any_checkpoint(which)
        if found is None:
            raise NotFoundError(f"the run {self.name!r} has no {which} checkpoint yet: train it until its first save")
        read_info(found)
        raise damaged(found, "a file is missing or cut short")

    # The list of runs

    def summary(self) -> RunSummary:
        """Return the run in one line, also of a damaged one."""
        writer = self.writer()
        state = self._state(writer)
        config = self.config if state != "damaged" else None
        checkpoints = [folder for which in get_args(Which) if (folder := self.checkpoint_dir(which))]
        figures = figures_of(self.log.ends(), checkpoints)
        return RunSummary(
            name=self.name,
            state=state,
            preset=config.preset if config else "",
            corpus=config.corpus if config else "",
            step=figures.step,
            max_iters=figures.max_iters or (config.train.max_iters if config else 0) or 0,
            best_val_loss=figures.best_val_loss,
            updated=self.updated(),
            path=self.path,
            has_checkpoint=bool(checkpoints),
            best_is_estimate=figures.best_is_estimate,
            best_val_tokens=figures.best_val_tokens,
            best_bits_per_char=figures.best_bits_per_char,
            best_bits_per_byte=figures.best_bits_per_byte,
            note=self.note,
            size=folder_size(self.path),
            writer=_place_of(writer),
            writer_is_silent=writer is not None and self.silent_seconds() > SILENT_SECONDS,
        )

    def updated(self) -> float:
        """Return when the run was last written, in seconds since 1970."""
        times = [0.0]
        for path in (self.path, self.path / RUN_FILE, self.log.path):
            with suppress(OSError):
                times.append(path.lstat().st_mtime)
        return max(times)


def _place_of(writer: str | None) -> Writer:
    if writer is None:
        return ""
    return "here" if writer == f"process {os.getpid()}" else "elsewhere"


def _problem(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "is missing"
    return f"cannot be read ({error.strerror})" if isinstance(error, OSError) else f"is cut short or altered ({error})"


def _no_locks(path: Path) -> str:
    return (
        f"the file system of {path} has no locks, so other processes are not kept from writing this run: "
        "open it in one process at a time"
    )
