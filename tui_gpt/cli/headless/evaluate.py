"""Measuring a model without a screen: `tui-gpt eval`. Nothing can be lost, so a signal ends it at once."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

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
    if not summed.tokens:
        raise TuiGptError("the model knows none of these characters: choose a text like its training text")
    result = _score_of(model, text, total / summed.tokens, summed.tokens)
    if result.left_out:
        fraction = result.left_out / len(text)
        streams.write_line(
            f"warning: the model does not know {fraction:.1%} of the text's characters; they do not count in the loss"
        )
    return result


def _score_of(model: TextModel, text: str, loss: float, tokens: int) -> TextScore:
    unknown = model.unknown(text)
    known = without(text, unknown)
    size = TokenSize.of(known, tokens)
    return TextScore(
        name=model.name,
        step=model.step,
        characters=len(known),
        tokens=tokens,
        left_out=len(text) - len(known),
        unknown=unknown,
        loss=loss,
        bits_per_char=size.bits_per_char(loss),
        bits_per_byte=size.bits_per_byte(loss),
        perplexity=perplexity(loss),
    )


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
