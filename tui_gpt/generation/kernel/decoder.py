"""The decoder in C: computes what `generation/decoder.py` computes, without the overhead of NumPy's small operations.

Each weight is read once for all texts. The GIL is released, so other threads run during a call.
"""

import contextlib
import ctypes
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from tui_gpt.config import SampleConfig
from tui_gpt.generation.decoder import CHUNK, Decoder, Uniforms, rotary_table
from tui_gpt.generation.kernel import structs
from tui_gpt.generation.kernel.packing import PackedModel
from tui_gpt.generation.weights import Floats, Ints, Model

SCRATCH_WIDTHS = 7
"""Floats of scratch memory per column, as a multiple of n_embd."""
LONGEST_BURST = 256


class KernelDecoder(Decoder):
    """A decoder of the C extension; several may share a `PackedModel`."""

    def __init__(self, model: Model, library: ctypes.CDLL, packed: PackedModel) -> None:
        super().__init__(model)
        self._library = library
        self._packed = packed
        self._arrays: dict[str, npt.NDArray[Any]] = {}
        """The arrays that the fields of `structs.State` point to."""

    def generate(self, config: SampleConfig, uniforms: Uniforms) -> tuple[Ints, Floats]:
        """See `Decoder.generate`; generates in bursts that fit into the window."""
        generated = list(self._bursts(config, uniforms))
        tokens, logits = zip(*generated, strict=True)
        return np.concatenate(tokens), np.concatenate(logits)

    def _bursts(self, config: SampleConfig, uniforms: Uniforms) -> Iterator[tuple[Ints, Floats]]:
        while len(uniforms):
            if self._free_positions == 0:
                yield Decoder.generate(self, config, uniforms[:1])
                uniforms = uniforms[1:]
                continue
            burst = uniforms[
                : LONGEST_BURST if self._free_positions is None else min(LONGEST_BURST, self._free_positions)
            ]
            yield self._generate_burst(config, burst)
            uniforms = uniforms[len(burst) :]

    def _generate_burst(self, config: SampleConfig, uniforms: Uniforms) -> tuple[Ints, Floats]:
        count = len(uniforms)
        uniforms = np.ascontiguousarray(uniforms, np.float64)
        drawn_from = np.empty((count, *self.logits.shape), np.float32)
        logits = self.logits.copy()
        sampling = structs.Sampling(config.temperature, config.top_p, config.min_p, config.top_k)
        tokens = np.zeros((len(self._text), count), np.int64)
        with self._unread(tokens, logits) as (model, state, text):
            self._library.generate_texts(model, state, sampling, uniforms.ctypes.data, count, drawn_from.ctypes.data)
            tokens = text[:, -count:]
        self.logits = logits
        self._append(tokens)
        return tokens.T, drawn_from

    def _read(self, tokens: Ints) -> Floats:
        logits = np.empty((len(tokens), self.model.vocab_size), np.float32)
        with self._unread(tokens, logits) as (model, state, _):
            self._library.read_texts(model, state, tokens.shape[1])
        self._append(tokens)
        return logits

    @contextlib.contextmanager
    def _unread(self, tokens: Ints, logits: Floats) -> Iterator[tuple[structs.Model, structs.State, Ints]]:
        """Yield the arguments of the library's functions, and the text (B, n) that ends with the next `tokens` (B, T).

        `logits` (B, V) are those before `tokens`; the functions overwrite them with those after.
        """
        config = self.model.config
        text = np.concatenate([self._text, tokens], axis=1)
        cosines, sines = rotary_table(self._position, tokens.shape[1], config.n_embd // config.n_head)
        arrays = {**self._arrays, "text": text, "logits": logits, "cosines": cosines, "sines": sines}
        state = structs.State(
            texts=len(text),
            position=self._position,
            length=self._text.shape[1],
            capacity=text.shape[1],
            **{name: array.ctypes.data for name, array in arrays.items()},
        )
        yield self._packed.struct, state, text

    def _clear(self, count: int) -> None:
        super()._clear(count)
        model = self._packed.struct
        shape = (model.n_networks, model.n_layer, count, model.n_head, self._library.head_floats(model))
        contexts = np.full((count, model.prior_order), -1, np.int64)
        contexts[:, :1] = 0
        self._allocate(np.zeros(shape, np.float32), contexts)

    def _select_cache(self, rows: Ints) -> None:
        self._allocate(np.take(self._arrays["cache"], rows, axis=2), np.take(self._arrays["contexts"], rows, axis=0))

    def _allocate(self, cache: Floats, contexts: Ints) -> None:
        model = self._packed.struct
        B, V = len(contexts), model.vocab_size
        columns = max(B, CHUNK)
        self._arrays = {
            "cache": cache,
            "contexts": contexts,
            "rows": np.empty((columns, V), np.float32),
            "gates": np.empty((columns, V), np.float32),
            "matches": np.empty((columns, 2), np.int64),
            "candidates": np.empty((B, V), np.int64),
            "scratch": np.empty((columns, SCRATCH_WIDTHS * model.n_embd), np.float32),
            "scores": np.empty(model.block_size, np.float32),
            "summed_probs": np.empty((B, V), np.float64),
            "probs": np.empty((3, V), np.float64),
        }
