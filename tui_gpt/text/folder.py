"""Read the text files below a folder, and note what is left out."""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from tui_gpt.errors import CorpusError
from tui_gpt.text import reading
from tui_gpt.text.any_bytes import text_of
from tui_gpt.text.encodings import BinaryError, NotTextError, decode_text

FILES_LIMIT = 100_000
"""Files of one folder."""
_MAX_NAMES = 5
"""Names that a note lists."""
_PLURALS: Mapping[str, str] = MappingProxyType(
    {
        "binary file": "binary files",
        "file that is not UTF-8": "files that are not UTF-8",
        "unreadable file": "unreadable files",
        "unreadable folder": "unreadable folders",
        "symbolic link": "symbolic links",
        "special file": "special files",
    }
)
"""The kinds of things that are left out."""


def read_folder(folder: Path, most: int, *, as_bytes: bool = False) -> tuple[list[str], tuple[str, ...], bool]:
    """Return the texts of all files below `folder` in order, each ending in a newline, and notes on what is left out.

    The last value is whether these are all of them: reading ends before the file with which they would have more than
    `most` bytes. With `as_bytes` all files are read, unchanged. Hidden files are skipped without a note and links are
    not followed. Raises CorpusError where there is no text, OSError where the folder itself cannot be read.
    """
    left_out = LeftOut(folder)
    texts: list[str] = []
    size = 0
    for path in files_below(folder, left_out):
        try:
            if (size := size + path.stat().st_size) > most:
                return _lines_ended(texts), left_out.notes(), False
            data = reading.read_file(path, str(path))
        except OSError:
            left_out.add("unreadable file", path)
            continue
        try:
            texts.append(text_of(data) if as_bytes else decode_text(data))
        except BinaryError:
            left_out.add("binary file", path)
        except NotTextError as error:
            left_out.add("file that is not UTF-8", path, str(error))
    notes = left_out.notes()
    if not any(texts):
        raise no_text(folder, notes)
    return (texts if as_bytes else _lines_ended(texts)), notes, True


def _lines_ended(texts: Sequence[str]) -> list[str]:
    return [text if text.endswith("\n") else f"{text}\n" for text in texts if text]


def no_text(folder: Path, notes: Sequence[str]) -> CorpusError:
    """Return the error for a folder in which no file has text, with notes on those that are left out."""
    why = f" ({'; '.join(notes)})" if notes else ""
    return CorpusError(f"the folder {folder} holds no text{why}: put UTF-8 text files into it, or name another")


class LeftOut:
    """What is left out of a folder, by kind."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, list[str]] = {}
        self._reasons: dict[str, str] = {}

    def add(self, kind: str, path: Path, reason: str = "") -> None:
        """Add a path; the first `reason` of a kind is shown."""
        self._names.setdefault(kind, []).append(str(path.relative_to(self._folder)))
        self._reasons.setdefault(kind, reason)

    def notes(self) -> tuple[str, ...]:
        """Return a sentence for each kind, with the first few names."""
        return tuple(self._note(kind, names) for kind, names in self._names.items())

    def _note(self, kind: str, names: Sequence[str]) -> str:
        noun = kind if len(names) == 1 else _PLURALS[kind]
        shown = ", ".join(names[:_MAX_NAMES]) + (", …" if len(names) > _MAX_NAMES else "")
        reason = f"; {names[0]} {self._reasons[kind]}" if self._reasons[kind] else ""
        return f"left out {len(names)} {noun}: {shown}{reason}"


def files_below(folder: Path, left_out: LeftOut) -> Iterator[Path]:
    """Yield every regular file that is not hidden, in order of name, a folder's own files before its subfolders'."""
    count = 0
    for place, folders, files in os.walk(folder, onerror=lambda error: _add_folder(folder, left_out, error)):
        links = [name for name in folders if not name.startswith(".") and Path(place, name).is_symlink()]
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in links)
        for name in sorted([*files, *links]):
            path = Path(place, name)
            if name.startswith("."):
                continue
            if (kind := _special_kind(path)) is not None:
                left_out.add(kind, path)
                continue
            count += 1
            if count > FILES_LIMIT:
                raise CorpusError(f"{folder} holds more than {FILES_LIMIT:,} files: name a smaller folder")
            yield path


def _special_kind(path: Path) -> str | None:
    """Return the kind of a path that is not a regular file, else None."""
    mode = path.lstat().st_mode
    return None if stat.S_ISREG(mode) else "symbolic link" if stat.S_ISLNK(mode) else "special file"


def _add_folder(folder: Path, left_out: LeftOut, error: OSError) -> None:
    place = Path(error.filename)
    if place == folder:
        raise error
    left_out.add("unreadable folder", place)
