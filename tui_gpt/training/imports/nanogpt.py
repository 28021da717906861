"""nanoGPT's model (`ckpt.pt`, as its `train.py` writes it): its state dict under our names.

Its tied embedding becomes two equal matrices, missing biases become zeros, and biases of queries, keys and values move
into the layer norm before them (`storage.folding`); the logits stay the same. GELU is the setting `activation`.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tui_gpt.config import ModelConfig
from tui_gpt.errors import ConfigError
from tui_gpt.storage.folding import fold_bias
from tui_gpt.training.checkpoints.tensors import tensors_of
from tui_gpt.training.imports.models import ImportedModel, Names, expected_shapes, refused, require_fit
from tui_gpt.training.imports.pt_file import PtFile

_COMPILED = "_orig_mod."
"""The prefix that torch.compile adds to names."""
_NAMES = Names(
    outer={
        "transformer.wte": "token_embedding",
        "transformer.wpe": "position_embedding",
        "transformer.ln_f": "norm",
        "lm_head": "head",
    },
    inner=re.compile(r"transformer\.h\.(\d{1,3})\.(\w+(?:\.\w+)?)\.(weight|bias)"),
    layers={
        "ln_1": "attention_norm",
        "attn.c_attn": "attention.qkv",
        "attn.c_proj": "attention.projection",
        "ln_2": "feed_forward_norm",
        "mlp.c_fc": "feed_forward.expand",
        "mlp.c_proj": "feed_forward.contract",
    },
)
_MASK = re.compile(r"transformer\.h\.\d{1,3}\.attn\.bias")
_QKV = "attention.qkv"


def is_nanogpt(state_dict: Mapping[Any, object]) -> bool:
    """Return whether a state dict has the names of GPT-2, which nanoGPT's model shares."""
    return any(str(name).removeprefix(_COMPILED).startswith("transformer.") for name in state_dict)


def convert_checkpoint(
    file: PtFile, state_dict: Mapping[Any, object], shape: ModelConfig, characters: str
) -> ImportedModel:
    """Convert nanoGPT's state dict to weights of `Classic`, with its tokens in the order of `sorted(characters)`.

    `characters` are in the order of nanoGPT's tokens. Raises IncompatibleError for any other model.
    """
    vocab_size = len(characters)
    weights = dict(_renamed(file.tensors(_untied(state_dict)), file.path))
    weights.setdefault("head.weight", weights.get("token_embedding.weight", torch.empty(0)))
    expected = expected_shapes(shape, vocab_size)
    qkv_biases = {name: weights.pop(name) for name in list(weights) if name.endswith(f"{_QKV}.bias")}
    for name in expected.keys() - weights.keys():
        if name.endswith(".bias"):
            weights[name] = torch.zeros(expected[name])
    require_fit(weights, expected, file.path)
    for name, bias in qkv_biases.items():
        _fold(weights, name.removesuffix(f"{_QKV}.bias"), bias, file.path)
    order = torch.tensor(sorted(range(vocab_size), key=characters.__getitem__))
    for name in ("token_embedding.weight", "head.weight"):
        weights[name] = weights[name][order]
    return ImportedModel(weights, shape)


def described_model(file: PtFile) -> tuple[ModelConfig, int]:
    """Return the shape that the checkpoint's `model_args` describe, and the number of tokens.

    Raises IncompatibleError where they are missing or describe no model.
    """
    arguments = file.content.get("model_args")
    if not isinstance(arguments, dict):
        raise refused(file.path, "holds GPT-2's names without the model_args of nanoGPT")
    settings = {name: arguments.get(name) for name in ("n_layer", "n_head", "n_embd", "block_size")}
    try:
        shape = ModelConfig.from_dict({**settings, "dropout": arguments.get("dropout", 0.0), "activation": "gelu"})
    except ConfigError as error:
        raise refused(file.path, f"holds a model of a shape that cannot be ({error})") from error
    vocab_size = arguments.get("vocab_size")
    if type(vocab_size) is not int or not shape.n_layer:
        raise refused(file.path, "holds model_args that nanoGPT does not write")
    return shape, vocab_size


def _untied(state_dict: Mapping[Any, object]) -> dict[str, object]:
    """Return a state dict without torch.compile's prefix, causal masks, and the head if it is the embedding."""
    kept = {str(name).removeprefix(_COMPILED): tensor for name, tensor in state_dict.items()}
    kept = {name: tensor for name, tensor in kept.items() if not _MASK.fullmatch(name)}
    head, embedding = kept.get("lm_head.weight"), kept.get("transformer.wte.weight")
    if isinstance(head, Tensor) and isinstance(embedding, Tensor) and _is_same(head, embedding):
        del kept["lm_head.weight"]
    return kept


def _is_same(left: Tensor, right: Tensor) -> bool:
    """Return whether two tensors are the same numbers in memory."""
    return (left.data_ptr(), left.shape, left.stride()) == (right.data_ptr(), right.shape, right.stride())


def _renamed(tensors: Mapping[str, Tensor], file: Path) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in tensors.items():
        ours = _NAMES.ours(name)
        if ours is None:
            raise refused(file, f"holds {name[:60]!r}, which nanoGPT's model does not have")
        yield ours, tensor


def _fold(weights: dict[str, Tensor], block: str, bias: Tensor, file: Path) -> None:
    """Move the bias of a block's queries, keys and values into its first layer norm."""
    names = (f"{block}{_QKV}.weight", f"{block}attention_norm.weight", f"{block}attention_norm.bias")
    if names[0] not in weights or bias.shape != weights[names[0]].shape[:1]:
        raise refused(file, f"does not fit together at {block}{_QKV}.bias")
    matrix, gain, shift = (weights[name].numpy() for name in names)
    folded = fold_bias(matrix, bias.numpy(), gain, shift)
    arrays = (folded.weight, folded.gain, folded.shift)
    weights |= tensors_of(dict(zip(names, arrays, strict=True)))
