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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

from tui_gpt.config import SampleConfig
from tui_gpt.errors import ConfigError, StorageError
from tui_gpt.generation.text_model import CHANGEABLE
from tui_gpt.metrics import bits_per_character
from tui_gpt.storage import paths
from tui_gpt.storage.files import (
    append_lines,
    atomic_write,
    ensure_folder,
    open_plain,
    read_plain,
    sync_folder,
    whole_lines,
)
from tui_gpt.storage.locks import FileLock, LockHeldError

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
"""The size from which the file is replaced by one with those cards alone."""

_WHOLE_BYTES = 256_000_000
"""How much of the history's end is read for answers that lie before its tail."""
_LINE_BYTES = 16_000_000
"""Bytes of one line; longer ones are foreign."""
_WORTHWHILE = 0.75
"""A smaller file is written only when it has at most this share of the old one's size."""
_PATIENCE_SECONDS = 2.0
"""How long another app may take to write."""


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
    copied: float | None = None
    """What share of `text` is copied, see `TextModel.copied`; None where that is not known."""

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
        return bits_per_character(-sum(known) / len(known)) if known else None

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

    def collect_garbage(self, answer: Answer) -> Card | None:
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
    """The notebook's file. A disk that refuses costs the history and nothing else.

    Several apps may share it: each appends whole lines, under a lock, and none rewrites what another has just appended.
    An answer is forced to the disk. Which one a card shows, and that a card is gone, is left to the system.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or paths.history_file()
        self._written: dict[str, Answer | _JsonObject] = {}
        self._file: tuple[int, int] | None = None
        """The file that holds what `_written` says; another app may have put a new one in its place."""

    def load(self, limit: int = HISTORY_CARDS) -> list[Card]:
        """The last cards, oldest first. A file that has grown beyond reason keeps these alone."""
        if self._size() > COMPACT_BYTES:
            with contextlib.suppress(OSError, StorageError, LockHeldError):
                self._rewrite(limit)
        self._written = {}
        cards = self._read(limit)
        for card in cards:
            self._written.update(self._news(card))
        return cards

    def save(self, card: Card) -> bool:
        """Append what is new about a card; whether the disk took it."""
        return not self._news(card) or self._append(lambda: self._news(card))

    def remove(self, card_id: str) -> bool:
        """Append that a card is gone; whether the disk took it."""
        return self._append(lambda: {card_id: _layout_record(card_id, (), 0)})

    def _news(self, card: Card) -> dict[str, Answer | _JsonObject]:
        """The answers of a card and its layout, by name, as far as the file does not hold them yet."""
        fresh: dict[str, Answer | _JsonObject] = {
            answer.id: answer for answer in card.answers if self._written.get(answer.id) is not answer
        }
        layout = _layout_record(card.id, card.answers, card.shown)
        return fresh if self._written.get(card.id) == layout else fresh | {card.id: layout}

    def _append(self, news: Callable[[], Mapping[str, Answer | _JsonObject]]) -> bool:
        """Append what `news` gives once the file is locked, and whether the disk took it.

        The file is no longer locked while an answer is forced to the disk, so that other apps need not wait for it.
        """
        try:
            ensure_folder(self.path.parent)
            with contextlib.ExitStack() as opened:
                with self._locked():
                    descriptor = opened.enter_context(_opened(self.path))
                    status = os.fstat(descriptor)
                    self._look_at(status)
                    parts = news()
                    append_lines(descriptor, b"".join(map(_line, map(_record, parts.values()))))
                if any(isinstance(part, Answer) for part in parts.values()):
                    os.fsync(descriptor)
                if not status.st_size:
                    sync_folder(self.path.parent)
        except (OSError, LockHeldError):
            return False
        self._written.update(parts)
        return True

    def _look_at(self, status: os.stat_result) -> None:
        """Forget what was written when another file has taken the place of the one that holds it."""
        if (status.st_dev, status.st_ino) != self._file:
            self._written = {}
        self._file = status.st_dev, status.st_ino

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other apps from writing the file. Raises LockHeldError, OSError."""
        lock = FileLock(self.path.with_name(f"{self.path.name}.lock"))
        lock.acquire(_PATIENCE_SECONDS)
        try:
            yield
        finally:
            lock.release()

    def _rewrite(self, limit: int) -> None:
        """Replace the file by one that holds the last cards alone, where that makes it smaller.

        Raises OSError, StorageError, LockHeldError; the file is then as it was.
        """
        with self._locked():
            gathered = self._gathered(_WHOLE_BYTES, limit)
            if gathered.lacks_answers:
                return
            content = b"".join(_line(record) for card in gathered.cards for record in _records_of(card))
            if len(content) < _WORTHWHILE * self._size():
                atomic_write(self.path, content)

    def _read(self, limit: int) -> list[Card]:
        """The last cards, from the file's end; from more of it where an answer of theirs lies before that."""
        gathered = self._gathered(TAIL_BYTES, limit)
        return (self._gathered(_WHOLE_BYTES, limit) if gathered.lacks_answers else gathered).cards

    def _gathered(self, last_bytes: int, limit: int) -> "_Gathered":
        is_cut = self._size() > last_bytes
        return _Gathered.of(self._records(last_bytes), limit, is_cut=is_cut)

    def _size(self) -> int:
        try:
            return self.path.lstat().st_size
        except OSError:
            return 0

    def _records(self, last_bytes: int) -> Iterator[dict[str, Any]]:
        """The objects in the file's last lines, passing over what is none."""
        try:
            with read_plain(self.path) as file:
                self._look_at(os.fstat(file.fileno()))
                file.seek(max(0, file.seek(0, os.SEEK_END) - last_bytes))
                for line in whole_lines(file, _LINE_BYTES):
                    record = _parsed(line)
                    if isinstance(record, dict):
                        yield record
        except OSError:
            return


