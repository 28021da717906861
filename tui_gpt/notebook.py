"""The Generate tab's notebook: cards, the answers each one has gathered, and a history that survives a restart.

Every value is frozen, so a change is a new tuple of cards and undo is the old one. An answer keeps apart what the user
gave, what was kept of earlier answers and what this draw wrote; with its settings and its seed it can be written again.
The history is a file of JSON lines that only grows: an answer when it is done, a card's layout when it changes; the
last line about a thing holds. No line is trusted: what cannot be understood is passed over. Nothing here samples.
"""

import base64
import contextlib
import dataclasses
import json
import math
import os
import struct
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from tui_gpt import paths
from tui_gpt.config import SampleConfig
from tui_gpt.errors import ConfigError, StorageError
from tui_gpt.files import atomic_write, ensure_folder, sync_folder
from tui_gpt.writing import CHANGEABLE

_JsonObject = dict[str, dict[str, Any]]

AnswerKind = Literal["written", "measured"]

UNDO_DEPTH = 200
"""Changes that can be taken back."""

HISTORY_CARDS = 50
"""Cards that come back at a restart."""

TAIL_BYTES = 4_000_000
"""How much of the history's end is read for them."""

_LEAST_HALF = -60_000.0
"""About the least number that a half float holds."""

COMPACT_BYTES = 16_000_000
"""The size from which the file is written anew with those cards alone."""


Change = tuple[int, str, float]
"""After so many characters a setting took this value."""


