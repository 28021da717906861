"""Rows of styled words, which a panel shows one below the other."""

from rich.cells import cell_len

from tui_gpt.escaping import spell_bytes
from tui_gpt.tui.text.wrap import glyphs

Row = list[tuple[str, str]]
"""Words and their styles, as Textual's markup names them, or an action's id with the style KEY: its key."""

KEY = "key"

MUTED, PLAIN, STRONG, BAR, BELOW = "", "$foreground", "$foreground bold", "$primary", "$text-warning"


def quoted(text: str, cells: int) -> str:
    """Return the end of a text in quotes, in at most `cells` cells, with its line breaks visible."""
    shown = glyphs(spell_bytes(text[-cells:]).replace("\n", "↵"))
    while cell_len(shown) > cells:
        shown = shown[1:]
    return f"“{shown}”"
