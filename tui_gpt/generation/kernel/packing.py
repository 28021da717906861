"""Pack a model's weights for the C extension: matrices in panels, mostly in half precision."""

import ctypes
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tui_gpt.config import LOGIT_CAP, NGRAM_TABLES
from tui_gpt.generation.kernel import structs
from tui_gpt.generation.kernel.structs import PANEL
from tui_gpt.generation.weights import Floats, Model
from tui_gpt.prior.ngram import NgramPrior

LARGEST_HALF_EXPONENT = 15
"""2 to this power fits into half precision, with a margin."""
MIN_FRACTION = 2.0**-24
"""A matrix with an output whose weights are all smaller than this fraction of its largest weight stays in single
precision, because they would lose digits. Otherwise the weights of an output change by at most a few thousandths of
their norm."""
MIN_EXPONENT = -100
"""Weights that are all smaller than 2 to this power are treated as zero."""
OUTER_MATRICES = ("prior_embedding", "prior_trust", "head")
MATRICES = (
    *OUTER_MATRICES,
    "attention.qkv",
    "attention.projection",
    "feed_forward.expand",
    "feed_forward.contract",
)
"""How the names of the weights end that are stored by `rounded_weights`."""
_Struct = TypeVar("_Struct", bound=ctypes.Structure)


def rounded_weights(weights: Floats) -> tuple[npt.NDArray[Any], float]:
    """Return a matrix (out, in) as it is stored, and the factor that restores it.

    A power of two scales the largest weight to the top of the range of half precision, so small weights keep their
    digits.
    """
    largest_of_output = np.maximum(weights.max(axis=-1), -weights.min(axis=-1))
    largest = float(largest_of_output.max())
    if ((largest_of_output < MIN_FRACTION * largest) & (largest_of_output > 0)).any():
        return weights, 1.0
    exponent = LARGEST_HALF_EXPONENT - max(math.frexp(largest)[1], MIN_EXPONENT)
    return (weights * np.float32(2.0**exponent)).astype(np.float16), 2.0**-exponent


def as_packed(model: Model) -> Model:
    """Return the model with the weights that the C extension computes with, in single precision."""
    return replace(model, networks=[_as_packed(network) for network in model.networks])


def _as_packed(w: Mapping[str, Floats]) -> Mapping[str, Floats]:
    return {name: _as_stored(value) if name.endswith(MATRICES) else value for name, value in w.items()}


def _as_stored(weights: Floats) -> Floats:
    stored, scale = rounded_weights(weights)
    return np.asarray(stored * np.float32(scale), np.float32)


class PackedModel:
    """A model for the C extension; owns the packed copies of the weights that `struct` points to."""

    def __init__(self, model: Model) -> None:
        self._kept: list[npt.NDArray[Any]] = []
        self.matrix_bytes = 0
        """Total size of the matrices, which are read for every character."""
        config = model.config
        self.struct = structs.Model(
            n_networks=len(model.networks),
            n_layer=config.n_layer,
            n_head=config.n_head,
            n_embd=config.n_embd,
            block_size=config.block_size,
            vocab_size=model.vocab_size,
            is_modern=config.architecture == "modern",
            is_gelu=config.activation == "gelu",
            ngram_tables=NGRAM_TABLES,
            networks=_array(structs.Network, [self._network(w, config.n_layer) for w in model.networks]),
            logit_cap=LOGIT_CAP,
        )
        if model.folded is not None:
            self.struct.folded = self._address(model.folded, np.int64)
        if model.prior is not None:
            self._add_prior(model.prior)

    def _network(self, w: Mapping[str, Floats], n_layer: int) -> structs.Network:
        matrices = {name: self._matrix(w[name]) for name in OUTER_MATRICES if name in w}
        return structs.Network(
            **matrices,
            token_embedding=self._vector(w, "token_embedding"),
            position_embedding=self._vector(w, "position_embedding"),
            ngram_embedding=self._vector(w, "ngram_embedding"),
            match_embedding=self._vector(w, "induction.embedding"),
            follower_bias=self._vector(w, "induction.follower_bias"),
            candidate_bias=self._vector(w, "induction.candidate_bias"),
            match_gate=self._vector(w, "induction.gate"),
            prior_gate=self._vector(w, "prior_gate"),
            gain=self._vector(w, "norm"),
            shift=self._vector(w, "norm.bias"),
            head_bias=self._vector(w, "head.bias"),
            layers=_array(structs.Layer, [self._layer(w, f"blocks.{layer}.") for layer in range(n_layer)]),
        )

    def _layer(self, w: Mapping[str, Floats], block: str) -> structs.Layer:
        return structs.Layer(
            qkv=self._matrix(w[block + "attention.qkv"]),
            projection=self._matrix(w[block + "attention.projection"]),
            expand=self._matrix(w[block + "feed_forward.expand"]),
            contract=self._matrix(w[block + "feed_forward.contract"]),
            attention_gain=self._vector(w, block + "attention_norm"),
            attention_shift=self._vector(w, block + "attention_norm.bias"),
            feed_forward_gain=self._vector(w, block + "feed_forward_norm"),
            feed_forward_shift=self._vector(w, block + "feed_forward_norm.bias"),
            projection_bias=self._vector(w, block + "attention.projection.bias"),
            expand_bias=self._vector(w, block + "feed_forward.expand.bias"),
            contract_bias=self._vector(w, block + "feed_forward.contract.bias"),
        )

    def _add_prior(self, prior: NgramPrior) -> None:
        trie, table = prior.trie, prior.table
        grams = [structs.Grams() for _ in range(prior.order + 1)]
        for k in range(prior.order + 1):
            grams[k].symbols = self._address(trie.symbols[k], np.int32)
            if k > 1:
                grams[k].discounted_probs = self._address(table.discounted_probs[k], np.float32)
            if k < prior.order:
                grams[k].firsts = self._address(trie.firsts[k], np.int64)
                grams[k].backoffs = self._address(table.backoffs[k], np.float32)
        self.struct.prior_order = prior.order
        self.struct.unigram = self._address(table.unigram, np.float32)
        self.struct.grams = _array(structs.Grams, grams)

    def _vector(self, w: Mapping[str, Floats], name: str) -> int | None:
        """Return the address of a row-major copy of a weight, or None if the network does not have it."""
        return self._address(w[name].copy(), np.float32) if name in w else None

    def _matrix(self, weights: Floats) -> structs.Matrix:
        """Return a copy of (out, in) in panels (in, PANEL) of PANEL outputs each, the last one padded."""
        stored, scale = rounded_weights(weights)
        padded = np.pad(stored, ((0, -len(stored) % PANEL), (0, 0)))
        panels = np.ascontiguousarray(padded.reshape(-1, PANEL, padded.shape[1]).swapaxes(1, 2))
        self.matrix_bytes += panels.nbytes
        return structs.Matrix(
            panels=self._address(panels, panels.dtype),
            rows=padded.shape[1],
            is_half=panels.dtype == np.float16,
            scale=scale,
        )

    def _address(self, array: npt.NDArray[Any], dtype: npt.DTypeLike) -> int:
        """Return the address of `array`, which is copied only if its type or layout differs."""
        kept = np.ascontiguousarray(array, dtype)
        self._kept.append(kept)
        return kept.ctypes.data


def _array(kind: type[_Struct], members: Sequence[_Struct]) -> "ctypes.Array[_Struct]":
    return (kind * len(members))(*members)
