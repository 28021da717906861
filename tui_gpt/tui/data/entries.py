"""The texts that the Data tab lists: built in, added, and recently trained on. Without a widget."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tui_gpt.formatting import format_bytes
from tui_gpt.text.library import list_corpora

Kind = Literal["built in", "added", "recent"]


@dataclass(frozen=True)
class TextEntry:
    """One line of the list."""

    source: str
    """As `read_corpus` takes it."""
    kind: Kind
    size: int | None = None
    """Bytes; None for a folder."""

    @property
    def label(self) -> str:
        """Return the name, or the last part of the path."""
        return self.source if self.kind != "recent" else Path(self.source).name or self.source

    @property
    def remark(self) -> str:
        """Return the size in words."""
        return "folder" if self.size is None else format_bytes(self.size)


def list_entries(recent: Iterable[str]) -> list[TextEntry]:
    """Return the texts of the library and those of the paths in `recent` that are still there. Reads the disk."""
    library = _library()
    names = {entry.source for entry in library}
    others = (_recent(source) for source in recent if source not in names)
    return [*library, *(entry for entry in others if entry is not None)]


def _library() -> list[TextEntry]:
    return [TextEntry(one.name, "built in" if one.built_in else "added", one.size) for one in list_corpora()]


def _recent(source: str) -> TextEntry | None:
    try:
        path = Path(source).expanduser()
        if path.is_dir():
            return TextEntry(source, "recent")
        return TextEntry(source, "recent", path.stat().st_size) if path.is_file() else None
    except (OSError, ValueError, RuntimeError):
        return None
