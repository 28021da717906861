"""Stop strings, and the ends of lines, sentences, paragraphs and speeches, found character by character.

A condition sees the end of the generated text after each character. So what it finds depends on the characters alone,
and not on how they were divided into tokens.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from tui_gpt.config import SampleConfig
from tui_gpt.generation.steering.endings import EndReason

REACH = 128
"""Characters of the text's end that a condition other than a stop string sees."""

_BLANK_LINE = re.compile(r"\r?\n[ \t\r]*\n\Z")
_BLANK_LINE_BEGUN = re.compile(r"(?:\r|\r?\n[ \t\r]*)\Z")
_LINE_END = re.compile(r"\r?\n\Z")
_ABBREVIATION = r"(?<!\bMr)(?<!\bMrs)(?<!\bMs)(?<!\bDr)(?<!\bSt)(?<!\b[A-HJ-Z])"
_CLOSERS = "\"'”’»)\\]」』”’）"
_SENTENCE_END = re.compile(rf"(?:{_ABBREVIATION}\.|[!?…])[{_CLOSERS}]*\s\Z|[。！？][{_CLOSERS}]*[^{_CLOSERS}]\Z")

_NAME = r"(?P<name>[^\W\d_][\w .'’&()-]{0,39})"
_SPEAKER_AFTER_BLANK = re.compile(rf"\r?\n(?:[ \t\r]*\n)+[ \t]*{_NAME}[:：]\Z")
_SPEAKER_IN_LINE = re.compile(rf"\r?\n{_NAME}(?:: |：)\S\Z")
_SPEAKER_BEGUN = re.compile(rf"(?P<breaks>\r?\n[ \t\r\n]*)(?:{_NAME}(?:: ?|：)?)?\Z|\r\Z")
_MAX_NAME_WORDS = 5
_MAX_NAME_WORDS_IN_LINE = 3


@dataclass(frozen=True)
class Condition:
    """What ends a text; both functions take the end of the text so far."""

    reason: EndReason
    reach: int
    """The number of characters that it has to see."""
    excess: Callable[[str], int]
    """Return how many characters at the end are not part of the result if the last one ends the text, else 0."""
    held: Callable[[str], int]
    """Return how many characters at the end may turn out not to be part of the result."""
    after_visible: bool = True
    """Whether it sees nothing before the first character that is not white space."""


def conditions(config: SampleConfig) -> tuple[Condition, ...]:
    """Return the conditions of a config that depend on the text."""
    stops = tuple(map(stop_string, config.stop))
    return stops if config.until == "length" else (*stops, _UNTIL[config.until])


def stop_string(stop: str) -> Condition:
    """Return the condition that the text contains `stop`."""
    prefixes = list(accumulate(stop[:-1]))
    return Condition(
        "stop",
        len(stop),
        lambda text: len(stop) if text.endswith(stop) else 0,
        lambda text: next((len(prefix) for prefix in reversed(prefixes) if text.endswith(prefix)), 0),
        after_visible=False,
    )


def _line_excess(text: str) -> int:
    return _length(_LINE_END, text) if text.endswith("\n") else 0


def _line_held(text: str) -> int:
    return int(text.endswith("\r"))


def _blank_line_excess(text: str) -> int:
    return _length(_BLANK_LINE, text) if text.endswith("\n") else 0


def _blank_line_held(text: str) -> int:
    return _length(_BLANK_LINE_BEGUN, text) if text.endswith(("\n", "\r", " ", "\t")) else 0


def _sentence_excess(text: str) -> int:
    return 1 if _SENTENCE_END.search(text) else _blank_line_excess(text)


def _speaker_excess(text: str) -> int:
    for found, limit in _speakers(text):
        if _is_name(found["name"], limit):
            return len(text) - found.start()
    return 0


def _speakers(text: str) -> Iterator[tuple[re.Match[str], int]]:
    """Yield what may be a speaker's name at the end, and the number of words that it may have."""
    if "\n" in text and (found := _SPEAKER_AFTER_BLANK.search(text)):
        yield found, _MAX_NAME_WORDS
    if "\n" in text and (found := _SPEAKER_IN_LINE.search(text)):
        yield found, _MAX_NAME_WORDS_IN_LINE


def _speaker_held(text: str) -> int:
    found = _SPEAKER_BEGUN.search(text) if "\n" in text or text.endswith("\r") else None
    if found is None:
        return 0
    limit = _MAX_NAME_WORDS if (found["breaks"] or "").count("\n") > 1 else _MAX_NAME_WORDS_IN_LINE
    return len(text) - found.start() if not found["name"] or _is_name(found["name"], limit) else 0


def _is_name(text: str, limit: int) -> bool:
    """Return whether a text, or its beginning, is a name: few words, of which the first has no small initial, and none
    of a name within a paragraph has."""
    words = text.split()
    capitals = words if limit == _MAX_NAME_WORDS_IN_LINE else words[:1]
    return len(words) <= limit and not any(word[0].islower() for word in capitals)


def _length(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.search(text)
    return len(found[0]) if found else 0


_UNTIL: dict[str, Condition] = {
    "line": Condition("line", REACH, _line_excess, _line_held),
    "sentence": Condition("sentence", REACH, _sentence_excess, _blank_line_held),
    "blank-line": Condition("blank-line", REACH, _blank_line_excess, _blank_line_held),
    "speaker": Condition("speaker", REACH, _speaker_excess, _speaker_held),
}
