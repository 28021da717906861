"""Runs on disk: one folder a run, which holds what was asked (`run.json`), what happened (`events.jsonl`) and the
checkpoints `last` and `best`.

The folder is the truth and can be read at any time, also while another process writes it: `run.json` is replaced
atomically, the log only grows, and a line that is torn or foreign is passed over. Only the holder of the run's lock may
write. A run may come from a stranger: what lies in its folder is opened as a regular file, or not at all, and no link
in it is followed. No torch is needed here, so a list of runs is quick; tensors are `gpt.checkpoint`'s business.
"""

import dataclasses
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from tui_gpt.config import RunConfig
from tui_gpt.errors import CheckpointError, ConfigError, NotFoundError, RunLockedError, TuiGptError, UsageError
from tui_gpt.events import Evaluated, Event, Finished, Saved, SettingChanged, Started, from_json, to_json
from tui_gpt.storage import paths
from tui_gpt.storage.files import (
    append_lines,
    atomic_write,
    candidates,
    make_folder,
    named_like,
    open_plain,
    read_json_object,
    read_plain,
    read_plain_file,
    real_path,
    remove_tree,
    storage_errors,
    sync_folder,
    whole_lines,
    write_synced,
)
from tui_gpt.storage.locks import FileLock, LockHeldError, lock_holder
from tui_gpt.storage.manifest import (
    MANIFEST_FILE,
    MODEL_FILE,
    CheckpointInfo,
    Manifest,
    damaged,
    newest_whole,
    read_info,
    read_manifest,
)
from tui_gpt.storage.names import checked_name, did_you_mean, is_name, slug

__all__ = ["CheckpointInfo", "Run", "RunState", "RunStore", "RunSummary", "Which", "find_checkpoint", "read_info"]

RunState = Literal["new", "running", "paused", "stopped", "finished", "failed", "interrupted", "damaged"]
"""`interrupted` is a running or paused one whose process is gone; `damaged` one whose `run.json` cannot be read."""
Which = Literal["best", "last"]

_RUN_FILE = "run.json"
_LOG_FILE = "events.jsonl"
_LOCK_FILE = "lock"
_RUN_FILE_LIMIT = 1 << 20
_LOG_LIMIT = 1 << 30
"""Bytes of a log; a million events need 200 MB."""
_LINE_LIMIT = 1 << 20
"""Bytes of one line of a log; longer ones are foreign."""
_TAIL = 1 << 16
"""Bytes at the end of a log that a summary looks at."""
_RUN_FORMAT = 2
_RENAMES_OPEN_FOLDERS = os.name != "nt"
"""Windows renames no folder in which a file is open."""
_TRASH_NAME = re.compile(r"\.trash-.+-[0-9a-f]{8}")


@dataclass(frozen=True)
class RunSummary:
    """One line of a list of runs."""

    name: str
    state: RunState
    preset: str
    corpus: str
    step: int
    max_iters: int
    """0 while it is not known."""
    best_val_loss: float | None
    """Nats per character."""
    updated: float
    """Seconds since 1970."""
    path: Path
    has_checkpoint: bool
    best_is_estimate: bool = False
    """Whether `best_val_loss` was measured on a smaller part of the validation split than the loss of record is."""
    best_val_tokens: int = 0
    """Validation characters that `best_val_loss` was measured on; 0 where that is not known."""


@dataclass(frozen=True)
class _Record:
    """The content of `run.json`."""

    config: RunConfig
    state: RunState

    def to_json(self) -> bytes:
        record = {"format_version": _RUN_FORMAT, "state": self.state, "config": self.config.to_dict()}
        return (json.dumps(record, indent=1) + "\n").encode("ascii")


