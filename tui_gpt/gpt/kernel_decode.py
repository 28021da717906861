"""Writing through the compiled kernel: one call of decode.c for a burst of characters, however many layers and streams.

An eager PyTorch step pays a few microseconds for each of its many small operations, which is most of a small model's
time; the kernel does not, reads each weight once for all streams, and holds no lock of the interpreter's meanwhile.
Weights are copied and packed as the kernel wants them, so later training does not change them. What it computes is what
the plain decoders compute, which stay the reference.
"""

import ctypes
import enum
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from ctypes import POINTER, c_double, c_float, c_int64, c_void_p
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from tui_gpt.config import SampleConfig
from tui_gpt.gpt import classic, modern
from tui_gpt.gpt.build import LanguageModel
from tui_gpt.gpt.classic import Classic
from tui_gpt.gpt.committee import networks_of
from tui_gpt.gpt.decode import HISTORY, Floats, Ints, PlainDecoder, plain_decoder, reach, window_stride
from tui_gpt.gpt.kernel import kernel
from tui_gpt.gpt.modern import LOGIT_CAP, NGRAM_TABLES, Modern, rotary_angles
from tui_gpt.gpt.ngram import NgramPrior
from tui_gpt.gpt.streams import PlainStreams, Streams, Uniforms
from tui_gpt.gpt.world import available_cores, using_cores

PANEL = 32
"""As in decode.c."""
MAX_ORDER = 16
"""As in decode.c."""
STRETCH, BYTE_MAX, TINY = 128, 127, 1e-30
"""As in decode.c."""
LARGEST_HALF_EXPONENT = 15
"""2 to this power is held by half precision, with room to spare."""
HALF_ERROR = 1e-3
"""How far the weights of one output may be from what half precision makes of them, as a share of their own length; a
matrix that loses more (one in which some outputs have weights far smaller than others) stays in single precision."""
SMALLEST_SHARE = 4
"""Streams that make a thread of their own worth while, and whole numbers; a number and no timing, as sums in another
order could turn a draw, and equal seeds write equal texts."""
_Struct = TypeVar("_Struct", bound=ctypes.Structure)

SCRATCH_WIDTHS = 7
"""Floats of working space a column needs, as a multiple of n_embd."""


def _pointers(names: str) -> list[tuple[str, Any]]:
    return [(name, c_void_p) for name in names.split()]


class _Matrix(ctypes.Structure):
    _fields_ = [*_pointers("panels scales"), ("kind", c_int64)]


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


class _Network(ctypes.Structure):
    _fields_ = [
        *_pointers("token_embedding position_embedding ngram_embedding match_embedding"),
        *_pointers("follower_bias candidate_bias match_gate"),
        *((name, _Matrix) for name in ("prior_embedding", "prior_trust")),
        ("prior_gate", c_float),
        *_pointers("gain shift"),
        ("head", _Matrix),
        *_pointers("head_bias"),
        ("layers", POINTER(_Layer)),
    ]


class _Model(ctypes.Structure):
    _fields_ = [
        *(
            (name, c_int64)
            for name in (
                "n_members",
                "n_layer",
                "n_head",
                "n_embd",
                "block_size",
                "vocab_size",
                "in_bytes",
                "is_modern",
            )
        ),
        ("logit_cap", c_float),
        *_pointers("turns"),
        ("ngram_tables", c_int64 * len(NGRAM_TABLES)),
        *_pointers("folded"),
        ("prior", POINTER(_Prior)),
        ("members", POINTER(_Network)),
    ]


class _StateStruct(ctypes.Structure):
    _fields_ = [
        *((name, c_int64) for name in ("batch_size", "position", "length", "room", "stride")),
        *_pointers("window folds cache turned cosines sines"),
        ("are_alike", c_int64),
        *_pointers("contexts rows gates matches candidates scratch shorts stretches logits mixed tokens"),
        ("is_unread", c_int64),
        *_pointers("chances"),
    ]


class _Draw(ctypes.Structure):
    _fields_ = [*((name, c_double) for name in ("temperature", "top_p", "min_p")), ("top_k", c_int64)]


