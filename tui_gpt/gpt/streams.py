"""Texts being written: what decides between a plain decoder and the kernel, seen from the sampler.

A burst of characters is asked for at a time and not a single one, so that the kernel can write it in one call.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from tui_gpt.config import SampleConfig
from tui_gpt.generation.sampling import choose
from tui_gpt.gpt.decode import Decoder, Floats, Ints, Reader

Uniforms = npt.NDArray[np.float64]


class Streams(Protocol):
    """B texts of equal length that go on in parallel without end (see decode.py)."""

    def start(self, tokens: Ints) -> Floats:
        """Begin with (B, T) characters; logits (B, V) of the next."""

    def write(self, config: SampleConfig, uniforms: Uniforms) -> tuple[Ints, Floats]:
        """Write n characters of each: tokens (n, B), drawn by `uniforms` (n, B) in [0, 1) from logits (n, B, V)."""


class PlainStreams:
    """The reference: a decoder in PyTorch and the draw in NumPy, a character at a time."""

    def __init__(self, decoder: Decoder, block_size: int) -> None:
        self._reader = Reader(decoder, block_size)
        self._logits = np.zeros((0, 0), np.float32)
        self._unread: Ints | None = None

    def start(self, tokens: Ints) -> Floats:
        """See `Streams.start`."""
        self._unread = None
        self._logits = self._reader.start(tokens)
        return self._logits

    def write(self, config: SampleConfig, uniforms: Uniforms) -> tuple[Ints, Floats]:
        """See `Streams.write`."""
        written = [self._write_one(config, row) for row in uniforms]
        tokens, logits = zip(*written, strict=True)
        return np.stack(tokens), np.stack(logits)

    def _write_one(self, config: SampleConfig, uniforms: Uniforms) -> tuple[Ints, Floats]:
        if self._unread is not None:
            self._logits = self._reader.advance(self._unread)
        self._unread = choose(self._logits, config, uniforms)
        return self._unread, self._logits.copy()
