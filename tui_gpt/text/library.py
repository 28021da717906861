"""The texts that have a name: the built-in one and those that were added, `corpora/<name>.txt` in the user's data."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tui_gpt.config import DEFAULT_CORPUS
from tui_gpt.errors import NotFoundError, UsageError
from tui_gpt.storage import paths
from tui_gpt.storage.files import atomic_write_pieces, storage_errors, sync_folder
from tui_gpt.storage.names import checked_name, did_you_mean, is_name
from tui_gpt.text.any_bytes import bytes_of
from tui_gpt.text.large.cache import PreparedFolder


@dataclass(frozen=True)
class CorpusEntry:
    """A text that has a name."""

    name: str
    path: Path
    size: int
    """Bytes."""
    built_in: bool


def list_corpora() -> list[CorpusEntry]:
    """Return every readable text that has a name: the built-in one, then the added ones in alphabetical order."""
    found: list[tuple[str, Path, bool]] = []
    with suppress(OSError):
        found.append((DEFAULT_CORPUS, paths.shipped_dir() / DEFAULT_CORPUS / "input.txt", True))
    with suppress(OSError):
        added = sorted(paths.corpora_dir().glob("*.txt"))
        found += [(path.stem, path, False) for path in added if is_name(path.stem) and path.stem != DEFAULT_CORPUS]
    return list(_existing(found))


def _existing(found: Iterable[tuple[str, Path, bool]]) -> Iterator[CorpusEntry]:
    for name, path, built_in in found:
        with suppress(OSError):
            if path.is_file():
                yield CorpusEntry(name, path, path.stat().st_size, built_in)


def corpora_by_name() -> dict[str, CorpusEntry]:
    """Return `list_corpora` by name."""
    return {entry.name: entry for entry in list_corpora()}


def store_text(name: str, pieces: Iterable[str]) -> None:
    """Store a text, given in pieces, under `name`. Raises StorageError."""
    atomic_write_pieces(paths.corpora_dir() / f"{name}.txt", (bytes_of(piece) for piece in pieces))


def free_name(name: str) -> str:
    """Return `name`, or if a text has it already, the first of name-2, name-3, … that none has."""
    taken, number, free = corpora_by_name(), 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def rename_text(name: str, new_name: str) -> CorpusEntry:
    """Give an added text another name. Raises NotFoundError, UsageError and StorageError."""
    entry = require_added(name, "renamed")
    target = paths.corpora_dir() / f"{checked_name(new_name)}.txt"
    if new_name in corpora_by_name():
        raise UsageError(f"there is a text {new_name!r} already: choose another name")
    with storage_errors(f"rename the text {name!r}"):
        PreparedFolder.of(entry.path).remove()
        entry.path.rename(target)
        sync_folder(target.parent)
    return corpora_by_name()[new_name]


def remove_text(name: str) -> None:
    """Remove an added text. Raises NotFoundError, UsageError and StorageError."""
    entry = require_added(name, "removed")
    with storage_errors(f"remove the text {name!r}"):
        PreparedFolder.of(entry.path).remove()
        entry.path.unlink()
        sync_folder(entry.path.parent)


def require_added(name: str, action: str) -> CorpusEntry:
    """Return the added text of that name. Raises NotFoundError, and UsageError for the built-in one."""
    known = corpora_by_name()
    if name not in known:
        raise NotFoundError(f"there is no text {name!r}{did_you_mean(name, known)}: see `tui-gpt data list`")
    if known[name].built_in:
        raise UsageError(f"{name} comes with the program and cannot be {action}: name a text that was added")
    return known[name]