class Numbers(enum.IntEnum):
    """What matrices are stored in, as in decode.c."""

    SINGLE = 0
    HALF = 1
    """Half precision, but for a matrix that it would spoil (see HALF_ERROR)."""
    BYTES = 2
    """8-bit whole numbers with a scale for each output, and so are keys and values; what they are multiplied with is
    rounded to 16-bit ones. A quarter is read, and products come twice as fast."""


def packed_weights(weights: Tensor, numbers: Numbers) -> tuple[Tensor, Tensor]:
    """What is stored of a matrix (out, in), and the factors (out,) that make it the weights again."""
    weights = weights.detach().float()
    if numbers is Numbers.BYTES:
        return _bytes(weights)
    halves, factors = _halves(weights)
    lost = (halves.float() * factors[:, None] - weights).norm(dim=-1)
    is_held = numbers is Numbers.HALF and bool((lost <= HALF_ERROR * weights.norm(dim=-1)).all())
    return (halves, factors) if is_held else (weights, torch.ones(len(weights)))


def _halves(weights: Tensor) -> tuple[Tensor, Tensor]:
    """A power of two brings the largest weight to the top of what half precision holds, so that the small ones keep
    their eleven digits too."""
    exponent = LARGEST_HALF_EXPONENT - math.frexp(weights.abs().max().item())[1]
    return (weights * 2.0**exponent).half(), torch.full((len(weights),), 2.0**-exponent)


def _bytes(weights: Tensor) -> tuple[Tensor, Tensor]:
    factors = weights.abs().amax(-1) / BYTE_MAX
    return (weights / factors.clamp(min=TINY)[:, None]).round().char(), factors