class Run:
    """One run's folder. Making the object touches nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock_problem = ""
        """What to warn of while the run is locked: why the lock keeps no other process out."""

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def log_path(self) -> Path:
        """Where the events are."""
        return self.path / _LOG_FILE

    @property
    def config(self) -> RunConfig:
        """What was asked of the run; where `run.json` is damaged, what its newest checkpoint remembers.

        Raises CheckpointError when both are unreadable.
        """
        return self._record().config

    @property
    def state(self) -> RunState:
        """How the run stands, as far as anyone can tell from outside."""
        try:
            state = self._record().state
        except TuiGptError:
            return "damaged"
        if state in ("running", "paused") and self.writer() is None:
            return "interrupted"
        return state

    def _record(self) -> _Record:
        try:
            return _parse_record(read_json_object(self.path / _RUN_FILE, _RUN_FILE_LIMIT))
        except (OSError, ValueError, ConfigError) as error:
            folder = self.checkpoint_dir("last") or self.checkpoint_dir("best")
            if folder is None:
                raise CheckpointError(
                    f"the run {self.name!r} is damaged: {_RUN_FILE} {_short(error)}, and it has no whole checkpoint: "
                    f"remove {self.path} or put a copy of the file back"
                ) from error
            return _Record(read_info(folder).config, "interrupted")

    def update_config(self, config: RunConfig) -> None:
        """Write what is asked of the run from now on. Raises StorageError."""
        self._write(_Record(config, self._record().state))

    def set_state(self, state: RunState) -> None:
        """Write how the run stands. Raises StorageError."""
        self._write(_Record(self.config, state))

    def _write(self, record: _Record) -> None:
        atomic_write(self.path / _RUN_FILE, record.to_json())

    def writer(self) -> str | None:
        """Who holds the lock, e.g. `process 1234`; None when nobody does."""
        return lock_holder(self.path / _LOCK_FILE)

    @contextmanager
    def lock(self) -> Iterator[FileLock]:
        """Be the run's only writer within the block. Raises RunLockedError at once when another one is.

        On a file system that has no locks the block is entered all the same, and `lock_problem` says so.
        """
        lock = FileLock(self.path / _LOCK_FILE)
        try:
            with storage_errors(f"lock the run {self.name!r}"):
                lock.acquire()
        except LockHeldError as error:
            raise _locked(self, str(error)) from None
        self.lock_problem = "" if lock.is_exclusive else self._no_locks()
        try:
            self._remove_drafts()
            yield lock
        finally:
            lock.release()

    def _no_locks(self) -> str:
        return (
            f"the file system of {self.path} has no locks, so nothing keeps another process from writing this run: "
            "open it in one process at a time"
        )

    def _remove_drafts(self) -> None:
        """What a process left that died in the middle of an atomic write."""
        for draft in self.path.glob(".*.json*.tmp"):
            with suppress(OSError):
                remove_tree(draft)

    def record(self, event: Event) -> None:
        """Append an event to the log, and force the log to the disk after a save or the end. Raises StorageError."""
        line = to_json(event).encode("utf-8", "replace") + b"\n"
        with self._log_to_write() as descriptor:
            append_lines(descriptor, line)
            if isinstance(event, Saved | Finished):
                os.fsync(descriptor)

    def sync_log(self) -> None:
        """Force the log to the disk, so that it is never behind a checkpoint. Raises StorageError."""
        with self._log_to_write() as descriptor:
            os.fsync(descriptor)

    @contextmanager
    def _log_to_write(self) -> Iterator[int]:
        with storage_errors(f"write the log of the run {self.name!r}"):
            descriptor = open_plain(self.log_path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
            try:
                if os.fstat(descriptor).st_size == 0:
                    sync_folder(self.path)  # a new log's name must be on the disk before a checkpoint's is
                yield descriptor
            finally:
                os.close(descriptor)

    def events(self) -> Iterator[Event]:
        """The log from its beginning, read as it is consumed; lines that are no event are passed over."""
        for _, event in self._lines():
            yield event

    def _lines(self) -> Iterator[tuple[bytes, Event]]:
        with suppress(OSError):
            yield from self._readable_lines()

    def _readable_lines(self) -> Iterator[tuple[bytes, Event]]:
        """The lines that are events, as they are in the file. Raises OSError where a log cannot be read."""
        if not os.path.lexists(self.log_path):
            return
        with read_plain(self.log_path, _LOG_LIMIT) as log:
            for line in whole_lines(log, _LINE_LIMIT):
                event = _parsed(line)
                if event is not None:
                    yield line, event

    def truncate_log(self, step: int, forget: Callable[[Event], bool] = lambda _: False) -> None:
        """Forget what happened after `step`, that the run had finished, and what else is to be forgotten, before it
        goes on; `forget` is asked about every event, in order. Raises StorageError; a log that cannot be read stays as
        it is."""
        with storage_errors(f"read the log of the run {self.name!r}"):
            kept = [
                line.rstrip(b"\n") + b"\n"
                for line, event in self._readable_lines()
                if not forget(event) and event.step <= step and not isinstance(event, Finished)
            ]
        atomic_write(self.log_path, b"".join(kept))

    def checkpoint_target(self, which: Which) -> Path:
        """Where `write_checkpoint` is to put a checkpoint."""
        return self.path / which

    def checkpoint_dir(self, which: Which) -> Path | None:
        """Where the newest whole checkpoint of that kind stands, also after a crash in the middle of a commit."""
        return newest_whole(self.checkpoint_target(which))

    def ever_saved(self, which: Which) -> bool:
        """Whether a checkpoint of that kind stands there, whole or damaged."""
        return self._standing_place(which) is not None

    def _standing_place(self, which: Which) -> Path | None:
        return next((place for place in candidates(self.checkpoint_target(which)) if os.path.lexists(place)), None)

    def require_checkpoint(self, which: Which) -> Path:
        """`checkpoint_dir`. Raises NotFoundError when there never was one, CheckpointError when it is damaged."""
        folder = self.checkpoint_dir(which)
        if folder is not None:
            return folder
        place = self._standing_place(which)
        if place is None:
            raise NotFoundError(f"the run {self.name!r} has no {which} checkpoint yet: train it until its first save")
        read_info(place)
        raise damaged(place, "a file is missing or cut short")

    def summary(self) -> RunSummary:
        """The run in one line; a damaged one says so and raises nothing."""
        try:
            record = self._record()
            config, state = record.config, self.state
        except TuiGptError:
            config, state = RunConfig(), "damaged"
        folders = [folder for which in get_args(Which) if (folder := self.checkpoint_dir(which))]
        facts = self._facts(folders)
        healthy = state != "damaged"
        return RunSummary(
            name=self.name,
            state=state,
            preset=config.preset if healthy else "",
            corpus=config.corpus if healthy else "",
            step=facts.step,
            max_iters=facts.max_iters or config.train.max_iters or 0 if healthy else facts.max_iters,
            best_val_loss=facts.best_val_loss,
            updated=self._updated(),
            path=self.path,
            has_checkpoint=bool(folders),
            best_is_estimate=facts.best_is_estimate,
            best_val_tokens=facts.best_val_tokens,
        )

    def _facts(self, checkpoints: list[Path]) -> "_Facts":
        """What the two ends of the log and the checkpoints tell; quick however long the log is."""
        facts = _Facts()
        for event in _end_events(self.log_path):
            facts.take(event)
        for folder in checkpoints:
            with suppress(TuiGptError):
                facts.take_info(read_info(folder))
        return facts

    def _updated(self) -> float:
        times = [0.0]
        for path in (self.path, self.path / _RUN_FILE, self.log_path):
            with suppress(OSError):
                times.append(path.lstat().st_mtime)
        return max(times)


def _locked(run: Run, holder: str) -> RunLockedError:
    return RunLockedError(
        f"{holder} is writing the run {run.name!r}: stop it there first, or start a run of another name"
    )


def _short(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "is missing"
    return f"cannot be read ({error.strerror})" if isinstance(error, OSError) else f"is cut short or altered ({error})"


def _parse_record(record: dict[str, Any]) -> _Record:
    version, state = record.get("format_version"), record.get("state")
    if version != _RUN_FORMAT:
        raise ValueError(f"it has the format {version!r}, this program reads {_RUN_FORMAT}: upgrade it")
    if state not in get_args(RunState):
        raise ValueError(f"the state cannot be {state!r}")
    config = record.get("config")
    if not isinstance(config, dict):
        raise ValueError("it holds no config")
    return _Record(RunConfig.from_dict(config), cast(RunState, state))


def _parsed(line: bytes) -> Event | None:
    """The event of a line; None for one that is torn, foreign, or holds what cannot be shown."""
    try:
        text = line.decode("utf-8")
        event = from_json(text)
        if "\\ud" in text.lower():
            repr(dataclasses.astuple(event)).encode("utf-8")
            json.dumps(dataclasses.astuple(event), ensure_ascii=False).encode("utf-8")
        return event
    except (ValueError, OverflowError, RecursionError):
        return None


def _end_events(log_path: Path) -> Iterator[Event]:
    """The first event of a log and those of its last bytes, less the steps in between: reading them takes time."""
    try:
        with read_plain(log_path, _LOG_LIMIT) as log:
            ends = [log.readline(_TAIL)]
            tail = max(log.tell(), log.seek(0, os.SEEK_END) - _TAIL)
            log.seek(tail)
            ends += log.read(_TAIL).splitlines()
    except OSError:
        return
    telling = [line for line in ends[:-2] if b'"progress"' not in line[:40]] + ends[-2:]
    yield from (event for event in map(_parsed, telling) if event is not None)


@dataclass
class _Facts:
    """A run's figures, gathered from its events and checkpoints."""

    step: int = 0
    max_iters: int = 0
    best_val_loss: float | None = None
    best_is_estimate: bool = False
    best_val_tokens: int = 0

    def take(self, event: Event) -> None:
        self.step = max(self.step, event.step)
        match event:
            case Started():
                self.max_iters = event.max_iters
            case SettingChanged(setting="max_iters", value=int(value)):
                self.max_iters = value
            case Evaluated(is_best=True):
                self._take_best(event.val_loss, event.is_estimate, event.val_tokens)
            case Finished() if event.best_val_loss not in (None, self.best_val_loss):
                self._take_best(event.best_val_loss, event.best_is_estimate, 0)
            case _:
                pass

    def take_info(self, info: CheckpointInfo) -> None:
        self.step = max(self.step, info.step)
        self.max_iters = self.max_iters or info.max_iters
        if self.best_val_loss is None or (self.best_val_loss == info.best_val_loss and not self.best_val_tokens):
            self._take_best(info.best_val_loss, info.best_is_estimate, info.best_tokens)

    def _take_best(self, loss: float | None, is_estimate: bool, tokens: int) -> None:
        self.best_val_loss, self.best_is_estimate, self.best_val_tokens = loss, is_estimate, tokens


