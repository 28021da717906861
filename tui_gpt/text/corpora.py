"""The texts a model can learn from: the built-in one, those taken in by name, any file, any folder of files, or stdin.

A text is read once, whole, and normalised: UTF-8, no byte order mark, line ends as `\\n`. Whatever cannot be read that
way is refused with one line that names place and remedy (encodings.py). Other characters stay as they are, terminal
escapes included: the screens make them harmless.
"""

import dataclasses
import difflib
import hashlib
import itertools
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from tui_gpt.config import DEFAULT_CORPUS
from tui_gpt.errors import CorpusError
from tui_gpt.storage import paths
from tui_gpt.storage.files import atomic_write
from tui_gpt.storage.names import checked_name, did_you_mean, is_name, slug
from tui_gpt.text.encodings import BinaryError, NotTextError, decoded, require_text

STDIN = "-"
SIZE_LIMIT = 2 << 30
"""Bytes of one corpus."""
FILES_LIMIT = 100_000
"""Files of one folder."""
_HASHED_AT_ONCE = 1 << 22
_SHOWN_FILES = 5
"""How many of the files that were left out of a folder are named, of each kind."""
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
"""What may be left out of a folder."""


@dataclass(frozen=True)
class CorpusText:
    """A text, read and normalised."""

    name: str
    """Short, fit for the name of a run."""
    text: str
    digest: str
    """SHA-256 of the text in UTF-8, hexadecimal."""
    source: str
    """What `read_corpus` takes to read the same text again from anywhere: a name or an absolute path."""
    notes: tuple[str, ...] = ()
    """What was left out, one sentence each."""
    file_ends: tuple[int, ...] = ()
    """Where each file of a folder ends in the text; empty for a text that is no folder."""


@dataclass(frozen=True)
class CorpusEntry:
    """A text that can be named, as `data list` shows it."""

    name: str
    path: Path
    size: int
    """Bytes."""
    built_in: bool


@dataclass(frozen=True)
class CorpusInfo:
    """What `data info` tells about a text."""

    name: str
    source: str
    digest: str
    characters: int
    lines: int
    alphabet: str
    """The distinct characters, in code point order."""
    notes: tuple[str, ...] = ()


def read_corpus(spec: str, stdin: BinaryIO | None = None, *, keep: bool = True) -> CorpusText:
    """Return the text that `spec` names: a name from `list_corpora`, a file, a folder of text files, or `-` for stdin.

    A name goes before a file of the same name. What came from stdin or a pipe becomes an added text, so that a run on
    it can be resumed, unless `keep` is false. Raises CorpusError; StorageError when a text cannot be kept.
    """
    if spec == STDIN:
        return _read_once("stdin", stdin_bytes(stdin), keep)
    entry = _entries().get(spec)
    try:
        path = entry.path if entry else _path_of(spec)
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return _read_folder(path)
        data = _bytes_of(path, spec)
    except FileNotFoundError:
        raise _missing(spec) from None
    except (OSError, ValueError, RuntimeError) as error:
        raise _unreadable(spec, error) from error
    if not stat.S_ISREG(mode):
        return _read_once(spec, data, keep)
    text = _normalised(spec, data)
    return _corpus(entry.name if entry else slug(path.stem), text, entry.name if entry else str(path.absolute()))


def _corpus(
    name: str, text: str, source: str, notes: tuple[str, ...] = (), file_ends: tuple[int, ...] = ()
) -> CorpusText:
    if not text:
        raise CorpusError(f"{source} is empty: choose a file with some text in it")
    if text.isspace():
        raise CorpusError(f"{source} is blank, it holds nothing but white space: choose a file with some text in it")
    return CorpusText(name, text, _digest(text), source, notes, file_ends)


