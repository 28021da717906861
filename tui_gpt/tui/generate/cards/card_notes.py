"""The notes under an answer: model, seed, settings, length, speed, and what went wrong."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tui_gpt.formatting import format_rate
from tui_gpt.generation.steering.endings import END_WORDS
from tui_gpt.metrics import COPIED_LENGTH
from tui_gpt.tui.generate.notebook import Answer, Card, sampling_notes
from tui_gpt.tui.generate.notebook.search import places
from tui_gpt.tui.text.wrap import Wrapped, glyphs

BOOKMARK_SYMBOL, NOTE_SYMBOL = "★", "✎"
Stage = Literal["", "opening", "generating"]
Note = tuple[str, str]
"""A row under the text, and its tone."""

_MIN_RATE_SECONDS = 0.3
"""A rate measured over a shorter time is too noisy to show."""


@dataclass(frozen=True)
class NoteContext:
    """What the notes of an answer depend on besides the answer."""

    card: Card
    characters: int
    """The length of the text on screen, with the prompt."""
    is_alone: bool
    """Whether no other answer is shown beside it."""
    stage: Stage = ""
    seconds: float = 0.0
    """The time that the generation has taken."""
    waiting: str = ""
    """Seconds waited before the first character, in words."""
    show_probabilities: bool = False
    words: str = ""
    """The words that are searched for."""


def note_rows(answer: Answer, context: NoteContext, width: int) -> Iterator[Note]:
    """Yield the notes of an answer, wrapped to `width` cells."""
    if written := context.card.notes.get(answer.id):
        for line in f"{NOTE_SYMBOL} {written}".split("\n"):
            yield from _wrapped(line, "note-found" if context.words and places(context.words, line) else "note", width)
    if answer.left_out:
        characters = " ".join(glyphs(answer.left_out[:20]))
        yield from _wrapped(f"left out, as the model does not know it: {characters}", "notice", width)
    if answer.error:
        yield from _wrapped(f"✗ {answer.error}", "error", width)
    is_main = not context.is_alone and answer.id == context.card.answer.id
    yield from _joined(_facts(answer, context), width, "meta-shown" if is_main else "meta")


def _facts(answer: Answer, context: NoteContext) -> Iterator[str]:
    """Yield phrases that are not to be broken across rows."""
    if answer.id in context.card.bookmarks:
        yield BOOKMARK_SYMBOL
    yield from _number(answer, context.card)
    if context.stage == "opening":
        yield f"opening {answer.source or 'the newest model'} …{context.waiting}"
        return
    if _is_by_hand(answer):
        yield f"{len(answer.kept):,} characters written by hand"
        return
    if answer.model:
        yield answer.model
    if answer.step:
        yield f"step {answer.step:,}"
    if answer.kind == "written" and (answer.model or answer.text):
        yield from sampling_notes(answer)
    yield from _size(answer, context)
    if context.stage:
        yield ("generating …" if answer.kind == "written" else "computing probabilities …") + context.waiting
    elif answer.stopped:
        yield "stopped"
    elif answer.end:
        yield END_WORDS[answer.end]


def _is_by_hand(answer: Answer) -> bool:
    """Return whether no model has been asked to continue what is kept: it was composed by hand."""
    return bool(answer.kept) and not (answer.text or answer.model or answer.error or answer.stopped)


def _number(answer: Answer, card: Card) -> Iterator[str]:
    """Yield which of several answers this is, with arrows on the shown one."""
    count = len(card.answers)
    if count > 1:
        number = 1 + next(k for k, one in enumerate(card.answers) if one.id == answer.id)
        yield f"‹ {number}/{count} ›" if answer.id == card.answer.id else f"{number}/{count}"


def _size(answer: Answer, context: NoteContext) -> Iterator[str]:
    """Yield length, copied fraction, speed and mean log-probability."""
    generating = bool(context.stage)
    length = context.characters - len(answer.given) if generating else len(answer.text)
    yield f"{length:,} characters"
    if answer.copied is not None:
        yield f"{answer.copied:.1%} copied in pieces of {COPIED_LENGTH}+"
    seconds = context.seconds if generating else answer.seconds
    if answer.kind == "written" and length > 1 and seconds > (_MIN_RATE_SECONDS if generating else 0.0):
        yield format_rate(length / seconds)
    if (context.show_probabilities or answer.kind == "measured") and (bits := answer.bits_per_char) is not None:
        yield f"{bits:.2f} bits per character"


def _wrapped(text: str, tone: str, width: int) -> Iterator[Note]:
    return ((row.rstrip(), tone) for row in Wrapped(glyphs(text).replace("\n", " "), width).rows())


def _joined(facts: Iterator[str], width: int, tone: str) -> Iterator[Note]:
    """Join facts in as few rows as possible, without breaking one that fits into a row."""
    row = ""
    for fact in map(glyphs, facts):
        longer = f"{row} · {fact}" if row else fact
        if row and len(longer) > width:
            yield from _wrapped(row, tone, width)
            longer = fact
        row = longer
    yield from _wrapped(row, tone, width)
