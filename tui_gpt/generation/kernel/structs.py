"""The structs of decoder.c, matrix.h and adaptive.c; library.py checks that their sizes agree."""

import ctypes
from ctypes import POINTER, c_double, c_float, c_int64, c_void_p
from typing import Any

from tui_gpt.config import NGRAM_TABLES

PANEL = 32
"""Number of outputs of a matrix that are stored and computed together."""


def _pointers(names: str) -> list[tuple[str, Any]]:
    return [(name, c_void_p) for name in names.split()]


def _numbers(names: str) -> list[tuple[str, Any]]:
    return [(name, c_int64) for name in names.split()]


class Matrix(ctypes.Structure):
    _fields_ = [*_pointers("panels"), *_numbers("rows is_half"), ("scale", c_float)]


class Layer(ctypes.Structure):
    _fields_ = [
        *((name, Matrix) for name in ("qkv", "projection", "expand", "contract")),
        *_pointers("attention_gain attention_shift feed_forward_gain feed_forward_shift"),
        *_pointers("projection_bias expand_bias contract_bias"),
    ]


class Network(ctypes.Structure):
    _fields_ = [
        *((name, Matrix) for name in ("prior_embedding", "prior_trust", "head")),
        *_pointers("token_embedding position_embedding ngram_embedding match_embedding follower_bias candidate_bias"),
        *_pointers("match_gate prior_gate gain shift head_bias"),
        ("layers", POINTER(Layer)),
    ]


class Grams(ctypes.Structure):
    _fields_ = _pointers("symbols firsts discounted_probs backoffs")


class Model(ctypes.Structure):
    _fields_ = [
        *_numbers("n_networks n_layer n_head n_embd block_size vocab_size is_modern is_gelu"),
        ("ngram_tables", c_int64 * len(NGRAM_TABLES)),
        *_pointers("folded"),
        *_numbers("prior_order"),
        *_pointers("unigram"),
        ("grams", POINTER(Grams)),
        ("networks", POINTER(Network)),
        ("logit_cap", c_float),
    ]


class State(ctypes.Structure):
    _fields_ = [
        *_numbers("texts position length capacity"),
        *_pointers(
            "text cache cosines sines contexts rows gates matches candidates scratch scores logits summed_probs probs"
        ),
    ]


class Sampling(ctypes.Structure):
    _fields_ = [*((name, c_double) for name in ("temperature", "top_p", "min_p")), *_numbers("top_k")]


class Predictor(ctypes.Structure):
    _fields_ = [
        *_numbers("vocab_size contexts line_bits match_bits refine_bits"),
        *_pointers("order place low middle high children groups levels slots count_maps match_maps"),
        ("mixers", c_void_p * 3),
        *_pointers("final refinements heads tokens held"),
        *((name, c_float) for name in ("rate", "final_rate", "refine_rate", "refine_weight", "bias", "count_limit")),
    ]
