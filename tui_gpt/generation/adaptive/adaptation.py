"""A model together with a predictor that learns from the text that is read (`predictor.py`).

The predictor begins with the text that the model's n-gram prior counted, so it knows what the model was trained on. The
model's weights never change.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tui_gpt.config import SampleConfig
from tui_gpt.control import Control
from tui_gpt.generation.adaptive.code import BinaryCode
from tui_gpt.generation.adaptive.contexts import REACH, Contexts
from tui_gpt.generation.adaptive.predictor import Predictor
from tui_gpt.generation.adaptive.tables import Tables
from tui_gpt.generation.decoder import Decoder, Uniforms, generate_by_steps
from tui_gpt.generation.kernel.adaptive import KernelPredictor
from tui_gpt.generation.kernel.library import library
from tui_gpt.generation.sampling import log_softmax
from tui_gpt.generation.weights import Floats, Ints
from tui_gpt.prior.ngram import NgramPrior

Tokens = npt.NDArray[np.integer[Any]]

PRIMED = 2_000_000
"""Tokens of the training text that are read first, at most."""
PRIMED_WITHOUT_KERNEL = 3_000
"""The same for NumPy alone, which reads some hundred tokens per second."""
MIXED = 4_000
"""Last tokens of a text that the network predicts as well, to learn how much to rely on it."""
REPORT_EVERY = 1 << 16


class FrozenDecoders(Protocol):
    """Makes decoders of one model; see `decoders.DecoderFactory`."""

    def decoder(self) -> Decoder:
        """Return a new decoder."""

    def logits_along(self, tokens: Ints) -> Iterator[Floats]:
        """Read a new text (T,); yield logits (n, V) after each of its tokens, chunk by chunk."""


class Adaptation:
    """A predictor and the decoders of the model that is mixed with it."""

    def __init__(
        self, decoders: FrozenDecoders, prior: NgramPrior | None, texts: Sequence[str], control: Control | None = None
    ) -> None:
        """Read the training text. Raises StoppedError."""
        self._decoders = decoders
        counted = np.zeros(0, np.int64) if prior is None else np.concatenate(prior.counted)
        code = BinaryCode.of_counts(np.bincount(counted, minlength=len(texts)))
        tables, compiled = Tables.empty(len(texts)), library()
        if compiled is None:
            self.predictor = Predictor(code, Contexts(texts), tables)
        else:
            self.predictor = KernelPredictor(code, Contexts(texts), tables, compiled)
        self._read(
            counted[-(PRIMED_WITHOUT_KERNEL if compiled is None else PRIMED) :], "counting", control or Control()
        )

    def scores(self, tokens: Ints) -> Iterator[tuple[Ints, Floats, Floats]]:
        """Score a text (T,) from its second token on, and learn from each token after it was scored.

        Yields, chunk by chunk, the tokens (n,), the model's log-probabilities (n, V) before each, and the tokens'
        log-probabilities (n,) by the adapting prediction.
        """
        self.predictor.start_mixing()
        read = 1
        for logits in self._decoders.logits_along(tokens[:-1]):
            chunk, logprobs = tokens[read : read + len(logits)], log_softmax(logits)
            yield chunk, logprobs, self.predictor.read(chunk, logprobs)
            read += len(logits)

    def read(self, tokens: Ints, control: Control) -> None:
        """Learn from a text (T,): count all of it, and let the model predict the last MIXED tokens. Raises
        StoppedError."""
        mixed = min(MIXED, len(tokens))
        self._read(tokens[: len(tokens) - mixed + 1], "reading the text", control)
        done = 0
        for chunk, _, _ in self.scores(tokens[len(tokens) - mixed :]):
            done += len(chunk)
            control.report_or_stop("learning the mixture", done / mixed)

    def _read(self, tokens: Tokens, activity: str, control: Control) -> None:
        """Learn from tokens (T,), without the model."""
        for begin in range(0, len(tokens), REPORT_EVERY):
            control.report_or_stop(activity, begin / len(tokens))
            self.predictor.read(tokens[begin : begin + REPORT_EVERY])


class AdaptedDecoders:
    """Makes decoders that predict what the predictor does, which does not learn any more."""

    def __init__(self, decoders: FrozenDecoders, predictor: Predictor) -> None:
        self._decoders = decoders
        self._predictor = predictor

    def generator(self, count: int) -> "AdaptedDecoder":  # noqa: ARG002  # DecoderFactory chooses by it
        """Return a new decoder for `count` texts."""
        return self.decoder()

    def decoder(self) -> "AdaptedDecoder":
        """Return a new decoder."""
        return AdaptedDecoder(self._decoders.decoder(), self._predictor)

    def logits_along(self, tokens: Ints) -> Iterator[Floats]:
        """Read a new text (T,); yield log-probabilities (n, V) after each of its tokens, chunk by chunk."""
        read = 0
        for logits in self._decoders.logits_along(tokens):
            ends = range(read + 1, read + 1 + len(logits))
            rows = zip(ends, log_softmax(logits), strict=True)
            yield np.stack([self._predictor.predict(tokens[max(0, end - REACH) : end], row) for end, row in rows])
            read += len(logits)


class AdaptedDecoder:
    """Generates as `Decoder` does, from the predictor's distribution."""

    def __init__(self, decoder: Decoder, predictor: Predictor) -> None:
        self.logits: Floats = decoder.logits
        """(B, V): log-probabilities of the next token of each text."""
        self._decoder = decoder
        self._predictor = predictor
        self._texts: Ints = np.zeros((0, 0), np.int64)
        """(B, n): the newest tokens."""

    def start(self, tokens: Ints, count: int = 1) -> Floats:
        """See `Decoder.start`."""
        self._texts = np.tile(tokens[-REACH:], (count, 1))
        return self._adapt(self._decoder.start(tokens, count))

    def advance(self, tokens: Ints) -> Floats:
        """See `Decoder.advance`."""
        self._texts = np.concatenate([self._texts, tokens[:, None]], axis=1)[:, -REACH:]
        return self._adapt(self._decoder.advance(tokens))

    def generate(self, config: SampleConfig, uniforms: Uniforms) -> tuple[Ints, Floats]:
        """See `Decoder.generate`."""
        return generate_by_steps(self, config, uniforms)

    def _adapt(self, logits: Floats) -> Floats:
        rows = zip(self._texts, log_softmax(logits), strict=True)
        self.logits = np.stack([self._predictor.predict(text, row) for text, row in rows])
        return self.logits
