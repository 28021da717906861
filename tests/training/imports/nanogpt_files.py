"""Checkpoints as nanoGPT's train.py writes them, and its formula for the logits, on the names of its state dict."""

import math
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

TEXT = "the quick brown fox jumps over the lazy dog\n" * 40
CHARACTERS = "".join(sorted(set(TEXT)))
V, T, C, H, N = len(CHARACTERS), 12, 24, 3, 2
ARGUMENTS = {"n_layer": N, "n_head": H, "n_embd": C, "block_size": T, "bias": False, "vocab_size": V, "dropout": 0.1}


def state_dict(*, bias: bool) -> dict[str, Tensor]:
    """Return weights, none of which is zero; the embedding and the head are one tensor."""
    generator = torch.Generator().manual_seed(1)
    return {name: 0.3 * torch.randn(shape, generator=generator) for name, shape in _shapes(bias)} | _tied(generator)


def _tied(generator: torch.Generator) -> dict[str, Tensor]:
    table = 0.3 * torch.randn((V, C), generator=generator)
    return {"transformer.wte.weight": table, "lm_head.weight": table}


def _shapes(bias: bool) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "transformer.wpe.weight", (T, C)
    layers = {"attn.c_attn": (3 * C, C), "attn.c_proj": (C, C), "mlp.c_fc": (4 * C, C), "mlp.c_proj": (C, 4 * C)}
    norms: dict[str, tuple[int, ...]] = {"ln_1": (C,), "ln_2": (C,)}
    parts = {f"h.{n}.{name}": shape for n in range(N) for name, shape in (layers | norms).items()}
    for name, shape in (parts | {"ln_f": (C,)}).items():
        yield f"transformer.{name}.weight", shape
        if bias:
            yield f"transformer.{name}.bias", shape[:1]


def logits(w: dict[str, Tensor], tokens: Tensor) -> Tensor:
    """Return (B, T, V) for tokens (B, T)."""

    def norm(x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, (C,), w[f"transformer.{name}.weight"], w.get(f"transformer.{name}.bias"), 1e-5)

    def linear(x: Tensor, name: str) -> Tensor:
        return F.linear(x, w[f"transformer.{name}.weight"], w.get(f"transformer.{name}.bias"))

    x = w["transformer.wte.weight"][tokens] + w["transformer.wpe.weight"][: tokens.shape[1]]
    for n in range(N):
        parts = linear(norm(x, f"h.{n}.ln_1"), f"h.{n}.attn.c_attn").chunk(3, dim=-1)
        q, k, v = (part.view(*part.shape[:2], H, C // H).transpose(1, 2) for part in parts)
        scores = (q @ k.mT / math.sqrt(C // H)).masked_fill(torch.ones(T, T).triu(1).bool(), float("-inf"))
        x = x + linear((scores.softmax(-1) @ v).transpose(1, 2).flatten(2), f"h.{n}.attn.c_proj")
        hidden = linear(norm(x, f"h.{n}.ln_2"), f"h.{n}.mlp.c_fc")
        x = x + linear(hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2, f"h.{n}.mlp.c_proj")
    return F.linear(norm(x, "ln_f"), w["lm_head.weight"])


def checkpoint(weights: dict[str, Tensor], **changes: object) -> dict[str, Any]:
    """Return the content of a `ckpt.pt`; `changes` replace entries of its model_args."""
    return {
        "model": weights,
        "optimizer": {"state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.ones(V, C)}}, "param_groups": [{}]},
        "model_args": ARGUMENTS | changes,
        "iter_num": 3,
        "best_val_loss": torch.tensor(1.5),
        "config": {"out_dir": "out", "dataset": "fox", "learning_rate": 1e-3, "decay_lr": True},
    }  # fmt: skip


def meta(characters: str = CHARACTERS) -> dict[str, Any]:
    """Return the content of a `meta.pkl`."""
    itos = dict(enumerate(characters))
    return {"vocab_size": len(itos), "itos": itos, "stoi": {character: token for token, character in itos.items()}}


def write(folder: Path, content: object, vocabulary: object = None, text: str | None = TEXT) -> Path:
    """Write the folders of a nanoGPT after its training, and return the path of the checkpoint."""
    data, out = folder / "data" / "fox", folder / "out"
    for place in (data, out):
        place.mkdir(parents=True, exist_ok=True)
    if text is not None:
        (data / "input.txt").write_text(text)
    (data / "meta.pkl").write_bytes(pickle.dumps(meta() if vocabulary is None else vocabulary))
    torch.save(content, out / "ckpt.pt")
    return out / "ckpt.pt"
