"""Names of runs and texts: what they may look like, how one is made up, and which one was probably meant.

A name becomes the name of a folder or file, so only letters that every file system takes are allowed, and nothing that
could lead out of the folder it belongs in.
"""

import difflib
import re
from collections.abc import Iterable

from tui_gpt.errors import UsageError

SHIPPED = "shipped"
"""The source name of the model that comes with the program."""
LIVE = "live"
"""The source name of the model being trained in this session, as it is between two steps."""
LONGEST_NAME = 100
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_RESERVED = {LIVE, SHIPPED}
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}
"""What Windows takes for a device, with any ending."""


def is_name(text: str) -> bool:
    """Whether `text` could be the name of a run or of an added text."""
    fits = _NAME.fullmatch(text) is not None and len(text) <= LONGEST_NAME and not text.endswith(".")
    return fits and text.lower() not in _RESERVED and not _is_device(text)


def _is_device(text: str) -> bool:
    return text.lower().partition(".")[0] in _DEVICES


def checked_name(text: str) -> str:
    """`text` itself. Raises UsageError, with the rule, when it cannot be a name."""
    if text.lower() in _RESERVED:
        raise UsageError(f"{text!r} has a meaning of its own here: choose another name")
    if _is_device(text):
        raise UsageError(f"{text!r} is the name of a device on Windows: choose another name")
    if not is_name(text):
        raise UsageError(
            f"{text!r} cannot be a name: use up to {LONGEST_NAME} letters, digits and . _ - without accents or spaces, "
            "begin with a letter, a digit or _, and do not end with a dot"
        )
    return text


def slug(text: str, fallback: str = "text") -> str:
    """A name made from any text: lower case, everything unusual turned into a hyphen."""
    plain = re.sub(r"[^a-z0-9._]+", "-", text.lower()).strip("-._")[: LONGEST_NAME // 2].rstrip("-._")
    return plain if is_name(plain) else fallback


def did_you_mean(text: str, known: Iterable[str]) -> str:
    """A question that names what was probably meant, with a blank before it; empty when nothing is near."""
    near = difflib.get_close_matches(text, list(known), n=3, cutoff=0.6)
    return f" (did you mean {' or '.join(near)}?)" if near else ""
