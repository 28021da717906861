"""Comparing several models on one text without a screen: `tui-gpt eval --file F --run A --run B`."""

from collections.abc import Iterator, Sequence
from typing import Any

from tui_gpt.cli.headless.streams import Streams, busy
from tui_gpt.cli.signals import StopOnSignals
from tui_gpt.control import Control
from tui_gpt.errors import TuiGptError
from tui_gpt.escaping import spell_bytes
from tui_gpt.generation.authorship import AuthorScore, Authorship, Opener, who_wrote
from tui_gpt.session import SessionLike

HEADINGS = ("", "model", "step", "bits/char", "perplexity", "unknown")
_MAX_LISTED = 40


def compare(session: SessionLike, sources: Sequence[str], text: str, streams: Streams) -> Authorship:
    """Score a text under several models, one open at a time. Raises TuiGptError if none can be compared."""
    control = Control()
    with StopOnSignals(control) as signals, busy(streams, "loading the models", control):
        signals.nothing_to_lose = True
        opener = Opener(session.open_model, session.release_models)
        *_, found = who_wrote(opener, sources, text, control)
    for line in remarks(found):
        streams.write_line(line)
    if found.best is None:
        raise TuiGptError("none of these models can be compared on this text: choose models of such texts")
    return found


def remarks(found: Authorship) -> Iterator[str]:
    """Yield what was left out, and which models are not compared and why."""
    if found.left_out:
        listed = " ".join(spell_bytes(character) for character in found.left_out[:_MAX_LISTED])
        length = len(found.text) + found.left_out_count
        yield (
            f"note: {found.left_out_count:,} of {length:,} characters are left out for all models, as at least one "
            f"does not know them: {listed!r}"
        )
    for score in found.scores:
        if score.problem:
            yield f"note: {score.name} is not compared: {score.problem}"


def rows(found: Authorship) -> Iterator[tuple[str, ...]]:
    """Yield the table's rows; the best model has a star."""
    for place, score in enumerate(found.scores):
        mark = "*" if place == found.best else ""
        yield (
            mark,
            score.name,
            f"{score.step:,}",
            *map(_number, (score.bits_per_char, score.perplexity)),
            _unknown(score),
        )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _unknown(score: AuthorScore) -> str:
    return f"{score.unknown_count:,}" if score.is_opened else "–"


def record(found: Authorship) -> dict[str, Any]:
    """Return the comparison as JSON data; perplexity is per character."""
    return {
        "characters": len(found.text),
        "left_out": found.left_out_count,
        "unknown": found.left_out,
        "best": None if found.best is None else found.scores[found.best].name,
        "models": [
            {
                "name": score.name,
                "step": score.step,
                "bits_per_char": score.bits_per_char,
                "perplexity_per_char": score.perplexity,
                "unknown": score.unknown,
                "unknown_count": score.unknown_count,
                "problem": score.problem,
            }
            for score in found.scores
        ],
    }
