"""Names of runs and texts: check, make and suggest them.

A name is used for a folder or file, so it has only characters that every file system accepts, and cannot lead outside
its folder.
"""

import difflib
import re
from collections.abc import Iterable

from tui_gpt.errors import UsageError

SHIPPED = "shipped"
"""The source name of the bundled model."""
LIVE = "live"
"""The source name of the model being trained in this session."""
MAX_NAME_LENGTH = 100
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_RESERVED = {LIVE, SHIPPED}
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}
"""Names of devices on Windows, with any extension."""


def is_name(text: str) -> bool:
    """Return whether `text` can be the name of a run or of an added text."""
    fits = _NAME.fullmatch(text) is not None and len(text) <= MAX_NAME_LENGTH and not text.endswith(".")
    return fits and text.lower() not in _RESERVED and not _is_device(text)


def _is_device(text: str) -> bool:
    return text.lower().partition(".")[0] in _DEVICES


def checked_name(text: str) -> str:
    """Return `text`. Raises UsageError, with the rule, when it cannot be a name."""
    if text.lower() in _RESERVED:
        raise UsageError(f"{text!r} is a reserved name: choose another name")
    if _is_device(text):
        raise UsageError(f"{text!r} is the name of a device on Windows: choose another name")
    if not is_name(text):
        raise UsageError(
            f"{text!r} cannot be a name: use up to {MAX_NAME_LENGTH} letters, digits and . _ - without accents or "
            "spaces, begin with a letter, a digit or _, and do not end with a dot"
        )
    return text


def slug(text: str, fallback: str = "text") -> str:
    """Make a name from any text: lower case, with a hyphen for other characters."""
    plain = re.sub(r"[^a-z0-9._]+", "-", text.lower()).strip("-._")[: MAX_NAME_LENGTH // 2].rstrip("-._")
    return plain if is_name(plain) else fallback


def did_you_mean(text: str, known: Iterable[str]) -> str:
    """Return a suggestion of similar names, e.g. ` (did you mean nano?)`; empty when none is similar."""
    near = difflib.get_close_matches(text, list(known), n=3, cutoff=0.6)
    return f" (did you mean {' or '.join(near)}?)" if near else ""
