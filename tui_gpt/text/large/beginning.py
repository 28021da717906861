"""Read the beginning of a text that is too large to be read for a look at it or for an estimate."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tui_gpt.text.any_bytes import bytes_of, text_of
from tui_gpt.text.corpora import CorpusText, load, read_corpus, reading_errors
from tui_gpt.text.encodings import NotTextError, decode_text
from tui_gpt.text.folder import LeftOut, files_below, no_text
from tui_gpt.text.large.pieces import raw_pieces
from tui_gpt.text.large.text import fingerprint_of, size_of
from tui_gpt.text.library import corpora_by_name
from tui_gpt.text.reading import decode_named, path_of


def read_beginning(spec: str, most: int, *, as_bytes: bool = False) -> tuple[CorpusText, float]:
    """Return the text that `spec` names, or of one of more than `most` bytes the beginning, and which fraction that is.

    The digest of a beginning is that of the sizes and times of the files. In a folder, files that are not UTF-8 are
    skipped without a note. With `as_bytes` all bytes are kept, and a folder is read as a whole. Raises CorpusError.
    """
    entry = corpora_by_name().get(spec)
    with reading_errors(spec):
        path = entry.path if entry else path_of(spec)
        size = size_of(path)
        if size > most and not (as_bytes and path.is_dir()):
            name = entry.name if entry else path.absolute().stem
            text = (
                "".join(_folder_beginning(path, most)) if path.is_dir() else _file_beginning(path, spec, most, as_bytes)
            )
            return CorpusText(name, text, fingerprint_of(path), spec), min(1.0, len(bytes_of(text)) / size)
    return load(read_corpus(spec, keep=False, as_bytes=as_bytes)), 1.0


def _file_beginning(path: Path, spec: str, most: int, as_bytes: bool) -> str:
    if not as_bytes:
        return decode_named(_first(path, most), spec)
    with path.open("rb") as file:
        return text_of(file.read(most))


def _first(path: Path, most: int) -> bytes:
    """Return about `most` bytes from the beginning of a file, up to the end of a line if there is one."""
    with path.open("rb") as file:
        return next(raw_pieces(file, most), b"")


def _folder_beginning(folder: Path, most: int) -> Iterator[str]:
    """Yield the texts of the first files below a folder, about `most` bytes in all. Raises CorpusError without any."""
    left = most
    for path in files_below(folder, LeftOut(folder)):
        if left <= 0:
            return
        with suppress(OSError, NotTextError):
            text = decode_text(_first(path, left))
            left -= path.stat().st_size
            yield text if text.endswith("\n") else f"{text}\n"
    if left == most:
        raise no_text(folder, ())
