"""Tiny models of every architecture, with weights large enough that each part of them matters.

Half precision is exact for their weights, so the C extension, which rounds to it, must agree to the last digits.
"""

import torch

from tui_gpt.config import ModelConfig
from tui_gpt.generation.sampler import Sampler
from tui_gpt.generation.weights import Model
from tui_gpt.models.build import LanguageModel, build_model, set_case_folding
from tui_gpt.prior.ngram import NgramPrior
from tui_gpt.text.tokenizer import CharTokenizer
from tui_gpt.training.checkpoints.tensors import arrays_of

TEXT = "The quick brown fox jumps over the lazy dog,\nand runs back to the river bank before the sun is down.\n" * 3
TOKENIZER = CharTokenizer.from_text(TEXT)
V = TOKENIZER.vocab_size

CONFIGS = {
    "classic": ModelConfig(block_size=12, n_layer=2, n_head=2, n_embd=16, dropout=0.5),
    "gelu": ModelConfig(block_size=20, n_layer=1, n_head=2, n_embd=16, activation="gelu"),
    "modern": ModelConfig(architecture="modern", block_size=12, n_layer=2, n_head=2, n_embd=20),
    "prior": ModelConfig(architecture="modern", block_size=13, n_layer=1, n_head=2, n_embd=16, ngram_order=4),
    "induction": ModelConfig(
        architecture="modern", block_size=24, n_layer=1, n_head=2, n_embd=16, ngram_order=3, induction=True
    ),
    "ensemble": ModelConfig(
        architecture="modern", block_size=12, n_layer=1, n_head=1, n_embd=16, ngram_order=3, induction=True, members=3
    ),
    "wide": ModelConfig(architecture="modern", block_size=40, n_layer=1, n_head=1, n_embd=40),
    "long": ModelConfig(block_size=150, n_layer=1, n_head=2, n_embd=24),
    "endless": ModelConfig(architecture="modern", block_size=400, n_layer=1, n_head=2, n_embd=24),
    "narrow": ModelConfig(architecture="modern", block_size=1, n_layer=2, n_head=2, n_embd=12),
    "bigram": ModelConfig(block_size=3, n_layer=0, n_head=1, n_embd=1),
    "shortest": ModelConfig(block_size=1, n_layer=1, n_head=1, n_embd=8),
}


def tiny_model(name: str) -> LanguageModel:
    model = build_model(CONFIGS[name], V, seed=1)
    set_case_folding(model, TOKENIZER)
    generator = torch.Generator().manual_seed(2)
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=generator)
        parameter.data = parameter.data.half().float()
    return model


def tiny_prior(name: str) -> NgramPrior | None:
    order = CONFIGS[name].ngram_order
    return NgramPrior.fit(TOKENIZER.encode(TEXT), V, order) if order else None


def weights_of(model: LanguageModel, prior: NgramPrior | None) -> Model:
    """Return the model for the decoders, which shares memory with `model`."""
    return Model.of(model.config, model.vocab_size, arrays_of(model.state_dict()), prior)


def tiny_weights(name: str) -> Model:
    return weights_of(tiny_model(name), tiny_prior(name))


def tiny_sampler(name: str) -> Sampler:
    return Sampler(tiny_weights(name), TOKENIZER, name=name, step=7)