def _digest(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8, without a second copy of the whole."""
    digest = hashlib.sha256()
    for start in range(0, len(text), _HASHED_AT_ONCE):
        digest.update(text[start : start + _HASHED_AT_ONCE].encode("utf-8"))
    return digest.hexdigest()


def _read_once(spec: str, data: bytes, keep: bool) -> CorpusText:
    """Return a text that cannot be read again from where it came; with `keep`, it is an added text from now on."""
    text = _corpus("stdin", _normalised(spec, data), spec)
    name = f"stdin-{text.digest[:8]}"
    if not keep:
        return dataclasses.replace(text, name=name)
    atomic_write(_added_path(name), text.text.encode("utf-8"))
    return dataclasses.replace(text, name=name, source=name)


def stdin_bytes(stdin: BinaryIO | None = None, limit: int | None = None) -> bytes:
    """Return all that comes from stdin. Raises CorpusError when it is closed, cannot be read or is too large."""
    if stdin is None and sys.stdin is None:
        raise CorpusError("stdin is closed: pipe a text into it, or name a file")
    try:
        return all_of(stdin or sys.stdin.buffer, "stdin", limit)
    except OSError as error:
        raise CorpusError(f"stdin cannot be read ({error.strerror}): pipe a text into it, or name a file") from error


def all_of(stream: BinaryIO, name: str, limit: int | None = None) -> bytes:
    """Return all bytes of a stream. Raises CorpusError where there are more than `limit`, else SIZE_LIMIT."""
    most = SIZE_LIMIT if limit is None else limit
    data = stream.read(most + 1)
    if len(data) > most:
        raise _too_large(name, most)
    return data


def _bytes_of(path: Path, name: str) -> bytes:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size > SIZE_LIMIT:
            raise _too_large(name, SIZE_LIMIT)
        return all_of(file, name)


def _too_large(name: str, limit: int) -> CorpusError:
    size = f"{limit >> 30} GB" if limit >> 30 else f"{limit >> 20} MB"
    return CorpusError(f"{name} is larger than {size}: choose a smaller part of it")


def _path_of(spec: str) -> Path:
    if not spec:
        raise ValueError("an empty path would mean the current folder")
    return Path(spec).expanduser()


def _unreadable(spec: str, error: Exception) -> CorpusError:
    reason = getattr(error, "strerror", None) or "that cannot be a path"
    return CorpusError(f"{spec!r} cannot be read ({reason}): check the name and its permissions")


def _missing(spec: str) -> CorpusError:
    path = Path(spec).expanduser()
    try:
        neighbours = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
    except OSError:
        neighbours = []
    near = [str(path.parent / name) for name in difflib.get_close_matches(path.name, neighbours, n=2)]
    question = f" (did you mean {' or '.join(near)}?)" if near else did_you_mean(spec, _entries())
    return CorpusError(
        f"there is no file, folder or corpus {spec!r}{question}: name a text file, or one of `tui-gpt data list`"
    )


def _read_folder(folder: Path) -> CorpusText:
    left_out = _LeftOut(folder)
    texts: list[str] = []
    size = 0
    for path in _files_below(folder, left_out):
        try:
            data = _bytes_of(path, str(path))
        except OSError:
            left_out.note("unreadable file", path)
            continue
        size += len(data)
        if size > SIZE_LIMIT:
            raise _too_large(str(folder), SIZE_LIMIT)
        try:
            texts.append(_text_of(data))
        except BinaryError:
            left_out.note("binary file", path)
        except NotTextError as error:
            left_out.note("file that is not UTF-8", path, str(error))
    notes = left_out.sentences()
    if not any(texts):
        why = f" ({'; '.join(notes)})" if notes else ""
        raise CorpusError(f"the folder {folder} holds no text{why}: put UTF-8 text files into it, or name another")
    files = [text if text.endswith("\n") else f"{text}\n" for text in texts if text]
    ends = tuple(itertools.accumulate(map(len, files)))
    return _corpus(slug(folder.absolute().name), "".join(files), str(folder.absolute()), notes, ends)


class _LeftOut:
    """What a folder holds that is not read, by kind."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, list[str]] = {}
        self._reasons: dict[str, str] = {}

    def note(self, kind: str, path: Path, reason: str = "") -> None:
        """Take in one more; the first `reason` of a kind is shown."""
        self._names.setdefault(kind, []).append(str(path.relative_to(self._folder)))
        self._reasons.setdefault(kind, reason)

    def sentences(self) -> tuple[str, ...]:
        """Return a sentence for each kind, with the first few names."""
        return tuple(self._sentence(kind, names) for kind, names in self._names.items())

    def _sentence(self, kind: str, names: Sequence[str]) -> str:
        noun = kind if len(names) == 1 else _PLURALS[kind]
        shown = ", ".join(names[:_SHOWN_FILES]) + (", …" if len(names) > _SHOWN_FILES else "")
        reason = f"; {names[0]} {self._reasons[kind]}" if self._reasons[kind] else ""
        return f"left out {len(names)} {noun}: {shown}{reason}"


def _files_below(folder: Path, left_out: "_LeftOut") -> Iterator[Path]:
    """Yield every plain file that is not hidden, the folder's own first, in order of name; links are not followed."""
    count = 0
    for place, folders, files in os.walk(folder, onerror=lambda error: _note_folder(folder, left_out, error)):
        links = [name for name in folders if not name.startswith(".") and Path(place, name).is_symlink()]
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in links)
        for name in sorted([*files, *links]):
            path = Path(place, name)
            if name.startswith("."):
                continue
            if (kind := _unread_kind(path)) is not None:
                left_out.note(kind, path)
                continue
            count += 1
            if count > FILES_LIMIT:
                raise CorpusError(f"{folder} holds more than {FILES_LIMIT:,} files: name a smaller folder")
            yield path


