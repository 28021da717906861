"""Writing through the compiled kernel: one call of decode.c for a burst of characters, however many layers and streams.

An eager PyTorch step pays a few microseconds for each of its many small operations, which is most of a small model's
time; the kernel does not, reads each weight once for all streams, and holds no lock of the interpreter's meanwhile.
What it computes is what the plain decoders compute, which stay the reference, but for what numbers are rounded to.
"""

import contextlib
import ctypes
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ctypes import c_double, c_int64, c_void_p
from typing import Any

import numpy as np
import torch

from tui_gpt.config import SampleConfig
from tui_gpt.gpt.decode import HISTORY, Floats, Ints, window_stride
from tui_gpt.gpt.packing import PANEL, STRETCH, PackedModel, pointers
from tui_gpt.gpt.streams import Uniforms

MOST_THREADS = 8
"""As in team.h."""
SCRATCH_WIDTHS = 7
"""Floats of working space a column needs, as a multiple of n_embd."""


class _Team:
    """Threads that share out the matrices of one step: the one that writes, and helpers that wait beside it for a burst
    (see team.h)."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        library.team_bytes.restype = library.team_begin.restype = c_int64
        self._memory = np.zeros(library.team_bytes(), np.uint8)
        self.address = self._memory.ctypes.data
        self._helpers: list[ThreadPoolExecutor] = []
        """A thread each, as important as the one that writes; none comes to a round before it has left the last one."""

    @contextlib.contextmanager
    def gathered(self, threads: int) -> Iterator[None]:
        """Meanwhile so many work, as far as they can be had."""
        for number in range(len(self._helpers) + 1, threads):
            self._helpers.append(ThreadPoolExecutor(1, f"decoder-helper-{number}"))
        begun = self._library.team_begin(c_void_p(self.address), c_int64(threads))
        try:
            with contextlib.suppress(RuntimeError):  # no more threads: who writes does it alone
                for number in range(1, threads):
                    self._helpers[number - 1].submit(self._help, begun, number)
            yield
        finally:
            self._library.team_end(c_void_p(self.address))

    def _help(self, begun: int, number: int) -> None:
        self._library.team_help(c_void_p(self.address), c_int64(begun), c_int64(number))


class _StateStruct(ctypes.Structure):
    _fields_ = [
        *((name, c_int64) for name in ("batch_size", "position", "length", "room", "stride")),
        *pointers("window folds cache turned cosines sines"),
        ("are_alike", c_int64),
        *pointers("contexts rows gates matches candidates scratch scores smalls stretches logits mixed tokens"),
        ("is_unread", c_int64),
        *pointers("chances team"),
    ]


class _Draw(ctypes.Structure):
    _fields_ = [*((name, c_double) for name in ("temperature", "top_p", "min_p")), ("top_k", c_int64)]


class _State:
    """What B streams have read so far, at most `columns` characters at once; owns all that `struct` points to."""

    def __init__(self, packed: PackedModel, batch_size: int, head_bytes: int) -> None:
        model = packed.struct
        S, C, V = model.block_size, model.n_embd, model.vocab_size
        columns, pairs = max(batch_size, S), C // model.n_head // 2
        widest = max(4 * C, V) + 3
        self.batch_size = batch_size
        self.logits = np.zeros((batch_size, V), np.float32)
        room = HISTORY + S if model.is_modern else S
        self._kept = {
            "window": torch.zeros(batch_size, room, dtype=torch.int64),
            "folds": torch.zeros(batch_size * room + PANEL, dtype=torch.int32),
            "cache": torch.zeros(
                (model.n_members, model.n_layer, batch_size, model.n_head, head_bytes), dtype=torch.uint8
            ),
            "turned": torch.zeros(2, pairs, dtype=torch.float64),
            "cosines": torch.zeros(S, pairs),
            "sines": torch.zeros(S, pairs),
            "contexts": torch.zeros(batch_size, packed.order, dtype=torch.int64),
            "rows": torch.zeros(columns, V),
            "gates": torch.zeros(columns, V),
            "matches": torch.zeros(columns, 2, dtype=torch.int64),
            "candidates": torch.zeros(batch_size, V, dtype=torch.int64),
            "mixed": torch.zeros(batch_size, V, dtype=torch.float64),
            "tokens": torch.zeros(batch_size, dtype=torch.int64),
            "scratch": torch.zeros(columns * SCRATCH_WIDTHS * C),
            "scores": torch.zeros(MOST_THREADS * -(-S // PANEL) * PANEL),
            "smalls": torch.zeros(columns * widest, dtype=torch.short),
            "stretches": torch.zeros(columns * -(-widest // STRETCH), dtype=torch.int64),
            "chances": torch.zeros(3 * V, dtype=torch.float64),
        }
        self.struct = _StateStruct(
            batch_size=batch_size,
            room=room,
            stride=window_stride(S),
            logits=self.logits.ctypes.data,
            **{name: tensor.data_ptr() for name, tensor in self._kept.items()},
        )


class KernelDecoder:
    """Reads and writes B texts in parallel by the kernel: both a `Decoder` and `Streams`."""

    is_endless = True

    def __init__(self, library: ctypes.CDLL, packed: PackedModel) -> None:
        self._library = library
        self._packed = packed
        self._state: _State | None = None
        self._team = _Team(library)
        self.threads = 1
        """How many share out each step, at most MOST_THREADS; what is written does not depend on it."""
        library.head_bytes.restype = c_int64
        self._head_bytes = library.head_bytes(ctypes.byref(packed.struct))

    def start(self, tokens: Ints) -> Floats:
        """Begin with (B, T) characters; logits (B, V), in the same array until the next start."""
        size = self._packed.struct.block_size
        if self._state is None or self._state.batch_size != len(tokens):
            self._state = _State(self._packed, len(tokens), self._head_bytes)
        self._library.streams_start(*self._structs())
        seen = tokens[:, -self._packed.reach :]
        for begin in range(0, seen.shape[1], size):
            self._read(seen[:, begin : begin + size])
        return self._state.logits

    def advance(self, tokens: Ints) -> Floats:
        """Read one more character (B,) of each; logits (B, V), in the same array until the next start."""
        self._read(tokens[:, None])
        assert self._state is not None
        return self._state.logits

    def _read(self, tokens: Ints) -> None:
        """Read (B, T) more, T at most block_size."""
        read = np.ascontiguousarray(tokens, np.int64)
        with self._team_work():
            self._library.streams_read(*self._structs(), c_void_p(read.ctypes.data), c_int64(read.shape[1]))

    def write(self, config: SampleConfig, uniforms: Uniforms) -> tuple[Ints, Floats]:
        """Write n characters of each: tokens (n, B), drawn by `uniforms` (n, B) from logits (n, B, V)."""
        structs = self._structs()
        chances = np.ascontiguousarray(uniforms, np.float64)
        tokens = np.empty(chances.shape, np.int64)
        logits = np.empty((*chances.shape, self._packed.struct.vocab_size), np.float32)
        draw = _Draw(config.temperature, config.top_p, config.min_p, config.top_k)
        addresses = [c_void_p(array.ctypes.data) for array in (chances, tokens, logits)]
        with self._team_work():
            self._library.streams_write(
                *structs, ctypes.byref(draw), addresses[0], c_int64(len(chances)), addresses[1], addresses[2]
            )
        return tokens, logits

    def _team_work(self) -> contextlib.AbstractContextManager[None]:
        """Meanwhile `threads` share out the steps."""
        assert self._state is not None
        self._state.struct.team = self._team.address if self.threads > 1 else None
        return self._team.gathered(self.threads) if self.threads > 1 else contextlib.nullcontext()

    def _structs(self) -> tuple[Any, Any]:
        """What every function of the kernel takes first."""
        if self._state is None:
            raise ValueError("nothing was read yet: start first")
        return ctypes.byref(self._packed.struct), ctypes.byref(self._state.struct)