class PackedModel:
    """A model as the kernel wants it; owns all that `struct` points to."""

    def __init__(self, model: LanguageModel, prior: NgramPrior | None, numbers: Numbers = Numbers.HALF) -> None:
        self._kept: list[Tensor | npt.NDArray[Any]] = []
        self._numbers = numbers
        self.matrix_bytes = 0
        """Size of all matrices as they are stored, which a stream reads for every character."""
        self.order = prior.order if prior else 0
        config = model.config
        self.reach = reach(config)
        """How many of the last characters a stream begins with."""
        self.struct = _Model(
            n_members=config.networks,
            n_layer=config.n_layer,
            n_head=config.n_head,
            n_embd=config.n_embd,
            block_size=config.block_size,
            vocab_size=model.vocab_size,
            in_bytes=numbers is Numbers.BYTES,
        )
        if isinstance(model, Classic):
            self.struct.members = _array(_Network, [self._classic_network(model)])
        else:
            self._add_modern(networks_of(model))
        if prior is not None:
            self.struct.prior = ctypes.pointer(self._prior(prior))

    def _classic_network(self, model: Classic) -> _Network:
        blocks = cast("Sequence[classic.Block]", model.blocks)
        network = _Network(
            token_embedding=self._vector(model.token_embedding.weight),
            position_embedding=self._vector(model.position_embedding.weight),
            head=self._matrix(model.head.weight),
            head_bias=self._vector(model.head.bias),
            layers=_array(_Layer, [self._classic_layer(block) for block in blocks]),
        )
        network.gain, network.shift = self._norm(model.norm)
        return network

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

    def _add_modern(self, networks: Sequence[Modern]) -> None:
        struct, model = self.struct, networks[0]
        struct.is_modern = 1
        struct.logit_cap = LOGIT_CAP
        angles = rotary_angles(model.config.n_embd // model.config.n_head)
        struct.turns = self._array(torch.stack([angles.cos(), angles.sin()]).numpy(), np.float64)
        struct.ngram_tables = (c_int64 * len(NGRAM_TABLES))(*NGRAM_TABLES)
        if model.induction is not None:
            struct.folded = self._array(model.induction.folded.cpu().numpy(), np.int32)
        struct.members = _array(_Network, [self._modern_network(network) for network in networks])

    def _modern_network(self, model: Modern) -> _Network:
        blocks = cast("Sequence[modern.Block]", model.blocks)
        network = _Network(
            token_embedding=self._vector(model.token_embedding.weight),
            head=self._matrix(model.head),
            layers=_array(_Layer, [self._modern_layer(block) for block in blocks]),
        )
        if model.ngram_embedding is not None:
            network.ngram_embedding = self._vector(model.ngram_embedding.weight)
        if model.induction is not None:
            network.match_embedding = self._vector(model.induction.embedding)
            network.follower_bias = self._vector(model.induction.follower_bias)
            network.candidate_bias = self._vector(model.induction.candidate_bias)
            network.match_gate = self._vector(model.induction.gate)
        if model.config.ngram_order:
            network.prior_embedding = self._matrix(model.prior_embedding)
            network.prior_trust = self._matrix(model.prior_trust)
            network.prior_gate = model.prior_gate.item()
        return network

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
        """A copy of (out, in) in panels of PANEL outputs each, padded: (in, PANEL), of bytes (in / 2, PANEL, 2)."""
        stored, factors = packed_weights(tensor, self._numbers)
        pairs = 2 if stored.dtype == torch.int8 else 1
        padded = F.pad(stored, (0, -stored.shape[1] % pairs, 0, -len(stored) % PANEL))
        panels = padded.view(-1, PANEL, padded.shape[1] // pairs, pairs).transpose(1, 2).contiguous()
        self._kept.append(panels)
        self.matrix_bytes += panels.nbytes
        kind = {torch.float: Numbers.SINGLE, torch.half: Numbers.HALF, torch.int8: Numbers.BYTES}[stored.dtype]
        return _Matrix(panels=panels.data_ptr(), scales=self._vector(factors), kind=kind)

    def _array(self, array: npt.NDArray[Any], dtype: npt.DTypeLike) -> int:
        """The address of `array`, copied only where its type differs."""
        kept = np.ascontiguousarray(array, dtype)
        self._kept.append(kept)
        return kept.ctypes.data


def _array(kind: type[_Struct], structs: Sequence[_Struct]) -> "ctypes.Array[_Struct]":
    return (kind * len(structs))(*structs)


class _State:
    """What B streams have read so far, at most `columns` characters at once; owns all that `struct` points to."""

    def __init__(self, packed: PackedModel, batch_size: int, head_bytes: int) -> None:
        model = packed.struct
        S, C, V = model.block_size, model.n_embd, model.vocab_size
        columns, pairs = max(batch_size, S), C // model.n_head // 2
        widest = max(4 * C, V) + 1
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
            "scratch": torch.zeros(columns * SCRATCH_WIDTHS * C + S + PANEL),
            "shorts": torch.zeros(columns * widest + S, dtype=torch.short),
            "stretches": torch.zeros(columns * -(-widest // STRETCH) + S),
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
        self._library.streams_read(*self._structs(), c_void_p(read.ctypes.data), c_int64(read.shape[1]))

    def write(self, config: SampleConfig, uniforms: Uniforms) -> tuple[Ints, Floats]:
        """Write n characters of each: tokens (n, B), drawn by `uniforms` (n, B) from logits (n, B, V)."""
        structs = self._structs()
        chances = np.ascontiguousarray(uniforms, np.float64)
        tokens = np.empty(chances.shape, np.int64)
        logits = np.empty((*chances.shape, self._packed.struct.vocab_size), np.float32)
        draw = _Draw(config.temperature, config.top_p, config.min_p, config.top_k)
        addresses = [c_void_p(array.ctypes.data) for array in (chances, tokens, logits)]
        self._library.streams_write(
            *structs, ctypes.byref(draw), addresses[0], c_int64(len(chances)), addresses[1], addresses[2]
        )
        return tokens, logits

    def _structs(self) -> tuple[Any, Any]:
        """What every function of the kernel takes first."""
        if self._state is None:
            raise ValueError("nothing was read yet: start first")
        return ctypes.byref(self._packed.struct), ctypes.byref(self._state.struct)


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
        packed = self._packed_in(Numbers.BYTES if batch_size >= SMALLEST_SHARE else Numbers.HALF)
        shares = max(1, min(available_cores(), batch_size // SMALLEST_SHARE))
        parts = [KernelDecoder(library, packed) for _ in range(shares)]
        return parts[0] if shares == 1 else SideBySide(parts)

    def _packed_in(self, numbers: Numbers) -> PackedModel:
        if numbers not in self._packed:
            with using_cores(1):
                self._packed[numbers] = PackedModel(self._model, self._prior, numbers)
        return self._packed[numbers]
