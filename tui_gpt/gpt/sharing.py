"""How writing is shared out among threads: many texts by text, few by what each of their steps multiplies; by as many
threads as are fastest. What is written does not depend on how many they are."""

import itertools
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from tui_gpt.config import SampleConfig
from tui_gpt.gpt.decode import Floats, Ints
from tui_gpt.gpt.kernel_decode import KernelDecoder
from tui_gpt.gpt.streams import Streams, Uniforms

TRY_AGAIN_SECONDS = 0.5
"""How long texts are written by as many threads as were fastest until another number is tried."""
TRIAL_SECONDS, TIMINGS = 0.002, 3
"""How long the fastest would take for what others are tried with, and how many trials tell how fast so many threads
are: the best of them counts, as now and then a window is read anew."""
Written = tuple[Ints, Floats]
"""Tokens (n, B) and the logits (n, B, V) they were drawn from."""
_Share = TypeVar("_Share")
_Result = TypeVar("_Result")


def thread_counts(most: int) -> list[int]:
    """What is worth a trial: all, and powers of two."""
    return sorted({most, *(1 << k for k in range(most.bit_length()))}, reverse=True)


class Pace:
    """How many threads write fastest, found out while they do: now and then a few characters are written by another
    number than the fastest so far."""

    def __init__(self, counts: Sequence[int]) -> None:
        self._trials = itertools.cycle(counts)
        self._next_trial = next(self._trials)
        self._tried_at = -math.inf
        self._seconds = {threads: deque[float](maxlen=TIMINGS) for threads in counts}
        """Which a character took when so many threads were timed."""

    def fastest(self) -> int:
        """How many were, as far as is known; the first of the counts while nothing is."""
        return min(self._seconds, key=lambda threads: min(self._seconds[threads], default=math.inf))

    def write(self, uniforms: Uniforms, write: Callable[[int, Uniforms], Written]) -> Written:
        """What `write` makes of `uniforms` (n, B) with as many threads as it is told."""
        written = []
        while len(uniforms):
            threads, count = self._next(len(uniforms))
            began = time.perf_counter()
            written.append(write(threads, uniforms[:count]))
            self._note(threads, count, time.perf_counter() - began)
            uniforms = uniforms[count:]
        if len(written) == 1:
            return written[0]
        tokens, logits = zip(*written, strict=True)
        return np.concatenate(tokens), np.concatenate(logits)

    def _next(self, most: int) -> tuple[int, int]:
        """How many threads are to write next, and how many characters."""
        fastest, enough = self.fastest(), self._enough()
        trial = self._trial()
        return (fastest, most) if trial == fastest or most < enough else (trial, math.ceil(enough))

    def _trial(self) -> int:
        """Which number of threads there is to try, if not the fastest."""
        unknown = [threads for threads, seconds in self._seconds.items() if len(seconds) < TIMINGS]
        if unknown:
            return unknown[0]
        is_due = time.monotonic() - self._tried_at > TRY_AGAIN_SECONDS
        return self._next_trial if is_due else self.fastest()

    def _enough(self) -> float:
        """How many characters tell how fast threads are: fewer are over before all have come."""
        return TRIAL_SECONDS / min(self._seconds[self.fastest()], default=math.inf)

    def _note(self, threads: int, characters: int, seconds: float) -> None:
        is_telling = characters >= self._enough() if self._seconds[self.fastest()] else seconds >= TRIAL_SECONDS
        if not is_telling:
            return
        self._seconds[threads].append(seconds / characters)
        if threads == self._next_trial:
            self._next_trial = next(self._trials)
            self._tried_at = time.monotonic()


class Together:
    """Few texts: threads share out each of their steps."""

    def __init__(self, decoder: KernelDecoder, pace: Pace) -> None:
        self._decoder = decoder
        self._pace = pace

    def start(self, tokens: Ints) -> Floats:
        """Begin with (B, T) characters; logits (B, V)."""
        self._decoder.threads = self._pace.fastest()
        return self._decoder.start(tokens)

    def write(self, config: SampleConfig, uniforms: Uniforms) -> Written:
        """Write n characters of each: tokens (n, B), drawn by `uniforms` (n, B) from logits (n, B, V)."""

        def write(threads: int, some: Uniforms) -> Written:
            self._decoder.threads = threads
            return self._decoder.write(config, some)

        return self._pace.write(uniforms, write)


class SideBySide:
    """Many texts, in parts of some each, which threads take over."""

    def __init__(self, parts: Sequence[Streams], pace: Pace) -> None:
        self._parts = parts
        self._pace = pace
        self._helpers = ThreadPoolExecutor(len(parts), "decoder")

    def start(self, tokens: Ints) -> Floats:
        """Begin with (B, T) characters; logits (B, V)."""
        shares = np.array_split(tokens, len(self._parts))
        return np.concatenate(self._each(self._pace.fastest(), shares, lambda part, share: part.start(share)))

    def write(self, config: SampleConfig, uniforms: Uniforms) -> Written:
        """Write n characters of each: tokens (n, B), drawn by `uniforms` (n, B) from logits (n, B, V)."""

        def write(threads: int, some: Uniforms) -> Written:
            shares = np.array_split(some, len(self._parts), axis=1)
            written = self._each(threads, shares, lambda part, share: part.write(config, share))
            tokens, logits = zip(*written, strict=True)
            return np.concatenate(tokens, axis=1), np.concatenate(logits, axis=1)

        return self._pace.write(uniforms, write)

    def _each(
        self, threads: int, shares: Sequence[_Share], do: Callable[[Streams, _Share], _Result]
    ) -> Sequence[_Result]:
        """What `do` makes of every part and its share, each thread's one after the other."""
        work = list(zip(self._parts, shares, strict=True))

        def done_by(thread: int) -> list[_Result]:
            return [do(part, share) for part, share in work[thread::threads]]

        pending = [self._helpers.submit(done_by, thread) for thread in range(1, threads)]
        done = [done_by(0), *(future.result() for future in pending)]
        return [done[k % threads][k // threads] for k in range(len(work))]