def new_id() -> str:
    """A name for a card or an answer that no other one has."""
    return uuid.uuid4().hex[:12]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One draw from one model: `text` is what it wrote after `prompt + kept`; or `text` measured, not written."""

    id: str = field(default_factory=new_id)
    kind: AnswerKind = "written"
    prompt: str = ""
    """What the user gave."""
    kept: str = ""
    """What was kept of an earlier answer."""
    text: str = ""
    logprobs: tuple[float, ...] = ()
    """Natural logarithms of the model's probabilities, one a character of `kept + text`; NaN where it is not known."""
    source: str | None = None
    """The model asked for, as `SessionLike.open_model` takes it."""
    model: str = ""
    """The model that wrote."""
    step: int = 0
    config: SampleConfig = field(default_factory=SampleConfig)
    """With the seed that was drawn."""
    changes: tuple[Change, ...] = ()
    """What was changed while `text` was being written."""
    batch: int = 1
    """How many answers were written at once from that seed."""
    place: int = 0
    """Which of them this is."""
    seconds: float = 0.0
    """Time spent writing `text`."""
    left_out: str = ""
    """Characters of the prompt that the model never saw."""
    stopped: bool = False
    """Whether the user stopped it."""
    error: str = ""
    """Why it ended, if it failed."""

    @property
    def given(self) -> str:
        """What the model was given to go on from."""
        return self.prompt + self.kept

    @property
    def full(self) -> str:
        """Everything there is to read."""
        return self.prompt + self.kept + self.text

    @property
    def bits_per_char(self) -> float | None:
        """Mean surprise of the characters whose probability is known, in bits; None without any."""
        known = [logprob for logprob in self.logprobs if not math.isnan(logprob)]
        return -sum(known) / len(known) / math.log(2.0) if known else None

    def probability(self, index: int) -> float | None:
        """What share the model gave to the character at `index` of `full`; None where it is not known."""
        place = index - len(self.prompt)
        if not 0 <= place < len(self.logprobs) or math.isnan(self.logprobs[place]):
            return None
        return math.exp(self.logprobs[place])

    def extended(self, config: SampleConfig, source: str | None) -> "Answer":
        """The answer that goes on where this one ends, nothing written yet."""
        return Answer(
            prompt=self.prompt,
            kept=self.kept + self.text,
            logprobs=self.logprobs,
            config=config,
            source=source,
        )

    def again(self, config: SampleConfig, source: str | None) -> "Answer":
        """The answer to the same given text, nothing written yet."""
        return Answer(
            prompt=self.prompt,
            kept=self.kept,
            logprobs=self.logprobs[: len(self.kept)],
            config=config,
            source=source,
        )

    def batch_of(self, count: int, config: SampleConfig, source: str | None) -> "tuple[Answer, ...]":
        """Several answers to the same given text, to be written at once."""
        return tuple(
            replace(self.again(config, source), id=new_id(), batch=count, place=place) for place in range(count)
        )

    def branched(self, index: int, character: str, config: SampleConfig, source: str | None) -> "Answer":
        """The answer that keeps everything before `index`, goes on with `character`, and has written nothing yet."""
        if index < len(self.prompt):
            return Answer(prompt=self.prompt[:index] + character, config=config, source=source)
        cut = index - len(self.prompt)
        return Answer(
            prompt=self.prompt,
            kept=(self.kept + self.text)[:cut] + character,
            logprobs=(*self.logprobs[:cut], math.nan),
            config=config,
            source=source,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """The answers to one prompt, and which of them is shown."""

    id: str = field(default_factory=new_id)
    answers: tuple[Answer, ...]
    shown: int = 0

    @property
    def answer(self) -> Answer:
        """The answer that is shown."""
        return self.answers[self.shown]

    def with_answers(self, *answers: Answer) -> "Card":
        """The card with more answers, the first of which is shown."""
        return replace(self, answers=(*self.answers, *answers), shown=len(self.answers))

    def with_shown(self, answer: Answer) -> "Card":
        """The card with the shown answer replaced."""
        return replace(self, answers=(*self.answers[: self.shown], answer, *self.answers[self.shown + 1 :]))

    def swiped(self, by: int) -> "Card":
        """The card with another answer shown, as far as there are some."""
        return replace(self, shown=min(max(self.shown + by, 0), len(self.answers) - 1))


class Notebook:
    """The cards in order, with undo. Changes are kept in memory; `History` puts them on disk."""

    def __init__(self, cards: Iterable[Card] = ()) -> None:
        self.cards: tuple[Card, ...] = tuple(cards)
        self._past: list[tuple[Card, ...]] = []

    def find(self, card_id: str) -> Card | None:
        """The card of that name."""
        return next((card for card in self.cards if card.id == card_id), None)

    def put(self, card: Card, *, undoable: bool = True) -> None:
        """Replace the card of that name, or add it at the end."""
        if undoable:
            self._past.append(self.cards)
            del self._past[:-UNDO_DEPTH]
        if self.find(card.id) is None:
            self.cards = (*self.cards, card)
        else:
            self.cards = tuple(card if one.id == card.id else one for one in self.cards)

    def settle(self, answer: Answer) -> Card | None:
        """Put an answer that has grown in the place of its beginnings, also in the past; the card that shows it."""
        self._past = [_settled(cards, answer) for cards in self._past]
        self.cards = _settled(self.cards, answer)
        return next((card for card in self.cards if any(one.id == answer.id for one in card.answers)), None)

    def remove(self, card_id: str) -> None:
        """Take a card away."""
        self._past.append(self.cards)
        self.cards = tuple(card for card in self.cards if card.id != card_id)

    def undo(self) -> set[str]:
        """Take the last change back; the names of the cards that came, went or changed by it."""
        if not self._past:
            return set()
        before, self.cards = {card.id: card for card in self.cards}, self._past.pop()
        after = {card.id: card for card in self.cards}
        return {name for name in before.keys() | after.keys() if before.get(name) is not after.get(name)}

    def prompts(self) -> list[str]:
        """What the user gave, oldest first, each once."""
        given = [answer.prompt for card in self.cards for answer in card.answers if answer.prompt]
        return list(dict.fromkeys(reversed(given)))[::-1]


def _settled(cards: tuple[Card, ...], answer: Answer) -> tuple[Card, ...]:
    def settled(card: Card) -> Card:
        if all(one.id != answer.id for one in card.answers):
            return card
        return replace(card, answers=tuple(answer if one.id == answer.id else one for one in card.answers))

    return tuple(map(settled, cards))


class History:
    """The notebook's file. A disk that refuses costs the history and nothing else."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or paths.history_file()
        self._written: dict[str, object] = {}

    def load(self, limit: int = HISTORY_CARDS) -> list[Card]:
        """The last cards, oldest first. A file that has grown beyond reason keeps these alone."""
        cards = self._read()[-limit:]
        for card in cards:
            self._news(card)
        if self._size() > COMPACT_BYTES:
            self._rewrite(cards)
        return cards

    def save(self, card: Card) -> bool:
        """Append what is new about a card; whether the disk took it."""
        return self._append(self._news(card))

    def remove(self, card_id: str) -> bool:
        """Append that a card is gone; whether the disk took it."""
        self._written.pop(card_id, None)
        return self._append([_layout_record(card_id, (), 0)])

    def _read(self) -> list[Card]:
        answers: dict[str, Answer] = {}
        layouts: dict[str, tuple[list[str], int]] = {}
        for record in self._records():
            if (answer := _answer_from(record.get("answer"))) is not None:
                answers[answer.id] = answer
            if (layout := _layout_from(record.get("card"))) is not None:
                layouts[layout[0]] = layout[1:]
        cards = [_assembled(card_id, *layout, answers) for card_id, layout in layouts.items()]
        return [card for card in cards if card is not None]

    def _news(self, card: Card) -> list[_JsonObject]:
        """The records of a card that were not written yet, or otherwise; from now on they are."""
        fresh = [answer for answer in card.answers if self._written.get(answer.id) is not answer]
        self._written.update((answer.id, answer) for answer in fresh)
        layout = _layout_record(card.id, card.answers, card.shown)
        if self._written.get(card.id) == layout:
            return list(map(_answer_record, fresh))
        self._written[card.id] = layout
        return [*map(_answer_record, fresh), layout]

    def _append(self, records: Sequence[_JsonObject]) -> bool:
        if not records:
            return True
        try:
            ensure_folder(self.path.parent)
            is_new = not self.path.exists()
            with self.path.open("a", encoding="utf-8", errors="surrogatepass") as file:
                file.write(self._mended() + "".join(map(_line, records)))
                file.flush()
                os.fsync(file.fileno())
            if is_new:
                sync_folder(self.path.parent)
        except OSError:
            return False
        return True

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def _rewrite(self, cards: Sequence[Card]) -> None:
        """Replace the file by one that holds these cards alone; a disk that refuses leaves it as it is."""
        records = [
            record
            for card in cards
            for record in (*map(_answer_record, card.answers), _layout_record(card.id, card.answers, card.shown))
        ]
        with contextlib.suppress(StorageError):
            atomic_write(self.path, "".join(map(_line, records)).encode("utf-8", "surrogatepass"))

    def _mended(self) -> str:
        """A line break where the file's last line was torn."""
        with self.path.open("rb") as file:
            if file.seek(0, 2) == 0:
                return ""
            file.seek(-1, 2)
            return "" if file.read(1) == b"\n" else "\n"

    def _records(self) -> Iterator[dict[str, Any]]:
        """The objects in the file's last lines, passing over what is none."""
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - TAIL_BYTES))
                tail = file.read()
        except OSError:
            return
        for line in tail.decode("utf-8", errors="replace").split("\n"):
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(record, dict):
                yield record


