"""Read a text to train on: a name from the library, a file, a folder of text files, or stdin.

A text is read as UTF-8 without byte order mark and with `\\n` line ends; anything else is refused with one line that
names the place and the remedy (encodings.py), unless a model of bytes is trained on it: then all bytes are kept
(any_bytes.py). Other characters stay as they are, terminal escapes included: they are escaped where they are displayed.
A text of up to LARGE_BYTES is read as a whole, also a larger one whose bytes are kept. Another larger one is a
`LargeText`, which is scanned once, in pieces.
"""

import dataclasses
import difflib
import hashlib
import itertools
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from tui_gpt.control import Control
from tui_gpt.errors import CorpusError
from tui_gpt.storage.names import checked_name, did_you_mean, slug
from tui_gpt.text.any_bytes import bytes_of, text_of
from tui_gpt.text.folder import read_folder
from tui_gpt.text.large import text as large
from tui_gpt.text.large.cache import PreparedFolder
from tui_gpt.text.large.spool import spooled
from tui_gpt.text.large.text import LargeText
from tui_gpt.text.library import CorpusEntry, corpora_by_name, free_name, store_text
from tui_gpt.text.reading import (
    BYTES_REMEDY,
    SIZE_LIMIT,
    STDIN,
    decode_named,
    open_stdin,
    path_of,
    read_file,
    reason_of,
    too_large,
)

_HASH_CHUNK = 1 << 22
"""Characters hashed at a time, so that there is no second copy of a whole text."""

_MAX_NEIGHBOURS = 2_000
"""Names in a folder among which similar ones are looked for."""


@dataclass(frozen=True)
class CorpusText:
    """A text, read and normalised."""

    name: str
    """Short, usable as a part of a run's name."""
    text: str
    digest: str
    """SHA-256 of the text's bytes in UTF-8, hexadecimal."""
    source: str
    """What `read_corpus` takes to read the same text again from any folder: a name or an absolute path."""
    notes: tuple[str, ...] = ()
    """What was left out, one sentence each."""
    file_ends: tuple[int, ...] = ()
    """Where each file of a folder ends in the text; empty for a text that is not a folder."""

    @property
    def characters(self) -> int:
        """The length of the text."""
        return len(self.text)

    @property
    def lines(self) -> int:
        """The number of lines."""
        return self.text.count("\n") + (not self.text.endswith("\n"))

    @cached_property
    def alphabet(self) -> str:
        """The distinct characters, in code point order."""
        return "".join(sorted(set(self.text)))

    def pieces(self) -> Iterator[str]:
        """Yield the text in pieces: as a whole."""
        yield self.text


AnyText = CorpusText | LargeText
"""A text in memory or on the disk."""


@dataclass(frozen=True)
class CorpusInfo:
    """Figures of a text, for `data info`."""

    name: str
    source: str
    digest: str
    characters: int
    lines: int
    alphabet: str
    """The distinct characters, in code point order."""
    notes: tuple[str, ...] = ()


def read_corpus(
    spec: str,
    stdin: BinaryIO | None = None,
    *,
    keep: bool = True,
    control: Control | None = None,
    as_bytes: bool = False,
) -> AnyText:
    """Return the text that `spec` names: a name from `list_corpora`, a file, a folder of text files, or `-` for stdin.

    A name takes precedence over a file of the same name. A text from stdin or a pipe is added to the library, so that a
    run on it can be resumed, unless `keep` is false. A large text reports to `control`. With `as_bytes` any file is
    read, unchanged and as a whole. Raises CorpusError, StorageError where a text cannot be added, and StoppedError.
    """
    if spec == STDIN:
        with open_stdin(stdin) as stream:
            return _read_once("stdin", stream, keep, control or Control(), as_bytes)
    entry = corpora_by_name().get(spec)
    with reading_errors(spec):
        path = entry.path if entry else path_of(spec)
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            return _folder_text(path, control, as_bytes)
        if stat.S_ISREG(status.st_mode) and status.st_size > large.LARGE_BYTES and not as_bytes:
            name, source = _names_of(path, entry)
            return LargeText.read(path.absolute(), spec, name, source, control or Control())
        if not stat.S_ISREG(status.st_mode):
            with path.open("rb") as stream:
                return _read_once(spec, stream, keep, control or Control(), as_bytes)
        data = read_file(path, spec)
    name, source = _names_of(path, entry)
    return _corpus_text(name, _decoded(data, spec, as_bytes), source)