def _unread_kind(path: Path) -> str | None:
    """Return what a path in a folder is that is no plain file."""
    mode = path.lstat().st_mode
    return None if stat.S_ISREG(mode) else "symbolic link" if stat.S_ISLNK(mode) else "special file"


def _note_folder(folder: Path, left_out: "_LeftOut", error: OSError) -> None:
    place = Path(error.filename)
    if place == folder:
        raise error
    left_out.note("unreadable folder", place)


def _text_of(data: bytes) -> str:
    """Return the text of a file. Raises NotTextError."""
    text = decoded(data)
    require_text(data)
    return text


def _normalised(spec: str, data: bytes) -> str:
    try:
        return _text_of(data)
    except NotTextError as error:
        raise CorpusError(f"{spec} {error}") from error


def _added_path(name: str) -> Path:
    return paths.corpora_dir() / f"{name}.txt"


def _built_in_path() -> Path:
    return paths.shipped_dir() / DEFAULT_CORPUS / "input.txt"


def _entries() -> dict[str, CorpusEntry]:
    return {entry.name: entry for entry in list_corpora()}


def list_corpora() -> list[CorpusEntry]:
    """Every text that has a name: the built-in one, then the added ones in alphabetical order; none that cannot be
    looked at."""
    found: list[tuple[str, Path, bool]] = []
    with suppress(OSError):
        found.append((DEFAULT_CORPUS, _built_in_path(), True))
    with suppress(OSError):
        added = sorted(paths.corpora_dir().glob("*.txt"))
        found += [(path.stem, path, False) for path in added if is_name(path.stem) and path.stem != DEFAULT_CORPUS]
    return list(_existing(found))


def _existing(found: Iterable[tuple[str, Path, bool]]) -> Iterator[CorpusEntry]:
    for name, path, built_in in found:
        with suppress(OSError):
            if path.is_file():
                yield CorpusEntry(name, path, path.stat().st_size, built_in)


def add_corpus(spec: str | Path, name: str | None = None) -> CorpusEntry:
    """Take in a copy of a text under a name, made from the file's own unless given.

    Raises CorpusError when the text cannot be read or the name belongs to another text, UsageError when it is no name,
    StorageError.
    """
    if name is not None:
        checked_name(name)
    read = read_corpus(str(spec), keep=False)
    chosen = checked_name(name if name is not None else read.name)
    known = _entries().get(chosen)
    if known is None:
        atomic_write(_added_path(chosen), read.text.encode("utf-8"))
    elif read_corpus(chosen).digest != read.digest:
        raise CorpusError(f"another text is named {chosen!r} already: choose a name with --name")
    return _entries()[chosen]


def corpus_info(spec: str, stdin: BinaryIO | None = None) -> CorpusInfo:
    """Figures of the text that `spec` names. Raises CorpusError."""
    read = read_corpus(spec, stdin, keep=False)
    alphabet = "".join(sorted(set(read.text)))
    lines = read.text.count("\n") + (not read.text.endswith("\n"))
    return CorpusInfo(read.name, read.source, read.digest, len(read.text), lines, alphabet, read.notes)


def lasting_source(source: str) -> str:
    """Return the source of a text that a run on the disk names.

    Such a source can be read again at any time. Raises CorpusError for stdin, a pipe or a device, which somebody must
    have written into the run: reading it would wait for ever.
    """
    path = Path(source)
    if source not in _entries() and (source == STDIN or (path.exists() and not (path.is_file() or path.is_dir()))):
        raise CorpusError(f"the run names {source!r} as its text, which is no file: put its text back")
    return source
