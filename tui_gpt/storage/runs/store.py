"""The runs of a user: create, find, list, rename, delete and export them.

A run is a folder in the store, or a folder that the user names (`open_at`, `create_at`). Creating, renaming and
deleting are a single rename each, so no half of a run is ever listed.
"""

import errno
import os
import re
import secrets
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tui_gpt.config import RunConfig
from tui_gpt.errors import NotFoundError, UsageError
from tui_gpt.storage import paths
from tui_gpt.storage.files import storage_errors, sync_folder, write_synced
from tui_gpt.storage.folders import make_folder, named_like, remove_tree
from tui_gpt.storage.locks import FileLock
from tui_gpt.storage.names import checked_name, did_you_mean, is_name, slug
from tui_gpt.storage.runs.model_copy import copy_model
from tui_gpt.storage.runs.run import RUN_FILE, Run, RunRecord, Which
from tui_gpt.storage.runs.summary import RunSummary

RENAMES_OPEN_FOLDERS = os.name != "nt"
"""Windows renames no folder in which a file is open."""
_TRASH_NAME = re.compile(r"\.trash-.+-[0-9a-f]{8}")


class RunStore:
    """The runs of the user, or those below another `root`."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root if root is not None else paths.runs_dir()

    def create(self, config: RunConfig, name: str | None = None) -> Run:
        """Create a run; without a name, one is made from corpus and preset.

        Raises UsageError when the name is taken or invalid, StorageError.
        """
        if name is not None:
            run = Run(self.root / checked_name(name))
            if not _create(run.path, config):
                raise _taken(name)
            return run
        stem = slug(f"{slug(Path(config.corpus).stem)}-{config.preset}")
        number = 1
        while not _create(path := self.root / (stem if number == 1 else f"{stem}-{number}"), config):
            number += 1
        return Run(path)

    def open_at(self, path: Path) -> Run:
        """Return the run in a folder outside the store. Raises NotFoundError when there is none."""
        run = Run(paths.real_path(path))
        if os.path.lexists(run.path / RUN_FILE) or run.newest_checkpoint():
            return run
        raise NotFoundError(f"there is no run in {path}: name the folder that was given as --model-path in training")

    def create_at(self, path: Path, config: RunConfig) -> Run:
        """Create a run in a folder outside the store, which is new or empty.

        Raises UsageError when the folder holds a run already, or something else, and StorageError.
        """
        run = Run(paths.real_path(path))
        if _create(run.path, config):
            return run
        with suppress(NotFoundError):
            self.open_at(path)
            raise UsageError(f"{path} holds a run already: add --resume to continue it, or name a new folder")
        raise UsageError(f"{path} holds something else than a run: name a new or an empty folder")

    def get(self, name: str) -> Run:
        """Return a run by its name. Raises NotFoundError, which suggests similar names."""
        if is_name(name) and (self.root / name).is_dir():
            return Run(self.root / name)
        names = self._names()
        hint = "see `tui-gpt runs list`" if names else "train one with `tui-gpt train`"
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
        """Raise UsageError unless a new run can have this name."""
        path = self.root / checked_name(name)
        if os.path.lexists(path) and not (path.is_dir() and not any(path.iterdir())):
            raise _taken(name)

    def list(self) -> "list[RunSummary]":
        """Return a summary of every run, also of damaged ones, newest first."""
        return newest_first(run.summary() for run in self.runs())

    def runs(self) -> Sequence[Run]:
        """Return every run, in any order."""
        return [Run(self.root / name) for name in self._names()]

    def newest(self, with_checkpoint: bool = True) -> Run | None:
        """Return the run that was written last, by default among those with a whole checkpoint."""
        for run in sorted(self.runs(), key=lambda run: -run.updated()):
            if not with_checkpoint or run.newest_checkpoint():
                return run
        return None

    def newest_of_job(self, job: str) -> Run | None:
        """Return the run that was written last of those that a torchrun made (see `Ranks.job`)."""
        made = [run for run in self.runs() if job and run.job == job]
        return max(made, key=Run.updated, default=None)

    def rename(self, name: str, new_name: str) -> Run:
        """Give a run another name. Raises NotFoundError, RunLockedError while it is running, UsageError, StorageError.

        Of a link to a run elsewhere, the link is renamed.
        """
        run = self.get(name)
        self.require_free(new_name)
        target = self.root / new_name
        with self._unwritten(run, f"rename the run {name!r}"):
            try:
                run.path.rename(target)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    raise _taken(new_name) from None
                raise
            sync_folder(self.root)
        return Run(target)

    def delete(self, name: str) -> None:
        """Remove a run with its checkpoints. Raises NotFoundError, RunLockedError while it is running, StorageError.

        What a crash leaves of it is removed by the next deletion. Of a link to a run elsewhere, the link is removed.
        """
        _, lock = self.discard(name)
        if lock is not None:
            lock.release()
        self.purge()

    def discard(self, name: str) -> tuple[Path, FileLock | None]:
        """Take a run off the list by a single rename and return its hidden folder, which `purge` removes.

        The lock of the run is returned too, still held; None for a link, and on Windows.

        Raises NotFoundError, RunLockedError while it is running, StorageError.
        """
        run = self.get(name)
        place = self.root / f".trash-{name}-{secrets.token_hex(4)}"
        with self._unwritten(run, f"remove the run {name!r}") as lock:
            run.path.rename(place)
            sync_folder(self.root)
            return place, None if lock is None else lock.hand_over()

    def purge(self, keep: Collection[Path] = ()) -> None:
        """Remove the discarded runs but those in `keep`, and those that another process may restore and has locked."""
        for place in named_like(self.root, _TRASH_NAME):
            if place not in keep and (place.is_symlink() or not Run(place).is_written()):
                shutil.rmtree(place, ignore_errors=True)
                with suppress(OSError):
                    remove_tree(place)

    @contextmanager
    def _unwritten(self, run: Run, action: str) -> Iterator[FileLock | None]:
        """Keep other processes from writing a run while its folder, or the link to it, is moved.

        The lock is given to the block if it is held. Raises RunLockedError, and the block's OSErrors as StorageErrors.
        """
        if run.path.is_symlink():
            if (holder := run.writer()) is not None:
                raise run.locked_by(holder)
            with storage_errors(action):
                yield None
            return
        with run.lock() as lock, storage_errors(action):
            if not RENAMES_OPEN_FOLDERS:
                lock.release()  # a process that takes it now has a file open, and the renaming fails
            yield lock if RENAMES_OPEN_FOLDERS else None

    def export(self, name: str, which: Which, target: Path) -> Path:
        """Copy a checkpoint, without what only training needs, to a new folder `target`; return its real path.

        Raises NotFoundError, CheckpointError, UsageError when `target` exists, StorageError.
        """
        return copy_model(self.get(name).require_checkpoint(which), target)


def newest_first(summaries: Iterable[RunSummary]) -> list[RunSummary]:
    """Return summaries in the order of a list of runs."""
    return sorted(summaries, key=lambda summary: (-summary.updated, summary.name))


def _taken(name: str) -> UsageError:
    return UsageError(f"there is a run {name!r} already: resume it with --resume {name}, or choose another name")


def _create(path: Path, config: RunConfig) -> bool:
    """Create a run's folder; return False when the path is taken. Raises StorageError."""
    with storage_errors(f"create the run {path}"):
        return make_folder(path, {RUN_FILE}, lambda draft: _fill_new(draft, config))


def _fill_new(draft: Path, config: RunConfig) -> None:
    write_synced(draft / RUN_FILE, [RunRecord(config=config, state="new").to_json()])