def _decoded(data: bytes, spec: str, as_bytes: bool) -> str:
    return text_of(data) if as_bytes else decode_named(data, spec, BYTES_REMEDY)


def unscanned_bytes(spec: str) -> int:
    """Return the size of the text that `spec` names if it is a large one that was not scanned yet; else 0."""
    entry = corpora_by_name().get(spec)
    try:
        place = (entry.path if entry else path_of(spec)).absolute()
        size = large.size_of(place)
        is_known = size <= large.LARGE_BYTES or PreparedFolder.of(place).read_scan(large.fingerprint_of(place))
    except (OSError, ValueError, RuntimeError, CorpusError):
        return 0
    return 0 if is_known else size


def _names_of(path: Path, entry: CorpusEntry | None) -> tuple[str, str]:
    """Return the name and the source of the text in a file, which may have a name."""
    return (entry.name, entry.name) if entry else (slug(path.stem), str(path.absolute()))


def _corpus_text(
    name: str, text: str, source: str, notes: tuple[str, ...] = (), file_ends: tuple[int, ...] = ()
) -> CorpusText:
    """Return the text with its digest. Raises CorpusError where it is empty or blank."""
    if not text:
        raise CorpusError(f"{source} is empty: choose a file with some text in it")
    if text.isspace():
        raise CorpusError(f"{source} is blank, it contains only white space: choose a file with some text in it")
    return CorpusText(name, text, _digest(text), source, notes, file_ends)


def _folder_text(folder: Path, control: Control | None, as_bytes: bool) -> AnyText:
    place = folder.absolute()
    most = SIZE_LIMIT if as_bytes else large.LARGE_BYTES
    texts, notes, is_whole = read_folder(folder, most=most, as_bytes=as_bytes)
    if not is_whole and as_bytes:
        raise too_large(str(folder), most)
    if not is_whole:
        return LargeText.read(place, str(folder), slug(place.name), str(place), control or Control())
    ends = tuple(itertools.accumulate(map(len, texts)))
    return _corpus_text(slug(place.name), "".join(texts), str(place), notes, ends)


def _digest(text: str) -> str:
    """Return the SHA-256 of a text's bytes."""
    digest = hashlib.sha256()
    for start in range(0, len(text), _HASH_CHUNK):
        digest.update(bytes_of(text[start : start + _HASH_CHUNK]))
    return digest.hexdigest()


def _read_once(spec: str, stream: BinaryIO, keep: bool, control: Control, as_bytes: bool) -> AnyText:
    """Return a text that can be read only once; with `keep` it is added to the library."""
    most = SIZE_LIMIT if as_bytes else large.LARGE_BYTES
    data = stream.read(most + 1)
    text: AnyText
    if len(data) > most and as_bytes:
        raise too_large(spec, most)
    if len(data) > most:
        text = LargeText.read(spooled(data, stream, spec), spec, "stdin", spec, control)
    else:
        text = _corpus_text("stdin", _decoded(data, spec, as_bytes), spec)
    name = f"stdin-{text.digest[:8]}"
    if not keep:
        return dataclasses.replace(text, name=name)
    store_text(name, text.pieces())
    if isinstance(text, CorpusText):
        return dataclasses.replace(text, name=name, source=name)
    return read_corpus(name, control=control)


def load(text: AnyText) -> CorpusText:
    """Return a text as a whole in memory. Raises CorpusError where a large one was changed meanwhile."""
    if isinstance(text, CorpusText):
        return text
    return CorpusText(text.name, "".join(text.pieces()), text.digest, text.source, text.notes, text.file_ends)


@contextmanager
def reading_errors(spec: str) -> Iterator[None]:
    """Turn the errors of paths and files within the block into a CorpusError about the text that `spec` names."""
    try:
        yield
    except FileNotFoundError:
        raise _missing(spec) from None
    except (OSError, ValueError, RuntimeError) as error:
        raise unreadable(spec, error) from error


def unreadable(spec: str, error: Exception) -> CorpusError:
    """Return the error for a text that cannot be read because of `error`."""
    return CorpusError(f"{spec!r} cannot be read ({reason_of(error)}): check the name and its permissions")


