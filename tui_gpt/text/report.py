"""What there is to know about a text before a model is trained on it: size, characters, split, encoding, omissions.

Of a text of more than SAMPLE_BYTES only the beginning is read, and the report is then marked as that of a sample.
`look` is for a path that is being typed.
"""

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tui_gpt.text.corpora import CorpusText, require_file, unreadable
from tui_gpt.text.encodings import explain_decoding
from tui_gpt.text.large.beginning import read_beginning
from tui_gpt.text.library import corpora_by_name
from tui_gpt.text.reading import path_of
from tui_gpt.text.split import Split
from tui_gpt.text.tokenizer import code_points

SAMPLE_BYTES = 64 << 20
"""Bytes of a text that are read at most."""
PREVIEW_CHARACTERS = 1_500
_CODE_POINTS = 0x110000


@dataclass(frozen=True)
class TextReport:
    """The figures of a text, or of its beginning."""

    name: str
    size: int | None
    """Bytes of the file; None for a folder."""
    is_sample: bool
    """Whether only the beginning of the text was read."""
    characters: int
    lines: int
    frequencies: tuple[tuple[str, int], ...]
    """The distinct characters and how often each occurs, the most frequent first."""
    train: int
    """Characters that are trained on with the default split."""
    preview: str
    """The beginning of the text."""
    encoding: str
    """Which encoding was detected, why, and what was replaced."""
    notes: tuple[str, ...]
    """What was left out, one sentence each."""

    @property
    def validation(self) -> int:
        """Characters held out for validation with the default split."""
        return self.characters - self.train


def inspect(spec: str) -> tuple[TextReport, CorpusText]:
    """Read the text that `spec` names and return its figures, and the part that was read.

    Raises CorpusError, also for stdin, a pipe or a device.
    """
    require_file(spec)
    entry = corpora_by_name().get(spec)
    path = _path_of_file(entry.path if entry else None, spec)
    size = None if path is None else path.stat().st_size
    text, fraction = read_beginning(spec, SAMPLE_BYTES)
    report = TextReport(
        name=text.name,
        size=size,
        is_sample=fraction < 1.0,
        characters=len(text.text),
        lines=text.text.count("\n") + (not text.text.endswith("\n")),
        frequencies=frequencies(text.text),
        train=Split().train_length(len(text.text)),
        preview=text.text[:PREVIEW_CHARACTERS],
        encoding=_encoding_of(path, spec, text.file_ends),
        notes=text.notes,
    )
    return report, text


def _path_of_file(path: Path | None, spec: str) -> Path | None:
    """Return the path of a regular file; None for anything else, also where there is nothing."""
    try:
        place = path or path_of(spec)
        return place if stat.S_ISREG(place.stat().st_mode) else None
    except (OSError, ValueError, RuntimeError):
        return None


def _encoding_of(path: Path | None, spec: str, file_ends: Sequence[int]) -> str:
    if path is None:
        return f"UTF-8: valid in each of its files ({len(file_ends):,})" if file_ends else "UTF-8"
    return explain_decoding(_first_bytes(path, spec))


def _first_bytes(path: Path, spec: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(SAMPLE_BYTES)
    except OSError as error:
        raise unreadable(spec, error) from error


def frequencies(text: str) -> tuple[tuple[str, int], ...]:
    """Return each distinct character of a text and how often it occurs, the most frequent first."""
    counts = np.zeros(_CODE_POINTS, np.int64)
    for codes in code_points(text):
        found = np.bincount(codes)
        counts[: len(found)] += found
    present = np.flatnonzero(counts)
    order = present[np.argsort(-counts[present], kind="stable")]
    return tuple((chr(code), int(counts[code])) for code in order)