def _line(record: _JsonObject) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"


def _answer_record(answer: Answer) -> _JsonObject:
    """An answer as JSON; its probabilities are packed as half floats, for there may be 100,000 of them."""
    record = {name: getattr(answer, name) for name in _PLAIN_FIELDS}
    packed = struct.pack(f"<{len(answer.logprobs)}e", *(max(logprob, _LEAST_HALF) for logprob in answer.logprobs))
    record |= {"config": dataclasses.asdict(answer.config), "logprobs": base64.b64encode(packed).decode("ascii")}
    return {"answer": record | ({"changes": list(map(list, answer.changes))} if answer.changes else {})}


def _layout_record(card_id: str, answers: Sequence[Answer], shown: int) -> _JsonObject:
    return {"card": {"id": card_id, "answers": [answer.id for answer in answers], "shown": shown}}


_PLAIN_FIELDS: Mapping[str, tuple[type, ...]] = {
    "id": (str,),
    "kind": (str,),
    "prompt": (str,),
    "kept": (str,),
    "text": (str,),
    "source": (str, type(None)),
    "model": (str,),
    "step": (int,),
    "batch": (int,),
    "place": (int,),
    "seconds": (int, float),
    "left_out": (str,),
    "stopped": (bool,),
    "error": (str,),
}


def _answer_from(record: Any) -> Answer | None:
    """The answer a line tells of; None for anything else."""
    if not isinstance(record, dict) or record.keys() - _PLAIN_FIELDS.keys() - {"changes"} != {"config", "logprobs"}:
        return None
    plain = {name: record[name] for name in _PLAIN_FIELDS if isinstance(record.get(name, ...), _PLAIN_FIELDS[name])}
    if plain.keys() != _PLAIN_FIELDS.keys() or plain["kind"] not in ("written", "measured"):
        return None
    try:
        config = SampleConfig.from_dict(record["config"])
        packed = base64.b64decode(record["logprobs"], validate=True)
        logprobs = struct.unpack(f"<{len(packed) // 2}e", packed)
        changes = tuple(map(_change_from, record.get("changes", [])))
    except (ConfigError, AttributeError, TypeError, ValueError, struct.error):
        return None
    known = tuple(math.nan if math.isnan(one) else one for one in logprobs)
    return Answer(**plain, config=config, changes=changes, logprobs=known)


