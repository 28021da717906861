"""Decoding through the compiled kernel: one call of decode.c a character, however many layers and streams.

An eager PyTorch step pays a few microseconds for each of its many small operations, which is most of a small model's
time; the kernel does not, and reads each weight once. A plain decoder stays beneath: it reads whole windows, and the
kernel goes on in the same cache. Weights are copied and packed as the kernel wants them, so later training does not
change them.
"""

import ctypes
import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ctypes import POINTER, c_float, c_int64, c_void_p
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from tui_gpt.gpt import classic, modern
from tui_gpt.gpt.classic import Classic
from tui_gpt.gpt.decode import CachedDecoder, Decoder, Floats, Ints, plain_decoder
from tui_gpt.gpt.kernel import kernel
from tui_gpt.gpt.modern import LOGIT_CAP, NGRAM_TABLES, Modern
from tui_gpt.gpt.ngram import NgramPrior
from tui_gpt.gpt.world import available_cores

PANEL = 32
"""As in decode.c."""
LARGEST_HALF_EXPONENT = 15
"""2 to this power is held by half precision, with room to spare."""
WIDENED_EXPONENT = -112
"""What the kernel's way from half to single precision multiplies with, as a power of two."""
MAX_ORDER = 16
"""As in decode.c."""


SMALLEST_SHARE = 4
"""Streams that make a thread of their own worth while."""
SCRATCH_WIDTHS = 7
"""Floats of working space a stream needs, as a multiple of n_embd."""


def _pointers(names: str) -> list[tuple[str, Any]]:
    return [(name, c_void_p) for name in names.split()]


class _Matrix(ctypes.Structure):
    _fields_ = [*_pointers("panels"), ("scale", c_float)]


class _Layer(ctypes.Structure):
    _fields_ = [
        *_pointers("attention_gain attention_shift"),
        *((name, _Matrix) for name in ("qkv", "projection", "expand", "contract")),
        *_pointers("projection_bias feed_forward_gain feed_forward_shift expand_bias contract_bias"),
    ]


class _Ngrams(ctypes.Structure):
    _fields_ = _pointers("symbols firsts shares backoffs")


class _Prior(ctypes.Structure):
    _fields_ = [
        ("order", c_int64),
        ("dense_length", c_int64),
        *_pointers("unigram dense"),
        ("grams", _Ngrams * (MAX_ORDER + 1)),
    ]


class _Model(ctypes.Structure):
    _fields_ = [
        *((name, c_int64) for name in ("n_layer", "n_head", "n_embd", "block_size", "vocab_size", "is_modern")),
        ("logit_cap", c_float),
        ("prior_gate", c_float),
        *_pointers("token_embedding position_embedding cosines sines ngram_embedding"),
        ("ngram_tables", c_int64 * len(NGRAM_TABLES)),
        *((name, _Matrix) for name in ("prior_embedding", "prior_trust")),
        *_pointers("gain shift"),
        ("head", _Matrix),
        *_pointers("head_bias"),
        ("layers", POINTER(_Layer)),
        ("prior", POINTER(_Prior)),
    ]


class _StateStruct(ctypes.Structure):
    _fields_ = [
        ("batch_size", c_int64),
        ("position", c_int64),
        *_pointers("tokens before cache contexts rows gates scratch logits"),
    ]


