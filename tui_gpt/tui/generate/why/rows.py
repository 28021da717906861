"""Rows of styled words, which a panel shows one below the other."""

from tui_gpt.escaping import spell_bytes
from tui_gpt.tui.generate.alternatives import spelled
from tui_gpt.tui.text.wrap import glyphs

Row = list[tuple[str, str]]
"""Words and their styles, as Textual's markup names them, or an action's id with the style KEY: its key."""

KEY = "key"

MUTED, PLAIN, STRONG, BAR, BELOW = "", "$foreground", "$foreground bold", "$primary", "$text-warning"


def quoted(text: str, cells: int) -> str:
    """Return the end of a text in quotes, its spaces and line breaks visible, at most `cells` characters of it."""
    return f"“{glyphs(spell_bytes(text).replace(chr(10), '↵'))[-cells:]}”"


def named(token: str) -> str:
    """Return a visible name of a token."""
    return spelled(token)