def _change_from(record: Any) -> Change:
    """The change a line tells of. Raises ConfigError, TypeError or ValueError for anything else."""
    at, name, value = record
    if type(at) is not int or name not in CHANGEABLE:
        raise ValueError("it is no change")
    SampleConfig.from_dict({name: value})
    return at, name, value


def _layout_from(record: Any) -> tuple[str, list[str], int] | None:
    """A card's name, the names of its answers, and which is shown; None for anything else."""
    if not isinstance(record, dict):
        return None
    card_id, answers, shown = record.get("id"), record.get("answers"), record.get("shown")
    if not isinstance(card_id, str) or not isinstance(answers, list) or type(shown) is not int:
        return None
    return (card_id, answers, shown) if all(isinstance(one, str) for one in answers) else None


def _assembled(card_id: str, names: list[str], shown: int, answers: Mapping[str, Answer]) -> Card | None:
    known = tuple(answers[name] for name in names if name in answers)
    return Card(id=card_id, answers=known, shown=min(max(shown, 0), len(known) - 1)) if known else None


def as_text(card: Card) -> str:
    """The shown answer, as it reads."""
    return card.answer.full


def as_markdown(card: Card) -> str:
    """Every answer of a card, each in a code block with a line that says how it was made."""
    return f"# {_title(card)}\n\n" + "\n".join(map(_markdown_answer, card.answers))


def _title(card: Card) -> str:
    first = card.answer.full.strip().partition("\n")[0]
    title = "".join(character for character in first if character.isalnum() or character in " .,:;!?'-")
    return title[:60].strip() or "An answer"


def _markdown_answer(answer: Answer) -> str:
    runs = (len(run) for run in "".join(c if c == "`" else " " for c in answer.full).split())
    fence = "`" * max(3, 1 + max(runs, default=0))
    return f"{provenance(answer)}\n\n{fence}text\n{answer.full}\n{fence}\n"


def provenance(answer: Answer) -> str:
    """How an answer was made: `shipped, step 2,000, seed 17, temperature 0.8, top-k 20, 500 characters`."""
    parts = [answer.model or "no model"]
    if answer.step:
        parts.append(f"step {answer.step:,}")
    if answer.kind == "written":
        parts += settings_told(answer)
    return ", ".join([*parts, f"{len(answer.text):,} characters"])


_LABELS: Mapping[str, str] = {
    "temperature": "temperature",
    "top_k": "top-k",
    "top_p": "top-p",
    "min_p": "min-p",
    "max_new_tokens": "length",
}


def settings_told(answer: Answer) -> Iterator[str]:
    """How an answer was drawn: its seed, its temperature, what else filtered or changed, e.g. `top-k 20`,
    `temperature 0.8 → 1.1 at 120`."""
    config = answer.config
    yield f"seed {config.seed}" + (f" ({answer.place + 1} of {answer.batch})" if answer.batch > 1 else "")
    idle = {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "max_new_tokens": config.max_new_tokens}
    for name, label in _LABELS.items():
        value = getattr(config, name)
        changes = [f" → {_told(name, to)} at {at:,}" for at, changed, to in answer.changes if changed == name]
        if changes or value != idle.get(name):
            yield f"{label} {_told(name, value)}" + "".join(changes)


def _told(name: str, value: float) -> str:
    return "all" if name == "top_k" and not value else f"{value:,}" if isinstance(value, int) else f"{value:g}"


def save_copy(card: Card, folder: Path, *, markdown: bool = False) -> Path:
    """Write a card into a new file of `folder`, as text or as Markdown; the file. Raises OSError."""
    suffix, content = (".md", as_markdown(card)) if markdown else (".txt", as_text(card) + "\n")
    words = "".join(c if c.isascii() and c.isalnum() else " " for c in card.answer.full[:40]).lower().split()
    stem = "-".join(["tui-gpt", *words[:4]])
    for number in range(1, 10_000):
        path = folder / f"{stem}{'' if number == 1 else f'-{number}'}{suffix}"
        try:
            with path.open("x", encoding="utf-8", errors="replace") as file:
                file.write(content)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(f"{folder / stem}{suffix} and its successors are all taken")
