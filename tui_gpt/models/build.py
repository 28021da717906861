"""From a configuration to a model, its optimizers and its prior; the one place that knows every architecture."""

import threading
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tui_gpt.config import ModelConfig
from tui_gpt.errors import IncompatibleError
from tui_gpt.models.classic import Classic
from tui_gpt.models.ensemble import Ensemble
from tui_gpt.models.induction import Induction, folded_case
from tui_gpt.models.modern import Modern
from tui_gpt.text.tokenizer import CharTokenizer

_drawing = threading.Lock()
"""Held while weights are drawn: PyTorch's initialisation takes its numbers from the one generator of the process."""

LanguageModel = Classic | Modern | Ensemble
"""`model(tokens (B, T), targets, prior)` gives logits (B, T, V) and the mean loss."""


def build_model(config: ModelConfig, vocab_size: int, seed: int) -> LanguageModel:
    """A fresh model; equal seeds give equal weights, whatever else has drawn random numbers before or builds a model
    in another thread."""
    with _drawing, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _fresh_model(config, vocab_size)
    model.dropout.generator.manual_seed(seed)
    return model


def _fresh_model(config: ModelConfig, vocab_size: int) -> LanguageModel:
    if config.architecture == "classic":
        return Classic(config, vocab_size)
    return Ensemble(config, vocab_size) if config.networks > 1 else Modern(config, vocab_size)


def set_case_folding(model: LanguageModel, tokenizer: CharTokenizer) -> None:
    """Let a model that compares characters know which of its numbers are the same letter in either case."""
    for module in model.modules():
        if isinstance(module, Induction):
            module.folded.copy_(folded_case(tokenizer.characters))


def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Give `model` these weights. Raises IncompatibleError where names or shapes differ."""
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise IncompatibleError(
            "the checkpoint's weights do not fit the model it describes: it was altered, or written by another version"
        ) from error
