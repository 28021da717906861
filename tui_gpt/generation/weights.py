"""A trained model as NumPy arrays: those of a checkpoint, or a copy of the weights of a model in training."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tui_gpt.config import MATCH_LENGTH, NGRAM_TABLES, ModelConfig
from tui_gpt.errors import IncompatibleError
from tui_gpt.prior.ngram import NgramPrior

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Model:
    """A model that can generate. Weights are single precision and must not change."""

    config: ModelConfig
    vocab_size: int
    networks: Sequence[Mapping[str, Floats]]
    """The weights of each network of the ensemble, or of the only one, by their names in a state dict; both
    architectures use the names of `classic` without `.weight`, and `attention.qkv` is (3C, C)."""
    prior: NgramPrior | None
    folded: Ints | None
    """(V,): equal numbers for characters that are equal in a match (case folding)."""

    @classmethod
    def of(
        cls, config: ModelConfig, vocab_size: int, weights: Mapping[str, npt.NDArray[Any]], prior: NgramPrior | None
    ) -> "Model":
        """Return the model of a state dict; single-precision arrays are not copied.

        Raises IncompatibleError if names or shapes are not those of `config`.
        """
        if {name: array.shape for name, array in weights.items()} != expected_shapes(config, vocab_size):
            raise IncompatibleError(
                "the checkpoint's weights do not fit the model it describes: it was altered, or written by another "
                "version"
            )
        networks = [_network(weights, prefix, config.n_embd) for prefix in _prefixes(config)]
        folded = weights[_prefixes(config)[0] + "induction.folded"].astype(np.int64) if config.induction else None
        return cls(config, vocab_size, networks, prior, folded)


def _network(weights: Mapping[str, npt.NDArray[Any]], prefix: str, n_embd: int) -> dict[str, Floats]:
    mine = {name.removeprefix(prefix): array for name, array in weights.items() if name.startswith(prefix)}
    return {
        name.removesuffix(".weight"): np.asarray(
            array.reshape(-1, n_embd) if name.endswith("attention.qkv") else array, np.float32
        )
        for name, array in mine.items()
    }


def _prefixes(config: ModelConfig) -> list[str]:
    """Return the prefix of each network's names in a state dict."""
    return [f"members.{number}." for number in range(config.networks)] if config.networks > 1 else [""]


def expected_shapes(config: ModelConfig, vocab_size: int) -> dict[str, Shape]:
    """Return the names and shapes in the state dict of a model of this configuration."""
    shapes = _classic_shapes if config.architecture == "classic" else _modern_shapes
    return {prefix + name: shape for prefix in _prefixes(config) for name, shape in shapes(config, vocab_size)}


def _classic_shapes(config: ModelConfig, vocab_size: int) -> Iterator[tuple[str, Shape]]:
    V, C = vocab_size, config.n_embd
    if not config.n_layer:
        yield "token_embedding.weight", (V, V)
        return
    yield "token_embedding.weight", (V, C)
    yield "position_embedding.weight", (config.block_size, C)
    for block in (f"blocks.{number}." for number in range(config.n_layer)):
        yield f"{block}attention.qkv.weight", (3 * C, C)
        yield from _with_bias(f"{block}attention.projection", C, C)
        yield from _with_bias(f"{block}feed_forward.expand", 4 * C, C)
        yield from _with_bias(f"{block}feed_forward.contract", C, 4 * C)
        yield from _with_bias(f"{block}attention_norm", C)
        yield from _with_bias(f"{block}feed_forward_norm", C)
    yield from _with_bias("norm", C)
    yield from _with_bias("head", V, C)


def _with_bias(name: str, *shape: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", shape
    yield f"{name}.bias", shape[:1]


def _modern_shapes(config: ModelConfig, vocab_size: int) -> Iterator[tuple[str, Shape]]:
    V, C = vocab_size, config.n_embd
    yield "token_embedding.weight", (V, C)
    for block in (f"blocks.{number}." for number in range(config.n_layer)):
        yield f"{block}attention.qkv", (3, C, C)
        yield f"{block}attention.projection", (C, C)
        yield f"{block}feed_forward.expand", (4 * C, C)
        yield f"{block}feed_forward.contract", (C, 4 * C)
    yield "head", (V, C)
    if config.ngram_order:
        yield from (("prior_embedding", (C, V)), ("prior_trust", (V, C)), ("prior_gate", (1,)))
    else:
        yield "ngram_embedding.weight", (sum(NGRAM_TABLES), C)
    if config.induction:
        yield "induction.embedding", (MATCH_LENGTH + 1, V, C)
        yield "induction.follower_bias", (MATCH_LENGTH + 1,)
        yield "induction.candidate_bias", (MATCH_LENGTH + 1,)
        yield "induction.gate", (1, C)
        yield "induction.folded", (V,)
