"""The texts a model can learn from: the built-in one, those taken in by name, any file, any folder of files, or stdin.

A text is read once, whole, and normalised: UTF-8, no byte order mark, line ends as `\\n`. Whatever cannot be read that
way is refused with one line that names place and remedy; nothing is guessed, because a wrong guess would cost hours of
training on garbage. Other characters stay as they are, terminal escapes included: the screens make them harmless.
"""

import difflib
import hashlib
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tui_gpt import paths
from tui_gpt.config import DEFAULT_CORPUS
from tui_gpt.errors import CorpusError
from tui_gpt.files import atomic_write
from tui_gpt.names import checked_name, did_you_mean, is_name, slug

STDIN = "-"
SIZE_LIMIT = 2 << 30
"""Bytes of one corpus."""
FILES_LIMIT = 100_000
"""Files of one folder."""
CONTROL_SHARE = 0.02
"""A text has fewer control characters than this; a binary file has more, or is no UTF-8."""

_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\b\x1b")) + b"\x7f"
_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


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


class _NotTextError(Exception):
    """Some bytes are no text; the message says why."""


class _BinaryError(_NotTextError):
    """They are not meant to be one."""


def read_corpus(spec: str, stdin: BinaryIO | None = None) -> CorpusText:
    """The text that `spec` names: a name from `list_corpora`, a file, a folder of text files, or `-` for stdin.

    A name goes before a file of the same name. What came from stdin or a pipe is kept as an added text, so that a run
    on it can be resumed. Raises CorpusError; StorageError when a text cannot be kept.
    """
    if spec == STDIN:
        return _kept(STDIN, _all_of(stdin or sys.stdin.buffer))
    entry = _entries().get(spec)
    try:
        path = entry.path if entry else _path_of(spec)
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return _read_folder(path)
        if not stat.S_ISREG(mode):
            with path.open("rb") as pipe:
                return _kept(spec, _all_of(pipe))
        data = _bytes_of(path)
    except FileNotFoundError:
        raise _missing(spec) from None
    except (OSError, ValueError, RuntimeError) as error:
        raise _unreadable(spec, error) from error
    text = _normalised(spec, data)
    return _corpus(entry.name if entry else slug(path.stem), text, entry.name if entry else str(path.absolute()))


def _corpus(name: str, text: str, source: str, notes: tuple[str, ...] = ()) -> CorpusText:
    if not text.strip():
        raise CorpusError(f"{source} is empty: choose a file with some text in it")
    return CorpusText(name, text, hashlib.sha256(text.encode("utf-8")).hexdigest(), source, notes)


def _kept(spec: str, data: bytes) -> CorpusText:
    """A text that can be read only once, kept under a name made from its digest."""
    read = _corpus("stdin", _normalised("stdin" if spec == STDIN else spec, data), "stdin")
    name = f"stdin-{read.digest[:8]}"
    atomic_write(_added_path(name), read.text.encode("utf-8"))
    return CorpusText(name, read.text, read.digest, name)


def _all_of(stream: BinaryIO) -> bytes:
    data = stream.read(SIZE_LIMIT + 1)
    if len(data) > SIZE_LIMIT:
        raise _too_large("the text")
    return data


def _bytes_of(path: Path) -> bytes:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size > SIZE_LIMIT:
            raise _too_large("the text")
        return _all_of(file)


def _too_large(what: str) -> CorpusError:
    return CorpusError(f"{what} is larger than {SIZE_LIMIT >> 30} GB: choose a smaller part of it")


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
    texts: list[str] = []
    left_out: list[str] = []
    size = 0
    for path in _files_below(folder):
        data = _bytes_of(path)
        size += len(data)
        if size > SIZE_LIMIT:
            raise _too_large(str(folder))
        try:
            texts.append(_decoded(data))
        except _BinaryError:
            left_out.append(str(path.relative_to(folder)))
        except _NotTextError as error:
            raise _bad_text(str(path), error) from error
    if not any(texts):
        raise CorpusError(f"the folder {folder} holds no text: put UTF-8 text files into it, or name another")
    whole = "".join(text if text.endswith("\n") or not text else f"{text}\n" for text in texts)
    return _corpus(slug(folder.absolute().name), whole, str(folder.absolute()), _notes(left_out))