class RunStore:
    """All runs of this user, or those below another `root`."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root if root is not None else paths.runs_dir()

    def create(self, config: RunConfig, name: str | None = None) -> Run:
        """Make a run of a new name; without one, a name is made from corpus and preset.

        Raises UsageError when the name is taken or none, StorageError.
        """
        if name is not None:
            run = Run(self.root / checked_name(name))
            if not _create(run.path, config):
                raise _taken(name)
            return run
        stem = slug(f"{slug(Path(config.corpus).stem)}-{config.preset}")
        number = 1
        while not _create(self.root / (path := stem if number == 1 else f"{stem}-{number}"), config):
            number += 1
        return Run(self.root / path)

    def open_at(self, path: Path) -> Run:
        """The run in a folder outside the store. Raises NotFoundError when there is none."""
        run = Run(real_path(path))
        if os.path.lexists(run.path / _RUN_FILE) or any(run.checkpoint_dir(which) for which in get_args(Which)):
            return run
        raise NotFoundError(f"there is no run in {path}: name the folder that was given to --model-path in training")

    def create_at(self, path: Path, config: RunConfig) -> Run:
        """Make a run in a folder outside the store, new or empty.

        Raises UsageError when the folder holds a run already, or something else, and StorageError.
        """
        run = Run(real_path(path))
        if _create(run.path, config):
            return run
        with suppress(NotFoundError):
            self.open_at(path)
            raise UsageError(f"{path} holds a run already: add --resume to go on with it, or name a new folder")
        raise UsageError(f"{path} holds something else than a run: name a new or an empty folder")

    def get(self, name: str) -> Run:
        """The run of that name. Raises NotFoundError, naming those that are near."""
        if is_name(name) and (self.root / name).is_dir():
            return Run(self.root / name)
        names = self._names()
        hint = "look at `tui-gpt runs list`" if names else "train one with `tui-gpt train`"
        if os.sep in name:
            hint = f"a folder is named with --model-path {name}"
        raise NotFoundError(f"there is no run {name!r}{did_you_mean(name, names)}: {hint}")

    def _names(self) -> list[str]:
        try:
            with os.scandir(self.root) as entries:
                return [entry.name for entry in entries if is_name(entry.name) and entry.is_dir()]
        except OSError:
            return []

    def require_free(self, name: str) -> None:
        """Raise UsageError when a new run cannot have this name."""
        place = self.root / checked_name(name)
        if place.exists() and not (place.is_dir() and not any(place.iterdir())):
            raise _taken(name)

    def list(self) -> "list[RunSummary]":
        """Every run, newest first; damaged ones are listed as such."""
        summaries = [Run(self.root / name).summary() for name in self._names()]
        return sorted(summaries, key=lambda summary: (-summary.updated, summary.name))

    def newest(self, with_checkpoint: bool = True) -> Run | None:
        """The run that was written last; by default among those with something to generate from."""
        names = sorted(self._names(), key=lambda name: -Run(self.root / name)._updated())
        for run in (Run(self.root / name) for name in names):
            if not with_checkpoint or run.checkpoint_dir("best") or run.checkpoint_dir("last"):
                return run
        return None

    def delete(self, name: str) -> None:
        """Remove a run with its checkpoints. Raises NotFoundError, RunLockedError while it is running, StorageError.

        It leaves the list in one instant; what a crash leaves of it is removed with the next one. Of a link to a run
        elsewhere, the link is removed, and nothing there is touched.
        """
        run = self.get(name)
        if run.path.is_symlink():
            self._remove_link(run)
            return
        with run.lock() as lock, storage_errors(f"remove the run {name!r}"):
            if not _RENAMES_OPEN_FOLDERS:
                lock.release()  # whoever takes it now has a file open, and the renaming fails
            run.path.rename(self.root / f".trash-{name}-{secrets.token_hex(4)}")
            sync_folder(self.root)
        for trash in named_like(self.root, _TRASH_NAME):
            shutil.rmtree(trash, ignore_errors=True)
            with suppress(OSError):
                remove_tree(trash)

    def _remove_link(self, run: Run) -> None:
        if (holder := run.writer()) is not None:
            raise _locked(run, holder)
        with storage_errors(f"remove the run {run.name!r}"):
            run.path.unlink()
            sync_folder(self.root)

    def export(self, name: str, which: Which, target: Path) -> Path:
        """Copy a checkpoint, without what only training needs, into a new folder `target`; where it now is.

        Raises NotFoundError, CheckpointError, UsageError when something is there already, StorageError.
        """
        folder = self.get(name).require_checkpoint(which)
        place = real_path(target)
        manifest = read_manifest(folder)
        record = manifest.files[MODEL_FILE]
        slim = Manifest(manifest.info, {MODEL_FILE: record})

        def fill(draft: Path) -> None:
            _, digest = write_synced(draft / MODEL_FILE, [read_plain_file(folder / MODEL_FILE, record.size)])
            if digest != record.sha256:
                raise damaged(folder, f"{MODEL_FILE} is altered (its SHA-256 differs)")
            write_synced(draft / MANIFEST_FILE, [slim.to_json()])

        with storage_errors(f"write {target}"):
            if not make_folder(place, {MODEL_FILE, MANIFEST_FILE}, fill):
                raise UsageError(f"{target} exists already: name a new folder")
        return place


def _taken(name: str) -> UsageError:
    return UsageError(f"there is a run {name!r} already: go on with --resume {name}, or choose another name")


def _create(path: Path, config: RunConfig) -> bool:
    """Make a run's folder in one instant; False when something stands there."""
    with storage_errors(f"make the run {path}"):
        return make_folder(path, {_RUN_FILE}, lambda draft: _fill_new(draft, config))


def _fill_new(draft: Path, config: RunConfig) -> None:
    write_synced(draft / _RUN_FILE, [_Record(config, "new").to_json()])


def find_checkpoint(folder: Path, which: Which = "best") -> Path:
    """The checkpoint that a folder is, or that the run in it holds: of that kind, else of the other.

    Raises NotFoundError when there is none, CheckpointError when it is damaged.
    """
    place = real_path(folder)
    if os.path.lexists(place / MANIFEST_FILE):
        return place
    run = Run(place)
    other: Which = "last" if which == "best" else "best"
    found = run.checkpoint_dir(which) or run.checkpoint_dir(other)
    if found is None and not place.is_dir():
        raise NotFoundError(f"there is no folder {folder}: name one that holds a checkpoint or a run")
    return found or run.require_checkpoint(which)
