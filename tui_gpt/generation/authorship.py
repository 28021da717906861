"""Which of several models predicts a text best: bits per character, the unit that compares tokenizers.

The comparison is fair because all models are scored on the same characters: those that all of them know. A model that
knows less than MIN_KNOWN of the text is not compared, so that it cannot take the text away from the others. One model
is open at a time.
"""

import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from tui_gpt.control import Control
from tui_gpt.errors import TuiGptError
from tui_gpt.generation.text_model import CharacterLogprobs, TextModel, without

MIN_KNOWN = 0.9
"""The fraction of a text's characters that a model must know to be compared."""
_REPORT_EVERY = 1_000

Source = str | None
"""A model, as `SessionLike.open_model` takes it."""
Logprobs = Sequence[float]


@dataclass(frozen=True, kw_only=True)
class AuthorScore:
    """How well a model predicts a text; `bits_per_char` is None where it is not compared."""

    source: Source
    name: str = ""
    step: int = 0
    unknown: str = ""
    """The distinct characters of the text that the model does not know."""
    unknown_count: int = 0
    """How often they occur."""
    bits_per_char: float | None = None
    problem: str = ""
    """Why it is not compared."""
    is_opened: bool = True
    """Whether the model could be opened."""

    @property
    def perplexity(self) -> float | None:
        """The number of equally likely characters among which the model would be as uncertain as it is."""
        return None if self.bits_per_char is None else 2.0 ** min(self.bits_per_char, 1_000.0)


@dataclass(frozen=True)
class Authorship:
    """The scores of several models on one text."""

    scores: tuple[AuthorScore, ...]
    """In the order of the request."""
    text: str
    """The characters that were scored: those that all compared models know."""
    left_out: str
    """The distinct characters that were left out."""
    left_out_count: int
    """How often they occur."""
    logprobs: tuple[Logprobs | None, ...] = ()
    """Log-probability (natural) of each character of `text` for each model; None where it is not compared or kept."""

    @property
    def best(self) -> int | None:
        """The place of the model with the fewest bits per character; None if none is compared."""
        compared = [
            (score.bits_per_char, place) for place, score in enumerate(self.scores) if score.bits_per_char is not None
        ]
        return min(compared)[1] if compared else None


@dataclass(frozen=True)
class Opener:
    """How models are opened and closed."""

    open: Callable[[Source], TextModel]
    close: Callable[[], object]
    """Called before each is opened, to release the one before."""


def who_wrote(
    opener: Opener, sources: Sequence[Source], text: str, control: Control, *, keep_logprobs: bool = False
) -> Iterator[Authorship]:
    """Score a text under several models; yield the scores after each of them, those of the others without bits.

    A model that cannot be opened has a `problem`. Ends early when `control` stops.
    """
    scores = [_looked_up(opener, source, text) for source in sources]
    known = [score for score in scores if not score.problem]
    left_out = "".join(dict.fromkeys(character for score in known for character in score.unknown))
    common = without(text, left_out)
    found = Authorship(tuple(scores), common, left_out, len(text) - len(common), (None,) * len(scores))
    yield found
    for place, score in enumerate(scores):
        if score.problem or not common:
            continue
        logprobs = _scored(opener, score.source, common, control, keep=keep_logprobs)
        if control.stop_requested:
            return
        found = _with_score(found, place, logprobs)
        yield found


def _looked_up(opener: Opener, source: Source, text: str) -> AuthorScore:
    """Return which characters of a text a model does not know."""
    opener.close()
    try:
        model = opener.open(source)
    except TuiGptError as error:
        return AuthorScore(source=source, name=source or "", problem=str(error), is_opened=False)
    unknown = model.unknown(text)
    count = len(text) - len(without(text, unknown))
    score = AuthorScore(source=source, name=model.name, step=model.step, unknown=unknown, unknown_count=count)
    if count > (1 - MIN_KNOWN) * len(text):
        return replace(score, problem=f"it knows only {1 - count / max(1, len(text)):.0%} of the characters")
    return score


def _scored(
    opener: Opener, source: Source, text: str, control: Control, *, keep: bool
) -> tuple[float, Logprobs | None]:
    """Return the log-probability of a text, and of each character if they are to be kept."""
    opener.close()
    model = opener.open(source)
    each = array("f")
    spread, total, at = CharacterLogprobs(), 0.0, 0
    for number, piece in enumerate(model.score(text)):
        if number % _REPORT_EVERY == 0:
            if control.stop_requested:
                break
            control.report(f"scoring with {model.name}", at / len(text))
        total += piece.logprob
        values = spread.take(piece)
        if keep:
            each.extend(values)
        at += len(values)
    return total, each if keep else None


def _with_score(found: Authorship, place: int, scored: tuple[float, Logprobs | None]) -> Authorship:
    total, logprobs = scored
    score = replace(found.scores[place], bits_per_char=-total / math.log(2) / len(found.text))
    return replace(
        found,
        scores=(*found.scores[:place], score, *found.scores[place + 1 :]),
        logprobs=(*found.logprobs[:place], logprobs, *found.logprobs[place + 1 :]),
    )
