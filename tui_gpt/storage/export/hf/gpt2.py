"""A classic model as GPT-2 of `transformers`: its configuration and its weights.

What GPT-2 lacks is a bias of the head, which moves into the last layer norm (`folding`); what a classic model lacks is
a bias of queries, keys and values, which is zero. A modern model (n-gram prior, induction, rotary positions, squared
ReLU) cannot be expressed, nor can a bigram model, as GPT-2 has a layer norm before its head.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tui_gpt.config import ModelConfig
from tui_gpt.errors import IncompatibleError
from tui_gpt.storage.folding import fold_bias

Arrays = Mapping[str, npt.NDArray[Any]]

NORM_EPSILON = 1e-5
INIT_STD = 0.02
_REMEDY = "export it with --format model for this program, or train with --preset nano or classic"
_LAYERS = {
    "attention.projection": "attn.c_proj",
    "feed_forward.expand": "mlp.c_fc",
    "feed_forward.contract": "mlp.c_proj",
}
"""Linear layers of a block, whose matrices GPT-2 stores as (in, out)."""
_NORMS = {"attention_norm": "ln_1", "feed_forward_norm": "ln_2"}


def require_expressible(config: ModelConfig) -> None:
    """Raise IncompatibleError, with the reason, if GPT-2 cannot express a model."""
    if config.architecture == "modern":
        parts = ["rotary positions and squared ReLU"]
        parts += ["its n-gram prior"] * bool(config.ngram_order) + ["induction"] * config.induction
        parts += [f"an average of {config.networks} networks"] * (config.networks > 1)
        raise IncompatibleError(f"GPT-2 cannot express a modern model ({', '.join(parts)}): {_REMEDY}")
    if not config.n_layer:
        raise IncompatibleError(f"GPT-2 cannot express a bigram model, as it normalises before its head: {_REMEDY}")


def gpt2_config(config: ModelConfig, vocab_size: int) -> dict[str, Any]:
    """Return the content of `config.json` for `GPT2LMHeadModel`."""
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "activation_function": config.activation,
        "vocab_size": vocab_size,
        "n_positions": config.block_size,
        "n_ctx": config.block_size,
        "n_embd": config.n_embd,
        "n_layer": config.n_layer,
        "n_head": config.n_head,
        "n_inner": 4 * config.n_embd,
        "layer_norm_epsilon": NORM_EPSILON,
        "embd_pdrop": config.dropout,
        "resid_pdrop": config.dropout,
        "attn_pdrop": 0.0,
        "initializer_range": INIT_STD,
        "scale_attn_weights": True,
        "tie_word_embeddings": False,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
        "torch_dtype": "float32",
    }


def gpt2_weights(config: ModelConfig, weights: Arrays) -> dict[str, npt.NDArray[np.float32]]:
    """Return the weights of a classic model under the names of `GPT2LMHeadModel`, in single precision."""
    single = {name: np.asarray(array, np.float32) for name, array in weights.items()}
    head = fold_bias(single["head.weight"], single["head.bias"], single["norm.weight"], single["norm.bias"])
    named = {
        "transformer.wte.weight": single["token_embedding.weight"],
        "transformer.wpe.weight": single["position_embedding.weight"],
        "transformer.ln_f.weight": head.gain,
        "transformer.ln_f.bias": head.shift,
        "lm_head.weight": head.weight,
    }
    for number in range(config.n_layer):
        named |= dict(_block(single, f"blocks.{number}.", f"transformer.h.{number}."))
    return {name: np.ascontiguousarray(array) for name, array in named.items()}


def _block(weights: Arrays, ours: str, theirs: str) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    qkv = weights[f"{ours}attention.qkv.weight"]
    yield f"{theirs}attn.c_attn.weight", qkv.T
    yield f"{theirs}attn.c_attn.bias", np.zeros(len(qkv), np.float32)
    for name, layer in _LAYERS.items():
        yield f"{theirs}{layer}.weight", weights[f"{ours}{name}.weight"].T
        yield f"{theirs}{layer}.bias", weights[f"{ours}{name}.bias"]
    for name, norm in _NORMS.items():
        for kind in ("weight", "bias"):
            yield f"{theirs}{norm}.{kind}", weights[f"{ours}{name}.{kind}"]
