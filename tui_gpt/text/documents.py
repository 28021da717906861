"""The documents of a text, and which of them are held out."""

import random
import re
from collections.abc import Sequence

from tui_gpt.text.corpora import CorpusText

_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")


def documents_of(text: CorpusText) -> list[str]:
    """Return the documents of a text with their separators: the files of a folder, else blocks between blank lines."""
    if text.file_ends:
        return _cut(text.text, text.file_ends)
    whole = text.text
    first, last = len(whole) - len(whole.lstrip()), len(whole.rstrip())
    ends = [match.end() for match in _BLANK_LINES.finditer(whole) if first < match.end() < last]
    if ends:
        whole = whole.rstrip("\n") + "\n\n"  # a shuffled text may have another block after its last one
    return _cut(whole, [*ends, len(whole)])


def _cut(text: str, ends: Sequence[int]) -> list[str]:
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def shuffled_order(count: int, seed: int) -> list[int]:
    """Return a random permutation of the numbers below `count`, the same in every Python version."""
    generator = random.Random(seed)
    keys = [generator.random() for _ in range(count)]
    return sorted(range(count), key=keys.__getitem__)


def choose_held_out(lengths: Sequence[int], order: Sequence[int], wanted: float) -> set[int]:
    """Return the documents to hold out, about `wanted` characters: in `order`, each that brings the sum nearer to that.

    At least the shortest document is held out.
    """
    chosen: set[int] = set()
    missing = wanted
    for index in order:
        if abs(missing - lengths[index]) < missing:
            chosen.add(index)
            missing -= lengths[index]
        if missing <= 0:
            break
    return chosen or {min(order, key=lengths.__getitem__)}
