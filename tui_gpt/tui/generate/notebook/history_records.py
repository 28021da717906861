"""The lines of the history file: an object with one key, the kind of the part, and the part's fields.

The last line for an answer or a card wins. No line is trusted: one that does not fit is refused.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from tui_gpt.config import SampleConfig
from tui_gpt.errors import ConfigError
from tui_gpt.generation.steering.endings import END_WORDS
from tui_gpt.generation.text_model import CHANGEABLE
from tui_gpt.records import parse_object, read_record
from tui_gpt.tui.generate.notebook.answers import Answer
from tui_gpt.tui.generate.notebook.layouts import Layout, Shown, Step, Undone
from tui_gpt.tui.generate.notebook.logprobs import pack, unpack
from tui_gpt.tui.generate.notebook.notebook import Part

_KINDS: Mapping[str, type[Layout | Step | Undone | Shown]] = {
    "card": Layout,
    "step": Step,
    "undone": Undone,
    "shown": Shown,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def to_line(part: Part) -> bytes:
    """Return a line of the file."""
    if isinstance(part, Answer):
        record: dict[str, Any] = {"answer": answer_record(part)}
    else:
        record = {_NAMES[type(part)]: dataclasses.asdict(part)}
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"
    return text.encode("utf-8", errors="replace")


def answer_record(answer: Answer) -> dict[str, Any]:
    """Return an answer as plain data; its log-probabilities, up to 100,000 numbers, are packed as half floats."""
    record = {field.name: getattr(answer, field.name) for field in dataclasses.fields(answer)}
    return record | {"config": dataclasses.asdict(answer.config), "logprobs": pack(answer.logprobs)}


def from_line(text: str) -> Part:
    """Inverse of `to_line`. Raises ValueError."""
    record = parse_object(text)
    kind, content = next(iter(record.items()), ("", None))
    if len(record) == 1 and isinstance(content, dict):
        if kind == "answer":
            return answer_from(content)
        if kind in _KINDS:
            return read_record(_KINDS[kind], content)
    raise ValueError("is no part of a notebook")


def answer_from(record: Mapping[str, Any]) -> Answer:
    """Inverse of `answer_record`. Raises ValueError."""
    logprobs = record.get("logprobs")
    answer = read_record(Answer, record if logprobs is None else {**record, "logprobs": unpack(logprobs)})
    for _, name, value in answer.changes:
        if name not in CHANGEABLE:
            raise ConfigError(f"{name} cannot change during a generation", name)
        SampleConfig.from_dict({name: value})
    if answer.end and answer.end not in END_WORDS:
        raise ConfigError("end is an unknown reason", "end")
    if answer.copied is not None and not 0 <= answer.copied <= 1:
        raise ConfigError("copied is not a fraction", "copied")
    return answer
