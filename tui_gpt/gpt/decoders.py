"""What writes texts with a model: the kernel where it can be, in as many threads as pay, else PyTorch."""

import ctypes
import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tui_gpt.config import SampleConfig
from tui_gpt.gpt.build import LanguageModel
from tui_gpt.gpt.decode import Floats, Ints, PlainDecoder, plain_decoder
from tui_gpt.gpt.kernel import kernel
from tui_gpt.gpt.kernel_decode import KernelDecoder
from tui_gpt.gpt.ngram import NgramPrior
from tui_gpt.gpt.packing import Numbers, PackedModel
from tui_gpt.gpt.streams import PlainStreams, Streams, Uniforms
from tui_gpt.gpt.world import available_cores, using_cores

MANY = 4
"""Texts from which on bytes pay, and more threads than one; fewer are written by one, with weights in half precision. A
number and no timing, as it could turn a draw, and equal seeds write equal texts."""
TRIAL_SECONDS, TRIALS = 0.004, 2
"""How long characters are written at least to see how many threads do it fastest, and how often: about as long as a
burst of the sampler, as it costs a while to wake a thread."""
TRIAL_STANDS_SECONDS = 60.0
"""After which it is tried again: a training beside may have begun or ended."""


class SideBySide:
    """Many texts shared out among streams that are written at the same time, a thread each."""

    def __init__(self, parts: Sequence[Streams]) -> None:
        self._parts = parts
        self._threads = ThreadPoolExecutor(len(parts) - 1, "decoder")

    def start(self, tokens: Ints) -> Floats:
        """Begin with (B, T) characters; logits (B, V)."""
        mine, *others = np.array_split(tokens, len(self._parts))
        pending = [self._threads.submit(part.start, share) for part, share in zip(self._parts[1:], others, strict=True)]
        return np.concatenate([self._parts[0].start(mine), *(future.result() for future in pending)])

    def write(self, config: SampleConfig, uniforms: Uniforms) -> tuple[Ints, Floats]:
        """Write n characters of each: tokens (n, B), drawn by `uniforms` (n, B) from logits (n, B, V)."""
        mine, *others = np.array_split(uniforms, len(self._parts), axis=1)
        pending = [
            self._threads.submit(part.write, config, share) for part, share in zip(self._parts[1:], others, strict=True)
        ]
        written = [self._parts[0].write(config, mine), *(future.result() for future in pending)]
        tokens, logits = zip(*written, strict=True)
        return np.concatenate(tokens, axis=1), np.concatenate(logits, axis=1)


class Decoders:
    """Makes what writes each text: the kernel where it can be, that is on the CPU and with blocks."""

    def __init__(self, model: LanguageModel, prior: NgramPrior | None) -> None:
        self._model = model
        self._prior = prior
        self._packed: dict[Numbers, PackedModel] = {}
        self._tried: dict[int, tuple[float, int]] = {}
        """When it was tried how many threads write so many texts fastest, and how many do."""
        self._is_fit = model.config.n_layer > 0 and next(model.parameters()).device.type == "cpu"
        if self._is_fit:
            kernel()

    def plain(self) -> PlainDecoder:
        """A fresh decoder in PyTorch."""
        return plain_decoder(self._model, self._prior)

    def streams(self, batch_size: int) -> Streams:
        """Fresh streams for so many texts, compiled if they can be; the very first ones wait for the compiler."""
        library = kernel(wait=True) if self._is_fit else None
        if library is None:
            return PlainStreams(self.plain(), self._model.config.block_size)
        if batch_size < MANY:
            return KernelDecoder(library, self._packed_in(Numbers.HALF))
        return self._shared_out(library, self._threads(library, batch_size))

    def _threads(self, library: ctypes.CDLL, batch_size: int) -> int:
        """How many write so many texts fastest. Whole numbers add up to the same in any order, so what is written does
        not depend on it."""
        tried_at, threads = self._tried.get(batch_size, (-math.inf, 1))
        if time.monotonic() - tried_at > TRIAL_STANDS_SECONDS:
            seconds = {n: _seconds(self._shared_out(library, n), batch_size) for n in _thread_counts(batch_size)}
            threads = min(seconds, key=seconds.__getitem__)
            self._tried[batch_size] = time.monotonic(), threads
        return threads

    def _shared_out(self, library: ctypes.CDLL, threads: int) -> Streams:
        parts = [KernelDecoder(library, self._packed_in(Numbers.BYTES)) for _ in range(threads)]
        return parts[0] if threads == 1 else SideBySide(parts)

    def _packed_in(self, numbers: Numbers) -> PackedModel:
        if numbers not in self._packed:
            with using_cores(1):
                self._packed[numbers] = PackedModel(self._model, self._prior, numbers)
        return self._packed[numbers]


def _thread_counts(batch_size: int) -> list[int]:
    """What is worth a trial: powers of two, and all cores."""
    most = min(available_cores(), batch_size)
    return sorted({most, *(1 << k for k in range(most.bit_length()))})


def _seconds(streams: Streams, batch_size: int) -> float:
    """What a character of each takes, at best."""
    streams.start(np.zeros((batch_size, 1), np.int64))
    count, times = 1, [0.0]
    while times[-1] < TRIAL_SECONDS:
        count *= 2
        times = [_duration(streams, np.zeros((count, batch_size))) for _ in range(TRIALS)]
    return min(times) / count


def _duration(streams: Streams, uniforms: Uniforms) -> float:
    began = time.perf_counter()
    streams.write(SampleConfig(), uniforms)
    return time.perf_counter() - began
