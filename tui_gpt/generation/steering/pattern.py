"""The regular expression that a generated text must match, by the package `regex`, which knows of a text whether more
of it could make it match (partial matching).

`regex` is imported when an expression is used, and not before.
"""

import re
import time
import warnings
from typing import TYPE_CHECKING

from tui_gpt.errors import ConfigError

if TYPE_CHECKING:
    import regex

MAX_SECONDS = 2.0
"""CPU time for the matches that one token takes; a busy machine or a suspended process changes nothing."""

_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))")


class Pattern:
    """A regular expression. Raises ConfigError if it is invalid, also when it turns out to be too slow."""

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self.named = _named(expression)
        """The code points of the characters in the expression, also of those written as escapes."""
        self._compiled = _compiled(expression)
        self._deadline = time.thread_time() + MAX_SECONDS

    def begin_token(self) -> None:
        """Allow the matches of the next token their time."""
        self._deadline = time.thread_time() + MAX_SECONDS

    def permits(self, text: str) -> bool:
        """Return whether `text`, or a text that begins with it, matches from its beginning to its end."""
        return self._matches(text, partial=True)

    def is_complete(self, text: str) -> bool:
        """Return whether `text` matches from its beginning to its end."""
        return self._matches(text, partial=False)

    def _matches(self, text: str, *, partial: bool) -> bool:
        left = self._deadline - time.thread_time()
        try:
            if left > 0:
                return self._compiled.fullmatch(text, partial=partial, timeout=left) is not None
        except (TimeoutError, MemoryError):
            pass
        raise ConfigError(
            f"match {self.expression!r} takes too long: use one without a repetition in a repetition, as in (a+)+, "
            "and without recursion, or a shorter text",
            "match",
        )


def _named(expression: str) -> frozenset[int]:
    escaped = (int(found[1] or found[2] or found[3], 16) for found in _ESCAPE.finditer(expression))
    return frozenset(map(ord, expression)).union(escaped)


def _compiled(expression: str) -> "regex.Pattern[str]":
    import regex

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # `[[` would mean something else in another mode of `regex`
            return regex.compile(expression)
    except (regex.error, ValueError, OverflowError, RecursionError) as error:
        raise ConfigError(
            f"match {expression!r} is not a valid regular expression: {error}; correct it", "match"
        ) from None
    except MemoryError:
        raise ConfigError(f"match {expression!r} is too large: use smaller repetitions", "match") from None


def check_pattern(expression: str) -> None:
    """Raise ConfigError unless this is a regular expression, or "" for none."""
    if expression:
        _compiled(expression)
