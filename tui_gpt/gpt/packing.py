"""A model as the kernel wants it: matrices packed in panels, and rounded to the numbers they are stored in.

Weights are copied, so later training does not change them. The structs are those of decode.c.
"""

import ctypes
import enum
import math
from collections.abc import Sequence
from ctypes import POINTER, c_float, c_int64, c_void_p
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from tui_gpt.gpt.decode import reach
from tui_gpt.models import classic, modern
from tui_gpt.models.build import LanguageModel
from tui_gpt.models.classic import Classic
from tui_gpt.models.ensemble import networks_of
from tui_gpt.models.modern import LOGIT_CAP, NGRAM_TABLES, Modern, rotary_angles
from tui_gpt.prior.ngram import NgramPrior

PANEL = 32
"""As in sweep.h."""
MAX_ORDER = 16
"""As in decode.c."""
STRETCH, BYTE_MAX, BYTE_ZERO, TINY = 256, 127, 128, 1e-30
"""As in sweep_bytes.h."""
WORTH_SHARING = 131_072
"""As in decode.c."""
LARGEST_HALF_EXPONENT = 15
"""2 to this power is held by half precision, with room to spare."""
HALF_ERROR = 1e-3
"""How far the weights of one output may be from what half precision makes of them, as a share of their own length; a
matrix that loses more (one in which some outputs have weights far smaller than others) stays in single precision."""
_Struct = TypeVar("_Struct", bound=ctypes.Structure)


def pointers(names: str) -> list[tuple[str, Any]]:
    """Fields of a struct."""
    return [(name, c_void_p) for name in names.split()]


class _Matrix(ctypes.Structure):
    _fields_ = [*pointers("panels scales"), ("kind", c_int64)]


class _Layer(ctypes.Structure):
    _fields_ = [
        *pointers("attention_gain attention_shift"),
        *((name, _Matrix) for name in ("qkv", "projection", "expand", "contract")),
        *pointers("projection_bias feed_forward_gain feed_forward_shift expand_bias contract_bias"),
    ]


class _Ngrams(ctypes.Structure):
    _fields_ = pointers("symbols firsts shares backoffs")


class _Prior(ctypes.Structure):
    _fields_ = [
        ("order", c_int64),
        ("dense_length", c_int64),
        *pointers("unigram dense"),
        ("grams", _Ngrams * (MAX_ORDER + 1)),
    ]


class _Network(ctypes.Structure):
    _fields_ = [
        *pointers("token_embedding position_embedding ngram_embedding match_embedding"),
        *pointers("follower_bias candidate_bias match_gate"),
        *((name, _Matrix) for name in ("prior_embedding", "prior_trust")),
        ("prior_gate", c_float),
        *pointers("gain shift"),
        ("head", _Matrix),
        *pointers("head_bias"),
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
        *pointers("turns"),
        ("ngram_tables", c_int64 * len(NGRAM_TABLES)),
        *pointers("folded"),
        ("prior", POINTER(_Prior)),
        ("members", POINTER(_Network)),
    ]


class Numbers(enum.IntEnum):
    """What matrices are stored in, as in decode.c."""

    SINGLE = 0
    HALF = 1
    """Half precision, but for a matrix that it would spoil (see HALF_ERROR)."""
    BYTES = 2
    """8-bit whole numbers with a scale for each output; so are keys and values, with one for each position, and what is
    multiplied with all these, with one for each stretch. Half as much is read as in half precision, and many processors
    multiply four in the time of one."""


def packed_weights(weights: Tensor, numbers: Numbers) -> tuple[Tensor, Tensor]:
    """What is stored of a matrix (out, in), and the factors (out,) that make it the weights again."""
    weights = weights.detach().float()
    if numbers is Numbers.BYTES:
        return _bytes(weights)
    if numbers is Numbers.HALF:
        halves, factors = _halves(weights)
        lost = (halves.float() * factors[:, None] - weights).norm(dim=-1)
        if (lost <= HALF_ERROR * weights.norm(dim=-1)).all():
            return halves, factors
    return weights, torch.ones(len(weights))


def _halves(weights: Tensor) -> tuple[Tensor, Tensor]:
    """A power of two brings the largest weight to the top of what half precision holds, so that the small ones keep
    their eleven digits too."""
    exponent = LARGEST_HALF_EXPONENT - math.frexp(weights.abs().max().item())[1]
    return (weights * 2.0**exponent).half(), torch.full((len(weights),), 2.0**-exponent)


def _bytes(weights: Tensor) -> tuple[Tensor, Tensor]:
    factors = weights.abs().amax(-1) / BYTE_MAX
    return ((weights / factors.clamp(min=TINY)[:, None]).round() + BYTE_ZERO).byte(), factors


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
        self.is_worth_sharing = 4 * config.n_embd**2 >= WORTH_SHARING
        """Whether more than one thread may pay where few texts are written."""
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
                packed.grams[k].shares = self._array(table.discounted_probs[k], np.float32)
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
        """A copy of (out, in) in panels of PANEL outputs each, padded: (in, PANEL), of bytes (in / 4, PANEL, 4)."""
        stored, factors = packed_weights(tensor, self._numbers)
        together = 4 if stored.dtype == torch.uint8 else 1
        padded = F.pad(stored, (0, -stored.shape[1] % together, 0, -len(stored) % PANEL))
        panels = padded.view(-1, PANEL, padded.shape[1] // together, together).transpose(1, 2).contiguous()
        self._kept.append(panels)
        self.matrix_bytes += panels.nbytes
        kind = {torch.float: Numbers.SINGLE, torch.half: Numbers.HALF, torch.uint8: Numbers.BYTES}[stored.dtype]
        return _Matrix(panels=panels.data_ptr(), scales=self._vector(factors), kind=kind)

    def _array(self, array: npt.NDArray[Any], dtype: npt.DTypeLike) -> int:
        """The address of `array`, copied only where its type differs."""
        kept = np.ascontiguousarray(array, dtype)
        self._kept.append(kept)
        return kept.ctypes.data


def _array(kind: type[_Struct], structs: Sequence[_Struct]) -> "ctypes.Array[_Struct]":
    return (kind * len(structs))(*structs)
