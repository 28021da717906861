"""The texts that have a name: the built-in one and those that were added, `corpora/<name>.txt` in the user's data."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tui_gpt.config import DEFAULT_CORPUS
from tui_gpt.storage import paths
from tui_gpt.storage.files import atomic_write
from tui_gpt.storage.names import is_name


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


def store_text(name: str, text: str) -> None:
    """Store a text under `name`. Raises StorageError."""
    atomic_write(paths.corpora_dir() / f"{name}.txt", text.encode("utf-8"))
