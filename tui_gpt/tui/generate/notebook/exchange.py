"""The whole notebook as one JSON file: written for other programs and people, read with distrust.

    {"format": "tui-gpt notebook", "version": 1, "cards": [
        {"id": ..., "shown": 0, "bookmarks": [ids], "notes": {id: text}, "continued": [ids], "answers": [...]}]}

`answers` holds the fields of `Answer`; `logprobs` are little-endian half floats in Base64. Importing adds: no card is
replaced, and a card that is there already in exactly this state is left out. docs/notebook.md describes the fields.
"""

import dataclasses
import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from tui_gpt.errors import ConfigError, StorageError
from tui_gpt.records import check_value, parse_object, read_record
from tui_gpt.storage.files import atomic_write, storage_errors
from tui_gpt.storage.plain_files import read_plain_file
from tui_gpt.tui.generate.notebook.answers import Answer, new_id
from tui_gpt.tui.generate.notebook.cards import Card
from tui_gpt.tui.generate.notebook.history_records import answer_from, answer_record
from tui_gpt.tui.generate.notebook.layouts import Layout

FORMAT, VERSION = "tui-gpt notebook", 1
MAX_BYTES = 1_000_000_000
"""Larger files are not read."""


def to_json(cards: Iterable[Card]) -> str:
    """Return cards as JSON text, one card per line."""
    lines = ",\n".join(json.dumps(_card_record(card), ensure_ascii=False) for card in cards)
    return f'{{"format": {json.dumps(FORMAT)}, "version": {VERSION}, "cards": [\n{lines}\n]}}\n'


def _card_record(card: Card) -> dict[str, Any]:
    layout = dataclasses.asdict(Layout.of(card))
    del layout["answers"]
    return layout | {"answers": [answer_record(answer) for answer in card.nodes]}


def from_json(text: str) -> list[Card]:
    """Return the cards of an exported notebook. Raises ConfigError with one line on what is wrong."""
    try:
        record = parse_object(text)
    except ValueError as error:
        raise ConfigError(f"it is no JSON of a notebook ({error}): export one with `tui-gpt notebook export`") from None
    if record.get("format") != FORMAT:
        raise ConfigError("it is no notebook: export one with `tui-gpt notebook export`")
    version, cards = record.get("version"), record.get("cards")
    if version != VERSION:
        raise ConfigError(f"it has version {version!r:.20} and this program reads {VERSION}: update tui-gpt")
    if record.keys() != {"format", "version", "cards"} or not isinstance(cards, list):
        raise ConfigError("it needs the fields format, version and cards, a list: export it again")
    return [_numbered(number, card) for number, card in enumerate(cards, 1)]


def _numbered(number: int, record: Any) -> Card:
    try:
        return _card_from(record)
    except ValueError as error:
        reason = str(error) if isinstance(error, ConfigError) else f"logprobs is not Base64 ({error})"
        raise ConfigError(f"card {number}: {reason}: correct it, or export the notebook again") from None


def _card_from(record: Any) -> Card:
    if not isinstance(record, dict) or not isinstance(record.get("answers"), list):
        raise ConfigError("answers is not a list")
    answers = [answer_from(_require_object(one)) for one in record["answers"]]
    known = {answer.id: answer for answer in answers}
    continued = check_value("continued", record.get("continued", []), tuple[str, ...])
    visible = [answer.id for answer in answers if answer.id not in continued]
    layout = read_record(Layout, {**record, "continued": list(continued), "answers": visible})
    if len(known) != len(answers) or not visible:
        raise ConfigError("its answers need different ids" if visible else "it shows no answer")
    if not 0 <= layout.shown < len(visible):
        raise ConfigError(f"shown is {layout.shown}, and it has {len(visible)} answers")
    unknown = sorted({*layout.continued, *layout.bookmarks, *layout.notes} - known.keys())
    if unknown:
        raise ConfigError(f"it has no answer {unknown[0]!r:.40}")
    card = layout.assembled(known)
    assert card is not None
    return card


def _require_object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError("an answer is no object")
    return value


def added(
    cards: Iterable[Card], present: Mapping[str, Card], answer_ids: Collection[str], card_ids: Collection[str]
) -> list[Card]:
    """Return the cards that an import adds to those that are present.

    A card whose id, or an answer of which, is taken (also by a removed one) gets new ids, unless it is the same as the
    present one.
    """
    new = []
    taken, taken_answers = set(card_ids), set(answer_ids)
    for card in cards:
        same = present.get(card.id)
        if same is not None and _card_record(same) == _card_record(card):  # a file has rounded log-probabilities
            continue
        if card.id in taken or any(answer.id in taken_answers for answer in card.nodes):
            card = _with_new_ids(card)
        taken.add(card.id)
        taken_answers.update(answer.id for answer in card.nodes)
        new.append(card)
    return new


def _with_new_ids(card: Card) -> Card:
    names = {answer.id: new_id() for answer in card.nodes}

    def renamed(answers: Iterable[Answer]) -> tuple[Answer, ...]:
        return tuple(
            dataclasses.replace(one, id=names[one.id], parent=names.get(one.parent, one.parent)) for one in answers
        )

    return Card(
        id=new_id(),
        answers=renamed(card.answers),
        shown=card.shown,
        continued=renamed(card.continued),
        bookmarks=frozenset(names[name] for name in card.bookmarks),
        notes={names[name]: note for name, note in card.notes.items()},
    )


def export_file(cards: Iterable[Card], path: Path) -> None:
    """Write a notebook to a new file. Raises StorageError."""
    if path.exists() or path.is_symlink():
        raise StorageError(f"{path} exists already: choose another name")
    atomic_write(path, to_json(cards).encode("utf-8", errors="replace"))


def import_file(path: Path) -> list[Card]:
    """Return the cards of an exported notebook. Raises ConfigError or StorageError with one line."""
    with storage_errors(f"read {path}"):
        content = read_plain_file(path, MAX_BYTES)
    try:
        return from_json(content.decode("utf-8"))
    except UnicodeDecodeError:
        raise ConfigError(f"{path} cannot be imported: it is not UTF-8: export the notebook again") from None
    except ConfigError as error:
        raise ConfigError(f"{path} cannot be imported: {error}") from None