def _missing(spec: str) -> CorpusError:
    """Return the error for a text that does not exist, with the most similar names that do."""
    path = Path(spec).expanduser()
    try:
        items = path.parent.iterdir() if path.parent.is_dir() else ()
        neighbours = [item.name for item in itertools.islice(items, _MAX_NEIGHBOURS)]
    except OSError:
        neighbours = []
    similar = [str(path.parent / name) for name in difflib.get_close_matches(path.name, neighbours, n=2)]
    question = f" (did you mean {' or '.join(similar)}?)" if similar else did_you_mean(spec, corpora_by_name())
    return CorpusError(
        f"there is no file, folder or corpus {spec!r}{question}: name a text file, or one of `tui-gpt data list`"
    )


def add_corpus(spec: str | Path, name: str | None = None, control: Control | None = None) -> CorpusEntry:
    """Add a copy of a text to the library, under `name` or one made from the file's.

    Raises CorpusError where the text cannot be read or the name belongs to another text, UsageError for an invalid name
    and StorageError.
    """
    if name is not None:
        checked_name(name)
    text = read_corpus(str(spec), keep=False, control=control)
    chosen = checked_name(name if name is not None else text.name)
    if chosen not in corpora_by_name():
        store_text(chosen, text.pieces())
    elif read_corpus(chosen, control=control).digest != text.digest:
        raise CorpusError(f"another text is already named {chosen!r}: choose a name with --name")
    return corpora_by_name()[chosen]


def add_file(spec: str) -> tuple[CorpusEntry, tuple[str, ...]]:
    """Add a copy of a text to the library under a name made from the file's, numbered if another text has that.

    Return its entry, and notes on what was left out. Raises CorpusError where it cannot be read or is a stream, and
    StorageError.
    """
    require_file(spec)
    text = read_corpus(spec, keep=False)
    return _added_as(text), text.notes


def add_pasted(pasted: str, name: str) -> CorpusEntry:
    """Add a pasted text to the library.

    Raises CorpusError for a blank text or a taken name, UsageError for an invalid name, and StorageError.
    """
    text = _corpus_text(checked_name(name), pasted.replace("\r\n", "\n").replace("\r", "\n"), "the pasted text")
    if name in corpora_by_name():
        raise CorpusError(f"another text is already named {name!r}: choose another name")
    store_text(name, text.pieces())
    return corpora_by_name()[name]


def _added_as(text: AnyText) -> CorpusEntry:
    """Return the entry of a text under its name, or that name and a number; an equal text is not added twice."""
    known = corpora_by_name()
    if text.name in known and read_corpus(text.name).digest == text.digest:
        return known[text.name]
    name = free_name(text.name)
    store_text(name, text.pieces())
    return corpora_by_name()[name]


def corpus_info(spec: str, stdin: BinaryIO | None = None, control: Control | None = None) -> CorpusInfo:
    """Return figures of the text that `spec` names, without adding it to the library. Raises CorpusError."""
    text = read_corpus(spec, stdin, keep=False, control=control)
    return CorpusInfo(text.name, text.source, text.digest, text.characters, text.lines, text.alphabet, text.notes)


def lasting_source(source: str) -> str:
    """Return `source`, which a run on the disk names, if it can be read again at any time.

    Raises CorpusError for stdin, a pipe or a device: only an altered run names one, and reading it could block for
    ever.
    """
    if _is_stream(source):
        raise CorpusError(f"the run names {source!r} as its text, which is not a file: restore its text")
    return source


def require_file(spec: str) -> None:
    """Raise CorpusError if `spec` names a stream, which the app does not read: stdin is its keyboard."""
    if _is_stream(spec):
        raise CorpusError(
            f"{spec!r} is stdin, a pipe or a device, which the app does not read: name a file or a folder, or add it "
            "by `tui-gpt data add`"
        )


def _is_stream(spec: str) -> bool:
    """Return whether `spec` names stdin, a pipe or a device, which can be read only once or never ends."""
    if spec in corpora_by_name():
        return False
    try:
        mode = path_of(spec).stat().st_mode
    except (OSError, ValueError, RuntimeError):
        return spec == STDIN
    return spec == STDIN or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
