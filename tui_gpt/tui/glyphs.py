"""Whether the terminal can show braille patterns, from which charts are drawn, or only ASCII."""

import codecs
import os
import sys
from collections.abc import Mapping

ASCII_VARIABLE = "TUI_GPT_ASCII"
"""Set to 1 or 0, it overrides what is guessed."""
_WITHOUT_BRAILLE = frozenset({"linux", "vt100", "vt102", "vt220", "ansi", "cons25", "sun", "dumb"})
"""Values of TERM of terminals whose fonts have at most a few hundred characters."""
_LOCALE_VARIABLES = ("LC_ALL", "LC_CTYPE", "LANG")


def is_ascii_only(environ: Mapping[str, str] = os.environ, encoding: str | None = None) -> bool:
    """Return whether charts should be drawn in ASCII; `encoding` is that of stderr, where the screen is written."""
    chosen = environ.get(ASCII_VARIABLE, "")
    if chosen in ("0", "1"):
        return chosen == "1"
    locale = next((environ[name] for name in _LOCALE_VARIABLES if environ.get(name)), "")
    return (
        environ.get("TERM", "") in _WITHOUT_BRAILLE
        or locale in ("C", "POSIX")
        or not _is_utf_8(encoding or getattr(sys.__stderr__, "encoding", None) or "utf-8")
    )


def _is_utf_8(encoding: str) -> bool:
    try:
        return codecs.lookup(encoding).name == "utf-8"
    except LookupError:
        return False
