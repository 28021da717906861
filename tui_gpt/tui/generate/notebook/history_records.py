"""The lines of the history file: an answer when it is complete, the layout of a card when it changes.

The last line for an id wins. No line is trusted: one that is not an answer or a layout is refused.
"""

import base64
import dataclasses
import json
import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tui_gpt.config import SampleConfig
from tui_gpt.errors import ConfigError
from tui_gpt.generation.steering.endings import END_WORDS
from tui_gpt.generation.text_model import CHANGEABLE
from tui_gpt.records import parse_object, read_record
from tui_gpt.tui.generate.notebook.cards import Answer, Card

_MIN_HALF = -60_000.0
"""About the lowest number that a half float can hold."""


@dataclass(frozen=True)
class Layout:
    """The answers of a card, by id, and the index of the one shown; no answers for a card that was removed."""

    id: str
    answers: tuple[str, ...]
    shown: int

    @classmethod
    def of(cls, card: Card) -> "Layout":
        """Return the layout of a card."""
        return cls(card.id, tuple(answer.id for answer in card.answers), card.shown)


def to_line(part: Answer | Layout) -> bytes:
    """Return a line of the file."""
    record = {"answer": _answer_record(part)} if isinstance(part, Answer) else {"card": dataclasses.asdict(part)}
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"
    return text.encode("utf-8", errors="replace")


def _answer_record(answer: Answer) -> dict[str, Any]:
    """Return an answer as plain data; its log-probabilities, up to 100,000 numbers, are packed as half floats."""
    record = {field.name: getattr(answer, field.name) for field in dataclasses.fields(answer)}
    packed = struct.pack(f"<{len(answer.logprobs)}e", *(max(logprob, _MIN_HALF) for logprob in answer.logprobs))
    return record | {
        "config": dataclasses.asdict(answer.config),
        "logprobs": base64.b64encode(packed).decode("ascii"),
    }


def from_line(text: str) -> Answer | Layout:
    """Inverse of `to_line`. Raises ValueError."""
    record = parse_object(text)
    kind, content = next(iter(record.items()), ("", None))
    if len(record) != 1 or not isinstance(content, dict) or kind not in ("answer", "card"):
        raise ValueError("is neither an answer nor a card")
    return _answer_from(content) if kind == "answer" else read_record(Layout, content)


def _answer_from(record: Mapping[str, Any]) -> Answer:
    answer = read_record(Answer, {**record, "logprobs": ()})
    for _, name, value in answer.changes:
        if name not in CHANGEABLE:
            raise ConfigError(f"{name} cannot change during a generation", name)
        SampleConfig.from_dict({name: value})
    if answer.end and answer.end not in END_WORDS:
        raise ConfigError("end is an unknown reason", "end")
    if answer.copied is not None and not 0 <= answer.copied <= 1:
        raise ConfigError("copied is not a fraction", "copied")
    return replace(answer, logprobs=_unpacked(record["logprobs"]))


def _unpacked(text: Any) -> tuple[float, ...]:
    if not isinstance(text, str):
        raise ConfigError("logprobs is not a text", "logprobs")
    packed = base64.b64decode(text, validate=True)
    if len(packed) % 2:
        raise ConfigError("logprobs is cut short", "logprobs")
    return tuple(math.nan if math.isnan(one) else one for one in struct.unpack(f"<{len(packed) // 2}e", packed))


@dataclass(frozen=True)
class CollectedCards:
    """The cards that a part of the file describes."""

    cards: list[Card]
    lacks_answers: bool
    """Whether some of their answers are on earlier lines."""


def collect_cards(parts: Iterable[Answer | Layout], limit: int, *, is_cut: bool) -> CollectedCards:
    """Return the `limit` cards that were changed last, in the order in which they were begun.

    `is_cut` means that there are lines before `parts`. The first card may then be cut off from its answers: it is left
    out rather than returned without them.
    """
    answers: dict[str, Answer] = {}
    layouts: dict[str, tuple[int, Layout]] = {}
    for number, part in enumerate(parts):
        if isinstance(part, Answer):
            answers[part.id] = part
        else:
            layouts[part.id] = number, part
    present = {name: layout for name, (_, layout) in layouts.items() if layout.answers}
    newest = sorted(present, key=lambda name: -layouts[name][0])[:limit]
    lacking = {name for name in newest if not answers.keys() >= set(present[name].answers)} if is_cut else set()
    first = {min(layouts, key=lambda name: layouts[name][0])} if is_cut and layouts else set()
    chosen = [present[name] for name in present if name in newest and name not in lacking & first]
    cards = [_assembled(layout, answers) for layout in chosen]
    return CollectedCards([card for card in cards if card is not None], bool(lacking - first))


def _assembled(layout: Layout, answers: Mapping[str, Answer]) -> Card | None:
    known = tuple(answers[name] for name in layout.answers if name in answers)
    return Card(id=layout.id, answers=known, shown=min(max(layout.shown, 0), len(known) - 1)) if known else None
