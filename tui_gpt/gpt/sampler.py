"""A trained model that writes: prompt in, characters out, with what the model thought of each.

`Sampler` is the `TextModel` that faces hold. It yields a piece as soon as it is chosen and looks at its `Control`
before every character. Randomness comes from a generator of its own, seeded for each stream, so that equal seeds write
equal text and training beside it is never disturbed. It deliberately knows neither prompts' history nor what a face
does with a piece.
"""

import math
import secrets
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from tui_gpt.config import SampleConfig
from tui_gpt.control import Control
from tui_gpt.gpt.classic import Classic
from tui_gpt.gpt.decode import Floats, Ints, Reader, context_start
from tui_gpt.gpt.kernel_decode import Decoders
from tui_gpt.gpt.modern import Modern
from tui_gpt.gpt.ngram import NgramPrior
from tui_gpt.gpt.sampling import choose, log_softmax
from tui_gpt.gpt.tokenizer import CharTokenizer
from tui_gpt.writing import Piece

ALTERNATIVES = 10
"""How many characters `details` shows."""
UNIFORMS_AT_ONCE = 256
SEED_BITS = 32
"""Length of a seed drawn for a stream: short enough to be typed again."""


class Sampler:
    """Writes with a model as it stands; one in training may be lent to it between two steps."""

    def __init__(
        self,
        model: Classic | Modern,
        tokenizer: CharTokenizer,
        *,
        name: str,
        step: int,
        val_loss: float | None = None,
        prior: NgramPrior | None = None,
    ) -> None:
        self._decoders = Decoders(model, prior)
        self._block_size = model.config.block_size
        self._tokenizer = tokenizer
        self._characters = [tokenizer.decode(np.array([token])) for token in range(tokenizer.vocab_size)]
        self.name = name
        self.step = step
        self.val_loss = val_loss
        self.last_seed: int | None = None
        """The seed of the newest stream; where the config named none, the one drawn for it."""

    def unknown(self, text: str) -> str:
        """The distinct characters of `text` that the model never saw, in order; they are left out of a prompt."""
        return self._tokenizer.unknown(text)

    def stream(
        self, prompt: str, config: SampleConfig, control: Control | None = None, *, details: bool = False
    ) -> Iterator[Piece]:
        """Write after `prompt`, a character a piece; an empty prompt stands for a line break.

        `details` fills `alternatives`. Ends early when `control` stops. Of a prompt longer than the context only the
        end counts.
        """
        for logits, tokens in self._choices(prompt, config, 1, control):
            yield self._piece(logits[0], int(tokens[0]), details)

    def stream_many(
        self, prompt: str, config: SampleConfig, count: int, control: Control | None = None
    ) -> Iterator[tuple[str, ...]]:
        """Write `count` answers to one prompt at once: each item holds the next character of every answer."""
        for _, tokens in self._choices(prompt, config, count, control):
            yield tuple(self._characters[token] for token in tokens)

    def surprise(self, text: str, *, details: bool = False) -> Sequence[Piece]:
        """How well the model predicts `text`: one piece a known character, each from what `stream` would have seen.

        The first is predicted as the first character of a text, after the line break that an empty prompt stands for.
        """
        tokens = np.concatenate([self._prompt_tokens(""), self._tokenizer.encode(text).astype(np.int64)])
        return [
            self._piece(row, int(token), details)
            for target, logits in self._predictions(tokens)
            for row, token in zip(logits, tokens[target : target + len(logits)], strict=True)
        ]

    def _choices(
        self, prompt: str, config: SampleConfig, count: int, control: Control | None
    ) -> Iterator[tuple[Floats, Ints]]:
        """Logits (count, V) and the ids (count,) chosen from them, a character at a time."""
        self.last_seed = secrets.randbits(SEED_BITS) if config.seed is None else config.seed
        uniforms = _uniforms(self.last_seed, count)
        reader = Reader(self._decoders.fastest(count), self._block_size)
        tokens = np.tile(self._prompt_tokens(prompt), (count, 1))
        for written in range(config.max_new_tokens):
            if control is not None and control.stop_requested:
                return
            logits = reader.advance(tokens) if written else reader.start(tokens)
            tokens = choose(logits, config, next(uniforms))
            yield logits, tokens

    def _prompt_tokens(self, prompt: str) -> Ints:
        """The known characters of `prompt` (T,), or what stands for none: a line break, else the first character."""
        tokens = self._tokenizer.encode(prompt)
        if not len(tokens):
            tokens = self._tokenizer.encode("\n")
        return tokens.astype(np.int64) if len(tokens) else np.zeros(1, np.int64)

    def _predictions(self, tokens: Ints) -> Iterator[tuple[int, Floats]]:
        """The logits (n, V) of the n characters from the given index on, window after window, by the window rule."""
        decoder = self._decoders.plain()
        target = 1
        while target < len(tokens):
            start = context_start(target, self._block_size)
            end = min(start + self._block_size, len(tokens) - 1)
            logits = decoder.predict(tokens[None, start:end])[0]
            yield target, logits[target - start - 1 :]
            target = end + 1

    def _piece(self, logits: Floats, token: int, details: bool) -> Piece:
        logprobs = log_softmax(logits)
        if not details:
            return Piece(self._characters[token], float(logprobs[token]))
        likeliest = np.argsort(-logprobs, kind="stable")[:ALTERNATIVES]
        alternatives = tuple((self._characters[other], math.exp(logprobs[other])) for other in likeliest)
        return Piece(self._characters[token], float(logprobs[token]), alternatives)


def _uniforms(seed: int, count: int) -> Iterator[npt.NDArray[np.float64]]:
    """Rows (count,) of random numbers in [0, 1)."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield from torch.rand(UNIFORMS_AT_ONCE, count, generator=generator, dtype=torch.float64).numpy()