@dataclass
class _Gathered:
    """The cards that some of the file's records tell of."""

    cards: list[Card]
    lacks_answers: bool
    """Whether an answer of theirs lies before the records."""

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]], limit: int, *, is_cut: bool) -> "_Gathered":
        """The last `limit` cards that were changed, in the order in which they were begun.

        `is_cut` says that more records lie before these. The first card may then be cut from its answers: it is left
        out, rather than shown without them.
        """
        answers: dict[str, Answer] = {}
        layouts: dict[str, tuple[int, list[str], int]] = {}
        for number, record in enumerate(records):
            if (answer := _answer_from(record.get("answer"))) is not None:
                answers[answer.id] = answer
            if (layout := _layout_from(record.get("card"))) is not None:
                layouts[layout[0]] = (number, *layout[1:])
        standing = {name: layout for name, layout in layouts.items() if layout[1]}
        newest = sorted(standing, key=lambda name: -standing[name][0])[:limit]
        lacking = {name for name in newest if not answers.keys() >= set(standing[name][1])} if is_cut else set()
        first = {min(layouts, key=lambda name: layouts[name][0])} if is_cut and layouts else set()
        chosen = {name: standing[name] for name in standing if name in newest and name not in lacking & first}
        cards = [_assembled(name, names, shown, answers) for name, (_, names, shown) in chosen.items()]
        return cls([card for card in cards if card is not None], bool(lacking - first))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = open_plain(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8", errors="replace"))
    except (ValueError, RecursionError):
        return None


def _line(record: _JsonObject) -> bytes:
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"
    return text.encode("utf-8", errors="surrogatepass")


def _record(part: Answer | _JsonObject) -> _JsonObject:
    return _answer_record(part) if isinstance(part, Answer) else part


def _records_of(card: Card) -> list[_JsonObject]:
    return [*map(_answer_record, card.answers), _layout_record(card.id, card.answers, card.shown)]


def _answer_record(answer: Answer) -> _JsonObject:
    """An answer as JSON; its probabilities are packed as half floats, for there may be 100,000 of them."""
    record = {name: getattr(answer, name) for name in _PLAIN_FIELDS}
    packed = struct.pack(f"<{len(answer.logprobs)}e", *(max(logprob, _LEAST_HALF) for logprob in answer.logprobs))
    record |= {"config": dataclasses.asdict(answer.config), "logprobs": base64.b64encode(packed).decode("ascii")}
    if answer.changes:
        record["changes"] = list(map(list, answer.changes))
    if answer.copied is not None:
        record["copied"] = answer.copied
    return {"answer": record}


def _layout_record(card_id: str, answers: Sequence[Answer], shown: int) -> _JsonObject:
    return {"card": {"id": card_id, "answers": [answer.id for answer in answers], "shown": shown}}


_OPTIONAL_FIELDS = {"changes", "copied"}
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
    if not isinstance(record, dict):
        return None
    if record.keys() - _PLAIN_FIELDS.keys() - _OPTIONAL_FIELDS != {"config", "logprobs"}:
        return None
    plain = {name: record[name] for name in _PLAIN_FIELDS if isinstance(record.get(name, ...), _PLAIN_FIELDS[name])}
    if plain.keys() != _PLAIN_FIELDS.keys() or plain["kind"] not in ("written", "measured"):
        return None
    try:
        config = SampleConfig.from_dict(record["config"])
        packed = base64.b64decode(record["logprobs"], validate=True)
        logprobs = struct.unpack(f"<{len(packed) // 2}e", packed)
        changes = tuple(map(_change_from, record.get("changes", [])))
        copied = _share_from(record.get("copied"))
    except (ConfigError, AttributeError, TypeError, ValueError, struct.error):
        return None
    known = tuple(math.nan if math.isnan(one) else one for one in logprobs)
    return Answer(**plain, config=config, changes=changes, logprobs=known, copied=copied)


def _share_from(value: Any) -> float | None:
    """The share that is noted, if any. Raises ValueError for anything else."""
    if value is not None and (type(value) not in (int, float) or not 0 <= value <= 1):
        raise ValueError("it is no share")
    return cast(float | None, value)


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
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            continue
        sync_folder(folder)
        return path
    raise FileExistsError(f"{folder / stem}{suffix} and its successors are all taken")