class PackedModel:
    """A model as the kernel wants it; owns all that `struct` points to."""

    def __init__(self, model: Classic | Modern, prior: NgramPrior | None) -> None:
        self._kept: list[Tensor | npt.NDArray[Any]] = []
        self.order = prior.order if prior else 0
        config = model.config
        self.struct = _Model(
            n_layer=config.n_layer,
            n_head=config.n_head,
            n_embd=config.n_embd,
            block_size=config.block_size,
            vocab_size=model.vocab_size,
            token_embedding=self._vector(model.token_embedding.weight),
        )
        if isinstance(model, Classic):
            self._add_classic(model)
        else:
            self._add_modern(model)
        if prior is not None:
            self.struct.prior = ctypes.pointer(self._prior(prior))

    def _add_classic(self, model: Classic) -> None:
        struct = self.struct
        struct.position_embedding = self._vector(model.position_embedding.weight)
        struct.gain, struct.shift = self._norm(model.norm)
        struct.head, struct.head_bias = self._matrix(model.head.weight), self._vector(model.head.bias)
        struct.layers = _array(self._classic_layer(block) for block in cast("Sequence[classic.Block]", model.blocks))

    def _classic_layer(self, block: classic.Block) -> _Layer:
        attention, feed_forward = block.attention, block.feed_forward
        layer = _Layer(
            qkv=self._matrix(attention.qkv.weight),
            projection=self._matrix(attention.projection.weight),
            expand=self._matrix(feed_forward.expand.weight),
            contract=self._matrix(feed_forward.contract.weight),
            projection_bias=self._vector(attention.projection.bias),
            expand_bias=self._vector(feed_forward.expand.bias),
            contract_bias=self._vector(feed_forward.contract.bias),
        )
        layer.attention_gain, layer.attention_shift = self._norm(block.attention_norm)
        layer.feed_forward_gain, layer.feed_forward_shift = self._norm(block.feed_forward_norm)
        return layer

    def _add_modern(self, model: Modern) -> None:
        struct = self.struct
        struct.is_modern = 1
        struct.logit_cap = LOGIT_CAP
        positions = torch.arange(model.config.block_size)
        cosines, sines = modern.rotary_table(positions, model.config.n_embd // model.config.n_head)
        struct.cosines, struct.sines = self._vector(cosines), self._vector(sines)
        struct.head = self._matrix(model.head)
        struct.layers = _array(self._modern_layer(block) for block in cast("Sequence[modern.Block]", model.blocks))
        if model.ngram_embedding is not None:
            struct.ngram_embedding = self._vector(model.ngram_embedding.weight)
            struct.ngram_tables = (c_int64 * len(NGRAM_TABLES))(*NGRAM_TABLES)
        if model.config.ngram_order:
            struct.prior_embedding = self._matrix(model.prior_embedding)
            struct.prior_trust = self._matrix(model.prior_trust)
            struct.prior_gate = model.prior_gate.item()

    def _modern_layer(self, block: modern.Block) -> _Layer:
        return _Layer(
            qkv=self._matrix(block.attention.qkv.flatten(0, 1)),
            projection=self._matrix(block.attention.projection),
            expand=self._matrix(block.feed_forward.expand),
            contract=self._matrix(block.feed_forward.contract),
        )

    def _prior(self, prior: NgramPrior) -> _Prior:
        trie, table = prior.trie, prior.table
        packed = _Prior(
            order=prior.order,
            dense_length=table.dense_length,
            unigram=self._array(table.unigram, np.float32),
            dense=self._array(table.dense, np.float32),
        )
        packed.grams[0].firsts = self._array(np.array([0, len(trie.symbols[1])]), np.int64)
        for k in range(1, prior.order + 1):
            packed.grams[k].symbols = self._array(trie.symbols[k], np.int32)
            if k > 1:
                packed.grams[k].shares = self._array(table.shares[k], np.float32)
            if k < prior.order:
                packed.grams[k].firsts = self._array(trie.firsts[k], np.int64)
                packed.grams[k].backoffs = self._array(table.backoffs[k], np.float32)
        return packed

    def _norm(self, norm: torch.nn.LayerNorm) -> tuple[int, int]:
        return self._vector(norm.weight), self._vector(norm.bias)

    def _vector(self, tensor: Tensor) -> int:
        """The address of a copy: row-major float32."""
        copy = tensor.detach().float().clone(memory_format=torch.contiguous_format)
        self._kept.append(copy)
        return copy.data_ptr()

    def _matrix(self, tensor: Tensor) -> _Matrix:
        """A copy of (out, in) in half precision: panels (in, PANEL / 2, 2) of PANEL outputs each, the last one padded.

        A power of two brings the largest weight to the top of what half precision holds, so that the small ones keep
        their eleven digits too.
        """
        weights = tensor.detach().float()
        exponent = LARGEST_HALF_EXPONENT - math.frexp(weights.abs().max().item())[1]
        padded = F.pad(weights * 2.0**exponent, (0, 0, 0, -len(weights) % PANEL))
        panels = padded.view(-1, 2, PANEL // 2, weights.shape[1]).permute(0, 3, 2, 1).half().contiguous()
        self._kept.append(panels)
        return _Matrix(panels=panels.data_ptr(), scale=2.0 ** (-exponent - WIDENED_EXPONENT))

    def _array(self, array: npt.NDArray[Any], dtype: npt.DTypeLike) -> int:
        """The address of `array`, copied only where its type differs."""
        kept = np.ascontiguousarray(array, dtype)
        self._kept.append(kept)
        return kept.ctypes.data


def _array(layers: Iterable[_Layer]) -> "ctypes.Array[_Layer]":
    made = list(layers)
    return (_Layer * len(made))(*made)


class _State:
    """What B streams have read so far; owns all that `struct` points to."""

    def __init__(self, packed: PackedModel, cache: Tensor, read: Ints) -> None:
        V, C = packed.struct.vocab_size, packed.struct.n_embd
        batch_size = len(read)
        self.tokens = np.zeros(batch_size, np.int64)
        self.logits = np.zeros((batch_size, V), np.float32)
        self._before = np.zeros((batch_size, len(NGRAM_TABLES)), np.int64)
        newest_first = read[:, ::-1][:, : len(NGRAM_TABLES)]
        self._before[:, : newest_first.shape[1]] = newest_first
        self._cache = cache.transpose(-1, -2).contiguous()
        self._contexts = np.full((batch_size, packed.order), -1, np.int64)
        self._contexts[:, :1] = 0
        self._rows = np.zeros((batch_size, V), np.float32)
        self._gates = np.zeros((batch_size, V), np.float32)
        self._scratch = np.zeros(batch_size * SCRATCH_WIDTHS * C + packed.struct.block_size, np.float32)
        self.struct = _StateStruct(
            batch_size=batch_size,
            tokens=self.tokens.ctypes.data,
            before=self._before.ctypes.data,
            cache=self._cache.data_ptr(),
            position=read.shape[1],
            contexts=self._contexts.ctypes.data,
            rows=self._rows.ctypes.data,
            gates=self._gates.ctypes.data,
            scratch=self._scratch.ctypes.data,
            logits=self.logits.ctypes.data,
        )


class KernelDecoder:
    """A plain decoder that reads on by the kernel."""

    def __init__(self, library: ctypes.CDLL, packed: PackedModel, plain: CachedDecoder) -> None:
        self._library = library
        self._packed = packed
        self._plain = plain
        self._state = _State(packed, torch.zeros(0, 0), np.zeros((0, 0), np.int64))

    def predict(self, tokens: Ints) -> Floats:
        """Read whole windows (B, T); logits (B, T, V)."""
        return self._plain.predict(tokens)

    def start(self, tokens: Ints) -> Floats:
        """Read whole windows (B, T) and remember them; logits (B, V)."""
        logits = self._plain.start(tokens)
        self._state = _State(self._packed, self._plain.cache, tokens)
        for column in tokens.T[max(tokens.shape[1] - self._packed.order, 0) :]:
            self._call(self._library.read_priors, column)
        return logits

    def advance(self, tokens: Ints) -> Floats:
        """Read one more character (B,) of each; logits (B, V), in the same array until the next start."""
        self._call(self._library.decode_step, tokens)
        return self._state.logits

    def _call(self, function: Callable[..., object], tokens: Ints) -> None:
        self._state.tokens[:] = tokens
        function(ctypes.byref(self._packed.struct), ctypes.byref(self._state.struct))


class SideBySide:
    """Many streams shared out among decoders that work at the same time, a thread each."""

    def __init__(self, parts: Sequence[Decoder]) -> None:
        self._parts = parts
        self._threads = ThreadPoolExecutor(len(parts) - 1, "decoder")

    def predict(self, tokens: Ints) -> Floats:
        """Read whole windows (B, T); logits (B, T, V)."""
        return self._each([part.predict for part in self._parts], tokens)

    def start(self, tokens: Ints) -> Floats:
        """Read whole windows (B, T) and remember them; logits (B, V)."""
        return self._each([part.start for part in self._parts], tokens)

    def advance(self, tokens: Ints) -> Floats:
        """Read one more character (B,) of each; logits (B, V)."""
        return self._each([part.advance for part in self._parts], tokens)

    def _each(self, readings: Sequence[Callable[[Ints], Floats]], tokens: Ints) -> Floats:
        mine, *others = np.array_split(tokens, len(readings))
        pending = [self._threads.submit(read, share) for read, share in zip(readings[1:], others, strict=True)]
        return np.concatenate([readings[0](mine), *(future.result() for future in pending)])


class Decoders:
    """Makes a decoder for each stream: by the kernel where it can be, that is on the CPU and with blocks."""

    def __init__(self, model: Classic | Modern, prior: NgramPrior | None) -> None:
        self._model = model
        self._prior = prior
        self._packed: PackedModel | None = None
        self._is_fit = (
            model.config.n_layer > 0
            and not model.config.induction
            and model.token_embedding.weight.device.type == "cpu"
        )
        if self._is_fit:
            kernel()

    def plain(self) -> CachedDecoder:
        """A fresh decoder in PyTorch."""
        return plain_decoder(self._model, self._prior)

    def fastest(self, batch_size: int) -> Decoder:
        """A fresh decoder for so many streams, compiled if it can be; the very first one waits for the compiler."""
        library = kernel(wait=True) if self._is_fit else None
        if library is None:
            return self.plain()
        if self._packed is None:
            self._packed = PackedModel(self._model, self._prior)
        shares = max(1, min(available_cores(), batch_size // SMALLEST_SHARE))
        parts = [KernelDecoder(library, self._packed, self.plain()) for _ in range(shares)]
        return parts[0] if shares == 1 else SideBySide(parts)
