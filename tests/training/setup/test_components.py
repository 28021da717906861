"""Optimizers, replicas and random generators that are built for a model."""

import dataclasses

import pytest
import torch

from tui_gpt.config import ModelConfig, TrainConfig
from tui_gpt.models.build import build_model
from tui_gpt.models.ensemble import Ensemble
from tui_gpt.training.compute.device import ComputeDevice
from tui_gpt.training.setup.components import build_optimizers, build_replicas, random_generators

VOCAB = 11
MODERN = ModelConfig(
    architecture="modern", block_size=16, n_layer=2, n_head=2, n_embd=16, dropout=0.1, ngram_order=4, induction=True
)
MODELS = {
    "modern": MODERN,
    "no prior": dataclasses.replace(MODERN, ngram_order=0, induction=False),
    "ensemble": dataclasses.replace(MODERN, members=2),
    "classic": ModelConfig(block_size=16, n_layer=2, n_head=2, n_embd=16),
}
MUON = TrainConfig(max_iters=1, learning_rate=0.02, optimizer="muon", weight_decay=0.1)
ADAMW = dataclasses.replace(MUON, optimizer="adamw")


@pytest.mark.parametrize("train", [MUON, ADAMW], ids=["muon", "adamw"])
@pytest.mark.parametrize("config", MODELS.values(), ids=list(MODELS))
def test_every_parameter_is_in_exactly_one_group(config: ModelConfig, train: TrainConfig) -> None:
    model = build_model(config, VOCAB, seed=1)
    optimizers = build_optimizers(model, train)
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    held = [parameter for group in groups for parameter in group["params"]]
    assert sorted(map(id, held)) == sorted(map(id, model.parameters()))
    assert all(group["lr_scale"] > 0 for group in groups)


def test_learning_rates_outside_the_blocks_are_scaled_by_kind() -> None:
    """The recipe of the default preset: a change of it is a change of every trained model."""
    model = build_model(MODERN, VOCAB, seed=1)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    muon, adamw = build_optimizers(model, MUON)
    assert [group["lr_scale"] for group in muon.param_groups] == [1.0]
    assert {name for group in muon.param_groups for name in (names[id(p)] for p in group["params"])} == {
        name for name in names.values() if name.startswith("blocks.")
    }
    scales = {names[id(p)]: group["lr_scale"] for group in adamw.param_groups for p in group["params"]}
    assert scales == {
        "token_embedding.weight": 0.15,
        "prior_embedding": 0.15,
        "induction.embedding": 0.15,
        "head": 0.05,
        "prior_trust": 0.05,
        "induction.gate": 0.05,
        "prior_gate": 0.25,
        "induction.follower_bias": 0.25,
        "induction.candidate_bias": 0.25,
    }


def test_adamw_decays_matrices_only() -> None:
    model = build_model(MODELS["classic"], VOCAB, seed=1)
    (adamw,) = build_optimizers(model, ADAMW)
    for group in adamw.param_groups:
        assert {parameter.ndim >= 2 for parameter in group["params"]} == {group["weight_decay"] > 0}


@pytest.mark.parametrize("config", MODELS.values(), ids=list(MODELS))
def test_replicas_share_parameters_and_have_generators_of_their_own(config: ModelConfig) -> None:
    model = build_model(config, VOCAB, seed=1)
    compute = ComputeDevice(torch.device("cpu"), cores=3)
    replicas = build_replicas(model, dataclasses.replace(MUON, batch_size=8), compute)
    try:
        generators = random_generators(replicas)
    finally:
        replicas.close()
    assert list(generators) == ["dropout.0", "dropout.1", "dropout.2"]
    assert len({generator.initial_seed() for generator in generators.values()}) == 3
    for replica in replicas.models:
        assert [id(p) for p in replica.parameters()] == [id(p) for p in model.parameters()]
    assert isinstance(model, Ensemble) == (config.networks > 1)
