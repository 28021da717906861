"""Measuring a model without a screen: `tui-gpt eval`. Nothing can be lost, so a signal ends it at once."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui_gpt.cli.headless.streams import Streams, busy
from tui_gpt.cli.signals import StopOnSignals
from tui_gpt.control import Control
from tui_gpt.errors import TuiGptError
from tui_gpt.generation.text_model import Piece, TextModel, without
from tui_gpt.metrics import TokenSize, perplexity
from tui_gpt.requests import Evaluation
from tui_gpt.session import SessionLike

_REPORT_EVERY = 1_000
"""Tokens between two reports of progress."""


@dataclass(frozen=True, kw_only=True)
class TextScore:
    """How well a model predicts one text."""

    name: str
    step: int
    characters: int
    """Characters that the model knows; only they are counted."""
    tokens: int
    """What the model reads them as."""
    left_out: int
    """Characters of the text that it does not know."""
    unknown: str
    """The distinct ones among them."""
    loss: float
    """Nats per token."""
    bits_per_char: float
    bits_per_byte: float
    perplexity: float
    """Per token."""


@dataclass(frozen=True, kw_only=True)
class AdaptedTextScore(TextScore):
    """The same, and how well a prediction that learns while it reads the text does."""

    adapted_loss: float
    """Nats per token."""
    adapted_bits_per_char: float
    adapted_bits_per_byte: float
    adapted_perplexity: float


def evaluate(session: SessionLike, source: str | Path | None, streams: Streams) -> Evaluation:
    """Measure a model on its validation split. Raises TuiGptError."""
    control = Control()
    with StopOnSignals(control) as signals, busy(streams, "loading the model", control):
        signals.nothing_to_lose = True
        return session.evaluate(source, control)


def score(session: SessionLike, source: str | Path | None, text: str, streams: Streams) -> TextScore:
    """Measure a model on any text. Raises TuiGptError."""
    control = Control()
    with StopOnSignals(control) as signals, busy(streams, "loading the model", control):
        signals.nothing_to_lose = True
        model = session.open_model(source)
        summed = _LossSum(len(text), control)
        total = -math.fsum(summed.logprobs(model.score(text)))
    result = TextScore(**_facts(model, text, summed.tokens), **_measures(model, text, total, summed.tokens))
    _warn_of_left_out(result, text, streams)
    return result


def score_adapting(session: SessionLike, source: str | Path | None, text: str, streams: Streams) -> AdaptedTextScore:
    """Measure a model on any text, as it is and while it learns from the text. Raises TuiGptError."""
    control = Control()
    with StopOnSignals(control) as signals, busy(streams, "loading the model", control):
        signals.nothing_to_lose = True
        model = session.open_model(source)
        control.report("counting the training text")
        summed, adapted = _LossSum(len(text), control), _Sum()
        total = -math.fsum(summed.logprobs(adapted.first_of(model.score_adapting(text))))
    measures = _measures(model, text, -adapted.total, summed.tokens)
    result = AdaptedTextScore(
        **_facts(model, text, summed.tokens),
        **_measures(model, text, total, summed.tokens),
        **{f"adapted_{name}": value for name, value in measures.items()},
    )
    _warn_of_left_out(result, text, streams)
    return result


def _warn_of_left_out(result: TextScore, text: str, streams: Streams) -> None:
    if result.left_out:
        fraction = result.left_out / len(text)
        streams.write_line(
            f"warning: the model does not know {fraction:.1%} of the text's characters; they do not count in the loss"
        )


def _known(model: TextModel, text: str) -> str:
    return without(text, model.unknown(text))


def _facts(model: TextModel, text: str, tokens: int) -> dict[str, Any]:
    """Return the fields of a score that the loss has no part in. Raises TuiGptError if the text has no tokens."""
    if not tokens:
        raise TuiGptError("the model knows none of these characters: choose a text like its training text")
    characters = len(_known(model, text))
    return {
        "name": model.name,
        "step": model.step,
        "characters": characters,
        "tokens": tokens,
        "left_out": len(text) - characters,
        "unknown": model.unknown(text),
    }


def _measures(model: TextModel, text: str, total: float, tokens: int) -> dict[str, Any]:
    """Return the fields of a score for the sum of the losses, in nats."""
    known = _known(model, text)
    size, loss = TokenSize.of(known, tokens), total / tokens
    return {
        "loss": loss,
        "bits_per_char": size.bits_per_char(loss),
        "bits_per_byte": size.bits_per_byte(loss),
        "perplexity": perplexity(loss),
    }


@dataclass
class _Sum:
    """Adds up the second numbers of pairs that pass."""

    total: float = 0.0

    def first_of(self, pairs: Iterable[tuple[Piece, float]]) -> Iterator[Piece]:
        """Yield the first of each pair."""
        for piece, number in pairs:
            self.total += number
            yield piece


@dataclass
class _LossSum:
    """Counts and reports the tokens of a text while their log-probabilities are summed, without keeping them."""

    length: int
    control: Control
    tokens: int = 0
    _characters: int = 0
    """Characters that were read."""

    def logprobs(self, pieces: Iterable[Piece]) -> Iterator[float]:
        """Yield the log-probability of each token."""
        for piece in pieces:
            if self.tokens % _REPORT_EVERY == 0:
                self.control.report("evaluating", self._characters / self.length)
            self.tokens += 1
            self._characters += len(piece.text)
            yield piece.logprob
