"""What a sample has that the one before it did not have, word by word."""

import difflib
import re

from tui_gpt.events import Sampled
from tui_gpt.tui.train.record import RunView

_WORD = re.compile(r"\w+|[^\w\s]+|\s+")
_MIN_COMMON = 0.15
"""Samples with less in common are called entirely new."""
MAX_CHARACTERS = 2_000
"""Only this much of a sample is compared."""

Span = tuple[int, int]


def changed_spans(before: str, after: str) -> list[Span] | None:
    """Return where `after` has words that `before` does not have at that place; None if nearly all of it is new."""
    old, new = (_WORD.findall(text[:MAX_CHARACTERS]) for text in (before, after))
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    ends = [0]
    for word in new:
        ends.append(ends[-1] + len(word))
    blocks = matcher.get_matching_blocks()
    common = sum(ends[block.b + block.size] - ends[block.b] for block in blocks)
    if common < _MIN_COMMON * max(1, ends[-1]):
        return None
    spans: list[Span] = []
    begin = 0
    for block in blocks:
        if block.b > begin:
            spans.append((ends[begin], ends[block.b]))
        begin = block.b + block.size
    return [span for span in spans if after[span[0] : span[1]].strip()]


def previous_sample(record: RunView, sample: Sampled) -> Sampled | None:
    """Return the sample before another one; None for the first."""
    earlier = [one for one in record.samples if one.step < sample.step]
    return earlier[-1] if earlier else None
