"""What the readers of other programs' models share: the names, the result, its check, and the refusal."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tui_gpt.config import ModelConfig
from tui_gpt.errors import IncompatibleError
from tui_gpt.models.build import build_model

Weights = Mapping[str, Tensor]

_REMEDY = "save the lecture's model with torch.save(model.state_dict(), FILE), or name a ckpt.pt of nanoGPT's train.py"


@dataclass(frozen=True)
class ImportedModel:
    """Weights of `Classic`, and the configuration that they fit."""

    weights: dict[str, Tensor]
    shape: ModelConfig

    @property
    def vocab_size(self) -> int:
        """The number of characters that the model knows."""
        return len(self.weights["token_embedding.weight"])


def refused(file: Path, reason: str) -> IncompatibleError:
    """Return the error for a file that holds no model which can be imported."""
    return IncompatibleError(f"{file} {reason}: {_REMEDY}")


def expected_shapes(shape: ModelConfig, vocab_size: int) -> dict[str, torch.Size]:
    """Return the names and shapes of the weights of a model."""
    with torch.device("meta"):
        model = build_model(shape, vocab_size, seed=0)
    return {name: tensor.shape for name, tensor in model.state_dict().items()}


def require_fit(weights: Weights, expected: Mapping[str, torch.Size], file: Path) -> None:
    """Raise IncompatibleError unless the weights have exactly the expected names and shapes."""
    wrong = sorted(name for name in expected.keys() | weights.keys() if expected.get(name) != _size(weights, name))
    if wrong:
        raise refused(file, f"does not fit together at {wrong[0]}")


def _size(weights: Weights, name: str) -> torch.Size | None:
    return weights[name].shape if name in weights else None


@dataclass(frozen=True)
class Names:
    """How another program names the weights of `Classic`."""

    outer: Mapping[str, str]
    """Our names of the layers outside the blocks."""
    inner: re.Pattern[str]
    """Matches a weight in a block, with the number of the block, the layer, and `weight` or `bias`."""
    layers: Mapping[str, str]
    """Our names of the layers in a block."""

    def ours(self, name: str) -> str | None:
        """Return our name of a weight; None for one that `Classic` does not have."""
        outer, _, kind = name.rpartition(".")
        if outer in self.outer and kind in ("weight", "bias"):
            return f"{self.outer[outer]}.{kind}"
        if (found := self.inner.fullmatch(name)) and found[2] in self.layers:
            return f"blocks.{int(found[1])}.{self.layers[found[2]]}.{found[3]}"
        return None
