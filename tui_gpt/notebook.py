"""The Generate tab's notebook: cards, the answers each one has gathered, and a history that survives a restart.

Every value is frozen, so a change is a new tuple of cards and undo is the old one. An answer keeps apart what the user
gave, what was kept of earlier answers and what this draw wrote; with its settings and its seed it can be written again.
The history is a file of JSON lines that only grows: an answer when it is done, a card's layout when it changes; the
last line about a thing holds. No line is trusted: what cannot be understood is passed over. Nothing here samples.
"""

import dataclasses
import json
import math
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from tui_gpt import paths
from tui_gpt.config import SampleConfig
from tui_gpt.errors import ConfigError

AnswerKind = Literal["written", "measured"]

UNDO_DEPTH = 200
"""Changes that can be taken back."""

HISTORY_CARDS = 50
"""Cards that come back at a restart."""

TAIL_BYTES = 4_000_000
"""How much of the history's end is read for them."""


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
            prompt=self.prompt, kept=self.kept, logprobs=self.logprobs[: len(self.kept)], config=config, source=source
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

    def with_answer(self, answer: Answer) -> "Card":
        """The card with one more answer, which is shown."""
        return replace(self, answers=(*self.answers, answer), shown=len(self.answers))

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
        before, self.cards = self.cards, self._past.pop()
        return {card.id for card in set(before) ^ set(self.cards)}

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
        self._written: dict[str, str] = {}

    def load(self, limit: int = HISTORY_CARDS) -> list[Card]:
        """The last cards, oldest first."""
        answers: dict[str, Answer] = {}
        layouts: dict[str, tuple[list[str], int]] = {}
        for record in self._records():
            if (answer := _answer_from(record.get("answer"))) is not None:
                answers[answer.id] = answer
            if (layout := _layout_from(record.get("card"))) is not None:
                layouts[layout[0]] = layout[1:]
        cards = [_assembled(card_id, *layout, answers) for card_id, layout in layouts.items()]
        return [card for card in cards if card is not None][-limit:]

    def save(self, card: Card) -> bool:
        """Append what is new about a card; whether the disk took it."""
        return self._append([*map(_answer_record, card.answers), _layout_record(card.id, card.answers, card.shown)])

    def remove(self, card_id: str) -> bool:
        """Append that a card is gone; whether the disk took it."""
        return self._append([_layout_record(card_id, (), 0)])

    def _append(self, records: Iterable[dict[str, dict[str, Any]]]) -> bool:
        """Append the records that say something new about their subject."""
        lines = []
        for record in records:
            subject = next(iter(record.values()))["id"]
            line = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
            if self._written.get(subject) != line:
                self._written[subject] = line
                lines.append(line + "\n")
        if not lines:
            return True
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8", errors="surrogatepass") as file:
                file.write(self._mended() + "".join(lines))
        except OSError:
            return False
        return True

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


def _answer_record(answer: Answer) -> dict[str, dict[str, Any]]:
    record = dataclasses.asdict(answer)
    record["logprobs"] = [None if math.isnan(value) else round(value, 3) for value in answer.logprobs]
    return {"answer": record}


def _layout_record(card_id: str, answers: Sequence[Answer], shown: int) -> dict[str, dict[str, Any]]:
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
    "seconds": (int, float),
    "left_out": (str,),
    "stopped": (bool,),
    "error": (str,),
}


def _answer_from(record: Any) -> Answer | None:
    """The answer a line tells of; None for anything else."""
    if not isinstance(record, dict) or record.keys() - _PLAIN_FIELDS.keys() != {"config", "logprobs"}:
        return None
    plain = {name: record[name] for name in _PLAIN_FIELDS if isinstance(record.get(name, ...), _PLAIN_FIELDS[name])}
    logprobs = record["logprobs"]
    if plain.keys() != _PLAIN_FIELDS.keys() or plain["kind"] not in ("written", "measured"):
        return None
    if not isinstance(logprobs, list) or not all(isinstance(value, int | float | None) for value in logprobs):
        return None
    try:
        config = SampleConfig.from_dict(record["config"])
    except (ConfigError, AttributeError, TypeError):
        return None
    return Answer(
        **plain, config=config, logprobs=tuple(math.nan if value is None else float(value) for value in logprobs)
    )


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
    config = answer.config
    parts = [answer.model or "no model"]
    if answer.step:
        parts.append(f"step {answer.step:,}")
    if answer.kind == "written":
        parts += [f"seed {config.seed}", f"temperature {config.temperature:g}"]
        parts += [f"top-k {config.top_k}"] if config.top_k else []
        parts += [f"top-p {config.top_p:g}"] if config.top_p < 1.0 else []
        parts += [f"min-p {config.min_p:g}"] if config.min_p else []
    return ", ".join([*parts, f"{len(answer.text):,} characters"])


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
