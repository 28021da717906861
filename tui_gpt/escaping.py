"""Escape control characters in text from a model, a corpus or a file name before a terminal displays it.

Control characters can move the cursor, change the title, even type for the user. Each one that a terminal or the
bidirectional algorithm could interpret is replaced by one visible character, so positions in the text stay the same.
This is for display only: text for a file or a pipe is not escaped.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_C0 = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"}
_DELETE = {0x7F: "\N{SYMBOL FOR DELETE}"}
_C1 = dict.fromkeys(range(0x80, 0xA0), REPLACEMENT)
_BIDIRECTIONAL = dict.fromkeys((0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), REPLACEMENT)
_LINE_BREAKS = dict.fromkeys((0x2028, 0x2029), REPLACEMENT)
_INVISIBLE = dict.fromkeys((0xFEFF, *range(0xFFF9, 0xFFFC), *range(0xE0000, 0xE0080)), REPLACEMENT)
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), REPLACEMENT)

_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")

_TABLE: Mapping[int, str] = MappingProxyType(
    {**_C0, **_DELETE, **_C1, **_BIDIRECTIONAL, **_LINE_BREAKS, **_INVISIBLE, **_SURROGATES}
)


def spell_bytes(text: str) -> str:
    """Return `text` with each byte that is a part of a character, U+DC80 to U+DCFF, spelled as e.g. <0xE4>."""
    return text if text.isascii() else _ESCAPED_BYTE.sub(lambda match: f"<0x{ord(match[0]) - 0xDC00:02X}>", text)


def escape_controls(text: str) -> str:
    """Return `text` with visible characters in place of control characters, except newline and tab.

    Bidirectional marks, invisible characters and lone surrogates are replaced too. The length stays the same.
    """
    return text if text.isascii() and text.isprintable() else text.translate(_TABLE)
