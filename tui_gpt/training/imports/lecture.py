"""The lecture's model: its state dict under our names."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from tui_gpt.config import PRESETS, ModelConfig
from tui_gpt.errors import ConfigError
from tui_gpt.training.imports.models import ImportedModel, Names, Weights, expected_shapes, refused, require_fit

_NAMES = Names(
    outer={
        "token_embedding_table": "token_embedding",
        "position_embedding_table": "position_embedding",
        "ln_f": "norm",
        "lm_head": "head",
    },
    inner=re.compile(r"blocks\.(\d{1,3})\.(\w+(?:\.\w+){0,2})\.(weight|bias)"),
    layers={
        "sa.proj": "attention.projection",
        "ffwd.net.0": "feed_forward.expand",
        "ffwd.net.2": "feed_forward.contract",
        "ln1": "attention_norm",
        "ln2": "feed_forward_norm",
    },
)
_HEAD = re.compile(r"blocks\.(\d{1,3})\.sa\.heads\.(\d{1,3})\.(query|key|value)\.weight")
_MASK = re.compile(r"blocks\.\d{1,3}\.sa\.heads\.\d{1,3}\.tril")


def convert_state_dict(tensors: Weights, file: Path) -> ImportedModel:
    """Convert the lecture's state dict (`gpt.py`, or `bigram.py`) to weights of `Classic`.

    Its attention is scaled by the square root of a head's width, as in the file's last version. Raises
    IncompatibleError for any other model.
    """
    renamed: dict[str, Tensor] = {}
    heads: dict[tuple[int, str], dict[int, Tensor]] = {}
    for name, tensor in tensors.items():
        if found := _HEAD.fullmatch(name):
            heads.setdefault((int(found[1]), found[3]), {})[int(found[2])] = tensor
        elif not _MASK.fullmatch(name):
            renamed[_our_name(name, file)] = tensor
    shape = _shape_of(renamed, heads, file)
    for block in range(shape.n_layer):
        parts = [_ordered_heads(heads.get((block, kind), {}), shape.n_head, file) for kind in ("query", "key", "value")]
        renamed[f"blocks.{block}.attention.qkv.weight"] = torch.cat([head for part in parts for head in part])
    model = ImportedModel(renamed, shape)
    require_fit(renamed, expected_shapes(shape, model.vocab_size), file)
    return model


def _our_name(name: str, file: Path) -> str:
    ours = _NAMES.ours(name)
    if ours is None:
        raise refused(file, f"holds {name[:60]!r}, which the lecture's model does not have")
    return ours


def _shape_of(renamed: Weights, heads: Mapping[tuple[int, str], Mapping[int, Tensor]], file: Path) -> ModelConfig:
    table, places = renamed.get("token_embedding.weight"), renamed.get("position_embedding.weight")
    if table is None or table.ndim != 2:
        raise refused(file, "holds no token_embedding_table")
    if places is None and not heads:
        return PRESETS["bigram"].model
    if places is None or places.ndim != 2 or not heads:
        raise refused(file, "holds a part of the lecture's model alone")
    try:
        return ModelConfig(
            block_size=places.shape[0],
            n_layer=1 + max(block for block, _ in heads),
            n_head=max(len(ones) for ones in heads.values()),
            n_embd=table.shape[1],
        )
    except ConfigError as error:
        raise refused(file, f"holds a model of a shape that cannot be ({error})") from error


def _ordered_heads(heads: Mapping[int, Tensor], count: int, file: Path) -> list[Tensor]:
    if sorted(heads) != list(range(count)) or any(head.ndim != 2 for head in heads.values()):
        raise refused(file, "holds blocks of different or missing heads")
    return [heads[number] for number in range(count)]
