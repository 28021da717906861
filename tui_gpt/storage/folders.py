"""Create and replace whole folders, such as runs and checkpoints, atomically and durably.

A rename cannot replace a folder that holds something, so `commit_folder` moves the folders through the names that
`candidates` lists, newest first: after a crash between any two of its steps, the first whole candidate is the new
folder or the previous one. Nothing is locked here: a folder must have a single writer (see `locks`).
"""

import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Set
from contextlib import suppress
from pathlib import Path

from tui_gpt.storage.files import ensure_folder, storage_errors, sync_folder
from tui_gpt.storage.plain_files import is_folder

_DRAFT_NAME = re.compile(r"\.draft-.+-[0-9a-f]{8}")
_DRAFT_SECONDS = 3_600.0
"""A draft that has not been modified for this long belongs to a dead process."""


def make_folder(target: Path, names: Set[str], fill: Callable[[Path], None]) -> bool:
    """Create a folder atomically; `fill` writes the files `names` into it and forces each to the disk.

    Return False and change nothing when the path exists, unless it is an empty folder. Raises OSError.
    """
    ensure_folder(target.parent)
    draft = target.with_name(f".draft-{target.name}-{secrets.token_hex(4)}")
    _remove_old_drafts(target.parent, names)
    if _is_taken(target):
        return False
    try:
        draft.mkdir()
        fill(draft)
        sync_folder(draft)
        if os.name == "nt" and target.exists():
            target.rmdir()
        draft.rename(target)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR) and _is_taken(target):
            return False
        raise
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    sync_folder(target.parent)
    return True


def _remove_old_drafts(folder: Path, names: Set[str]) -> None:
    """Remove the drafts of processes that died in `make_folder`.

    `folder` may be any of the user's: a draft that is recent, or holds anything but `names`, is left alone.
    """
    for draft in named_like(folder, _DRAFT_NAME):
        with suppress(OSError):
            is_old = is_folder(draft) and time.time() - draft.lstat().st_mtime > _DRAFT_SECONDS
            if is_old and {path.name for path in draft.iterdir()} <= names:
                shutil.rmtree(draft)


def named_like(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    """Return the entries of a folder whose whole name matches; none when the folder cannot be read."""
    try:
        return [path for path in folder.iterdir() if pattern.fullmatch(path.name)]
    except OSError:
        return []


def _is_taken(target: Path) -> bool:
    return os.path.lexists(target) and not (is_folder(target) and not any(target.iterdir()))


def candidates(target: Path) -> list[Path]:
    """Return the possible locations of the folder `target` after a crash in `commit_folder`, newest first."""
    return [_sibling(target, "new"), target, _sibling(target, "old")]


def _sibling(target: Path, suffix: str) -> Path:
    return target.with_name(f".{target.name}.{suffix}")


def commit_target(folder: Path) -> Path:
    """Return the `target` of which `folder` is, or may be, a candidate."""
    match = re.fullmatch(r"\.(.+)\.(new|old)", folder.name)
    return folder.with_name(match[1]) if match else folder


def commit_folder(target: Path, fill: Callable[[Path], None]) -> None:
    """Replace the folder `target` by one that `fill` writes; `fill` itself forces each file to the disk.

    At any time one of `candidates(target)` is whole, and the first whole one is the newest. An earlier commit that was
    interrupted is finished or undone first. Raises StorageError; the previous folder is then kept.
    """
    draft = _sibling(target, "tmp")
    with storage_errors(f"save {target}"):
        ensure_folder(target.parent)
        _tidy(target)
        try:
            draft.mkdir()
            fill(draft)
            sync_folder(draft)
            draft.rename(_sibling(target, "new"))
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        _promote(target)


def _tidy(target: Path) -> None:
    """Finish or undo a commit that was interrupted."""
    new, _, old = candidates(target)
    remove_tree(_sibling(target, "tmp"))
    if os.path.lexists(new):
        _promote(target)
    elif os.path.lexists(target):
        remove_tree(old)


def _promote(target: Path) -> None:
    """Rename the complete folder `.new` to its final name, then remove the previous one."""
    new, _, old = candidates(target)
    if os.path.lexists(target):
        remove_tree(old)
        target.rename(old)
    new.rename(target)
    sync_folder(target.parent)
    remove_tree(old)


def discard_folder(target: Path) -> None:
    """Remove the folder `target` and its candidates. Raises OSError."""
    for place in candidates(target):
        remove_tree(place)


def folder_size(folder: Path) -> int:
    """Return the bytes of the files in a folder and the folders in it; no link is followed."""
    total, folders = 0, [folder]
    while folders:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    return total


def remove_tree(path: Path) -> None:
    """Remove a folder with its content, a file, or a link (not its target), if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
