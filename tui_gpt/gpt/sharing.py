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
"""How long texts are written by as many threads as were fastest until another number is tried for a burst."""
TIMED_SECONDS, TIMINGS = 0.002, 3
"""How long a burst takes at least that tells how fast so many threads are, and how many tell it: the best of them
counts, as now and then a window is read anew."""
_Share = TypeVar("_Share")
_Result = TypeVar("_Result")


def thread_counts(most: int) -> list[int]:
    """What is worth a trial: all, and powers of two."""
    return sorted({most, *(1 << k for k in range(most.bit_length()))}, reverse=True)


class Pace:
    """How many threads write fastest, found out while they do: now and then a burst is written by another number than
    the fastest so far."""

    def __init__(self, counts: Sequence[int]) -> None:
        self._trials = itertools.cycle(counts)
        self._next_trial = next(self._trials)
        self._tried_at = -math.inf
        self._seconds = {threads: deque[float](maxlen=TIMINGS) for threads in counts}
        """Which a character took when so many threads were timed."""

    def fastest(self) -> int:
        """How many were, as far as is known; the first of the counts while nothing is."""
        return min(self._seconds, key=lambda threads: min(self._seconds[threads], default=math.inf))

    def next(self) -> int:
        """How many are to write the next burst."""
        unknown = [threads for threads, seconds in self._seconds.items() if len(seconds) < TIMINGS]
        if unknown:
            return unknown[0]
        is_due = time.monotonic() - self._tried_at > TRY_AGAIN_SECONDS
        return self._next_trial if is_due else self.fastest()

    def timed(self, threads: int, characters: int, seconds: float) -> None:
        """What a burst took; a short one tells nothing."""
        if seconds < TIMED_SECONDS:
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

    def write(self, config: SampleConfig, uniforms: Uniforms) -> tuple[Ints, Floats]:
        """Write n characters of each: tokens (n, B), drawn by `uniforms` (n, B) from logits (n, B, V)."""
        threads = self._decoder.threads = self._pace.next()
        began = time.perf_counter()
        written = self._decoder.write(config, uniforms)
        self._pace.timed(threads, len(uniforms), time.perf_counter() - began)
        return written


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

    def write(self, config: SampleConfig, uniforms: Uniforms) -> tuple[Ints, Floats]:
        """Write n characters of each: tokens (n, B), drawn by `uniforms` (n, B) from logits (n, B, V)."""
        shares = np.array_split(uniforms, len(self._parts), axis=1)
        threads, began = self._pace.next(), time.perf_counter()
        written = self._each(threads, shares, lambda part, share: part.write(config, share))
        self._pace.timed(threads, len(uniforms), time.perf_counter() - began)
        tokens, logits = zip(*written, strict=True)
        return np.concatenate(tokens, axis=1), np.concatenate(logits, axis=1)

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