def _notes(left_out: list[str]) -> tuple[str, ...]:
    if not left_out:
        return ()
    shown = ", ".join(left_out[:3]) + (", …" if len(left_out) > 3 else "")
    return (f"left out {len(left_out)} binary file{'s' * (len(left_out) > 1)}: {shown}",)


def _files_below(folder: Path) -> Iterator[Path]:
    """Every plain file that is not hidden, the folder's own first, in order of name; links are not followed."""
    count = 0
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(place, name)
            if name.startswith(".") or not stat.S_ISREG(path.lstat().st_mode):
                continue
            count += 1
            if count > FILES_LIMIT:
                raise CorpusError(f"{folder} holds more than {FILES_LIMIT:,} files: name a smaller folder")
            yield path


def _normalised(spec: str, data: bytes) -> str:
    try:
        return _decoded(data)
    except _BinaryError as error:
        raise CorpusError(f"{spec} is not a text ({error}): choose a plain text file in UTF-8") from error
    except _NotTextError as error:
        raise _bad_text(spec, error) from error


def _bad_text(spec: str, error: _NotTextError) -> CorpusError:
    encoding = str(error).split()[0]
    return CorpusError(
        f"{spec} is not UTF-8 but {error}: convert it first, e.g. `iconv -f {encoding} -t UTF-8 FILE > NEW_FILE`"
    )


def _decoded(data: bytes) -> str:
    """Text with `\\n` line ends. Raises _NotTextError."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            raise _NotTextError(f"{encoding} (it begins with that byte order mark)")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _why_not_utf8(data, error.start) from error
    controls = len(data) - len(data.translate(None, _CONTROLS))
    if controls > CONTROL_SHARE * len(data):
        raise _wide(data) or _BinaryError(f"{controls / len(data):.0%} of it are control characters")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text


def _why_not_utf8(data: bytes, place: int) -> _NotTextError:
    line = data.count(b"\n", 0, place) + 1
    controls = len(data) - len(data.translate(None, _CONTROLS))
    if controls:
        return _wide(data) or _BinaryError(f"control characters, and byte {place + 1:,} is no UTF-8")
    return _NotTextError(f"WINDOWS-1252 or the like (line {line:,}, byte {place + 1:,} is 0x{data[place]:02x})")


def _wide(data: bytes) -> _NotTextError | None:
    """Why a text of two bytes a character is none, when it looks like one: every other byte is zero."""
    even, odd = data[:4096:2], data[1:4096:2]
    for zeros, letters, encoding in ((odd, even, "UTF-16LE"), (even, odd, "UTF-16BE")):
        if zeros and zeros.count(0) > 0.8 * len(zeros) and letters.count(0) < 0.1 * len(letters):
            return _NotTextError(f"{encoding} (every other byte is zero)")
    return None


def _added_path(name: str) -> Path:
    return paths.corpora_dir() / f"{name}.txt"


def _built_in_path() -> Path:
    return paths.shipped_dir() / DEFAULT_CORPUS / "input.txt"


def _entries() -> dict[str, CorpusEntry]:
    return {entry.name: entry for entry in list_corpora()}


def list_corpora() -> list[CorpusEntry]:
    """Every text that has a name: the built-in one, then the added ones in alphabetical order."""
    found = [(DEFAULT_CORPUS, _built_in_path(), True)]
    added = sorted(paths.corpora_dir().glob("*.txt")) if paths.corpora_dir().is_dir() else []
    found += [(path.stem, path, False) for path in added if is_name(path.stem) and path.stem != DEFAULT_CORPUS]
    return [CorpusEntry(name, path, path.stat().st_size, own) for name, path, own in found if path.is_file()]


def add_corpus(spec: str | Path, name: str | None = None) -> CorpusEntry:
    """Take in a copy of a text under a name, made from the file's own unless given.

    Raises CorpusError when the text cannot be read or the name belongs to another text, UsageError when it is no name,
    StorageError.
    """
    read = read_corpus(str(spec))
    chosen = checked_name(name if name is not None else read.name)
    known = _entries().get(chosen)
    if known is None:
        atomic_write(_added_path(chosen), read.text.encode("utf-8"))
    elif read_corpus(chosen).digest != read.digest:
        raise CorpusError(f"another text is named {chosen!r} already: choose a name with --name")
    return _entries()[chosen]


def corpus_info(spec: str, stdin: BinaryIO | None = None) -> CorpusInfo:
    """Figures of the text that `spec` names. Raises CorpusError."""
    read = read_corpus(spec, stdin)
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
