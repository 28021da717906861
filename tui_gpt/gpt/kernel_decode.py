"""Decoding through the compiled kernel: one call of decode.c a character, however many layers and streams.

An eager PyTorch step pays a few microseconds for each of its many small operations, which is most of a small model's time;
the kernel does not, and reads each weight once. A plain decoder stays beneath: it reads whole windows, and the kernel goes
on in the same cache. Weights are copied and packed as the kernel wants them, so later training does not change them.
"""

import ctypes
from collections.abc import Iterable, Sequence
from ctypes import POINTER, c_float, c_int64, c_void_p
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from tui_gpt.gpt import classic, modern
from tui_gpt.gpt.classic import Classic
from tui_gpt.gpt.decode import CachedDecoder, Floats, Ints, plain_decoder
from tui_gpt.gpt.modern import LOGIT_CAP, Modern
from tui_gpt.gpt.ngram import NgramPrior

PANEL = 32
"""As in decode.c."""
MAX_ORDER = 16
"""As in decode.c."""


def _pointers(names: str) -> list[tuple[str, Any]]:
    return [(name, c_void_p) for name in names.split()]


class _Layer(ctypes.Structure):
    _fields_ = _pointers(
        "attention_gain attention_shift qkv projection projection_bias "
        "feed_forward_gain feed_forward_shift expand expand_bias contract contract_bias"
    )


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
        *_pointers("token_embedding position_embedding cosines sines prior_embedding gain shift head head_bias"),
        ("layers", POINTER(_Layer)),
        ("prior", POINTER(_Prior)),
    ]


class _Packed:
    """A model as the kernel wants it; owns all that `struct` points to."""

    def __init__(self, model: Classic | Modern, prior: NgramPrior | None) -> None:
        self._kept: list[Tensor | npt.NDArray[Any]] = []
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
        return _Layer(
            *self._norm(block.attention_norm),
            self._matrix(attention.qkv.weight),
            self._matrix(attention.projection.weight),
            self._vector(attention.projection.bias),
            *self._norm(block.feed_forward_norm),
            self._matrix(feed_forward.expand.weight),
            self._vector(feed_forward.expand.bias),
            self._matrix(feed_forward.contract.weight),
            self._vector(feed_forward.contract.bias),
        )

    def _add_modern(self, model: Modern) -> None:
        struct = self.struct
        struct.is_modern = 1
        struct.logit_cap = LOGIT_CAP
        positions = torch.arange(model.config.block_size)
        cosines, sines = modern.rotary_table(positions, model.config.n_embd // model.config.n_head)
        struct.cosines, struct.sines = self._vector(cosines), self._vector(sines)
        struct.head = self._matrix(model.head)
        struct.layers = _array(self._modern_layer(block) for block in cast("Sequence[modern.Block]", model.blocks))
        if model.config.ngram_order:
            struct.prior_embedding = self._matrix(model.prior_embedding)
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

    def _matrix(self, tensor: Tensor) -> int:
        """The address of a copy of (out, in): panels (in, PANEL) of PANEL outputs each, the last one padded."""
        padded = F.pad(tensor.detach().float(), (0, 0, 0, -len(tensor) % PANEL))
        return self._vector(padded.unflatten(0, (-1, PANEL)).transpose(1, 2))

    def _array(self, array: npt.NDArray[Any], dtype: npt.DTypeLike) -> int:
        """The address of `array`, copied only where its type differs."""
        kept = np.ascontiguousarray(array, dtype)
        self._kept.append(kept)
        return kept.ctypes.data


def _array(layers: Iterable[_Layer]) -> "ctypes.Array[_Layer]":
    made = list(layers)
    return (_Layer * len(made))(*made)


class KernelDecoder:
    """A plain decoder that reads on by the kernel."""

    def __init__(self, library: ctypes.CDLL, model: Classic | Modern, prior: NgramPrior | None) -> None:
        self._library = library
        self._plain: CachedDecoder = plain_decoder(model, prior)
        self._packed = _Packed(model, prior)
        self._order = prior.order if prior else 0
        self._position = 0
        self._buffers = _Buffers(self._packed.struct, 0, 0)

    def predict(self, tokens: Ints) -> Floats:
        """Read whole windows (B, T); logits (B, T, V)."""
        return self._plain.predict(tokens)

    def start(self, tokens: Ints) -> Floats:
        """Read whole windows (B, T) and remember them; logits (B, V)."""
        logits = self._plain.start(tokens)
        if len(self._buffers.tokens) != len(tokens):
            self._buffers = _Buffers(self._packed.struct, len(tokens), self._order)
        self._position = tokens.shape[1]
        self._start_prior(tokens)
        return logits

    def advance(self, tokens: Ints) -> Floats:
        """Read one more character (B,) of each; logits (B, V), in the same array at every call."""
        buffers = self._buffers
        buffers.tokens[:] = tokens
        self._library.decode_step(
            *buffers.shared, c_int64(self._position), self._plain.cache.data_ptr()
        )
        self._position += 1
        return buffers.logits

