"""The end of a text in a few rows, and a short text in one row."""

from collections.abc import Sequence

from rich.text import Text

from tui_gpt.escaping import spell_bytes
from tui_gpt.tui.text.wrap import Wrapped, glyphs

_READ = 4_000
"""Characters of the end that are wrapped."""
_IN_A_ROW = str.maketrans({"\n": "↵", "\t": "⇥"})


def in_a_row(text: str) -> str:
    """Return a text with visible signs for line breaks, tabs, spaces at its ends, and parts of characters."""
    shown = glyphs(spell_bytes(text.translate(_IN_A_ROW)))
    inner = shown.strip(" ")
    before = len(shown) - len(shown.lstrip(" "))
    return "␣" * before + inner + "␣" * (len(shown) - before - len(inner))


def tail_rows(parts: Sequence[tuple[str, str]], width: int, rows: int) -> Text:
    """Return the last rows of a text in parts, each with its style; a line break at the end is shown as a sign."""
    whole = "".join(text for text, _ in parts)
    start = max(0, len(whole) - _READ)
    shown = glyphs(whole[start:])
    if shown.endswith("\n"):
        shown = shown[:-1] + "↵"
    wrapped, result = Wrapped(shown, width), Text(no_wrap=True, end="")
    for row in range(max(0, len(wrapped) - rows), len(wrapped)):
        if result:
            result.append("\n")
        first, last = wrapped.span(row)
        end = -start
        for text, style in parts:
            begin, end = end, end + len(text)
            result.append(shown[max(first, begin) : max(0, min(last, end))].replace("\n", ""), style)
    return result
