"""Find the paths in a text that a terminal pastes when files are dropped on it.

Terminals disagree: some quote a path, some escape its blanks with backslashes, some paste it as it is, some paste a
`file://` URL; several files are separated by blanks or by line ends. Every reading is tried, and the first one of which
all paths exist is the right one.
"""

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

LIMIT = 8_000
"""Characters above which a pasted text is not searched for paths."""
_DRIVE = re.compile(r"/[A-Za-z]:/")


def _exists(path: str) -> bool:
    try:
        return Path(path).expanduser().exists()
    except (OSError, ValueError, RuntimeError):
        return False


def dropped_paths(pasted: str, exists: Callable[[str], bool] = _exists) -> tuple[str, ...]:
    """Return the paths in a pasted text; empty where it is not made of existing paths alone."""
    text = pasted.strip()
    if not text or len(text) > LIMIT or "\0" in text:
        return ()
    for reading in _readings(text):
        paths = tuple(_local_path(word) for word in reading)
        if paths and all(_can_be_dropped(path) and exists(path) for path in paths):
            return tuple(dict.fromkeys(paths))
    return ()


def _readings(text: str) -> Iterator[list[str]]:
    """Yield the words of a text, read in several ways, the most literal one first."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    yield lines
    yield [_unquoted(line) for line in lines]
    for posix in (True, False):  # on Windows a backslash separates folders
        try:
            words = shlex.split(" ".join(lines), posix=posix)
        except ValueError:
            continue
        yield words if posix else [_unquoted(word) for word in words]


def _unquoted(word: str) -> str:
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "'\"" else word


def _local_path(word: str) -> str:
    """Return the path of a `file://` URL of this machine; any other word as it is."""
    if not word.lower().startswith("file:"):
        return word
    try:
        url = urlsplit(word)
    except ValueError:
        return word
    if url.netloc.lower() not in ("", "localhost"):
        return word
    path = unquote(url.path)
    return path[1:] if _DRIVE.match(path) else path


def _can_be_dropped(path: str) -> bool:
    """Return whether a path is absolute: a word of a pasted text may be the name of a file in the current folder."""
    return path.startswith("~/") or Path(path).is_absolute()
