"""Build the model that a configuration describes; the one place that knows every architecture."""

import threading
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tui_gpt.config import ModelConfig
from tui_gpt.errors import IncompatibleError
from tui_gpt.models.classic import Classic
from tui_gpt.models.ensemble import Ensemble
from tui_gpt.models.induction import Induction, fold_case
from tui_gpt.models.modern import Modern
from tui_gpt.text.tokenizers.protocol import Tokenizer

LanguageModel = Classic | Modern | Ensemble
"""`model(tokens, targets, prior)` returns logits and the mean loss, see `Modern.forward`."""

_global_rng_lock = threading.Lock()
"""Held while weights are initialised, as PyTorch draws them from the process's one random generator."""


def build_model(config: ModelConfig, vocab_size: int, seed: int) -> LanguageModel:
    """Return a new model; equal seeds give equal weights, whatever other threads draw or build.

    The state of PyTorch's random generator stays as it was.
    """
    with _global_rng_lock, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _new_model(config, vocab_size)
    model.dropout.generator.manual_seed(seed)
    return model


def _new_model(config: ModelConfig, vocab_size: int) -> LanguageModel:
    if config.architecture == "classic":
        return Classic(config, vocab_size)
    return Ensemble(config, vocab_size) if config.networks > 1 else Modern(config, vocab_size)


def set_case_folding(model: LanguageModel, tokenizer: Tokenizer) -> None:
    """Let a model with induction match the upper and lower case of each token."""
    for module in model.modules():
        if isinstance(module, Induction):
            module.folded.copy_(fold_case(tokenizer.texts))


def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy `weights` into `model`. Raises IncompatibleError where names or shapes differ."""
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise IncompatibleError(
            "the checkpoint's weights do not fit the model it describes: it was altered, or written by another version"
        ) from error
