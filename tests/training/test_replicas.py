"""Sharing a batch out changes who computes, not what is computed."""

import dataclasses

import pytest
import torch

from tests.training.workbench import MODEL, TRAIN, Workbench, learning_log, same_weights
from tui_gpt.config import ModelConfig, resolve
from tui_gpt.models.build import build_model
from tui_gpt.training.batches import Batch
from tui_gpt.training.components import build_replicas
from tui_gpt.training.device import ComputeDevice
from tui_gpt.training.replicas import Shards, share_parameters

STILL = dataclasses.replace(MODEL, dropout=0.0)
PRIOR_FREE = ModelConfig(architecture="modern", block_size=16, n_layer=1, n_head=2, n_embd=16)


def shards_of(config: ModelConfig, count: int, most_windows: int | None = None) -> Shards:
    model = build_model(config, 11, seed=1)
    replicas = [model]
    for _ in range(1, count):
        replicas.append(build_model(config, 11, seed=2))
        share_parameters(model, replicas[-1])
    return Shards(replicas, torch.device("cpu"), most_windows=most_windows)


def batch(size: int) -> Batch:
    generator = torch.Generator().manual_seed(3)
    tokens = torch.randint(11, (size, 17), generator=generator)
    return Batch(tokens[:, :-1], tokens[:, 1:])


@pytest.mark.parametrize("config", [STILL, PRIOR_FREE], ids=["classic", "modern"])
@pytest.mark.parametrize(("count", "size", "at_once"), [(2, 4, None), (3, 5, None), (4, 2, None), (1, 7, 3), (2, 7, 1)])
def test_shared_out_gradients_are_those_of_the_whole_batch(
    config: ModelConfig, count: int, size: int, at_once: int | None
) -> None:
    alone, together = shards_of(config, 1), shards_of(config, count, at_once)
    loss, gradients = alone.gradients(batch(size))
    shared_loss, shared_gradients = together.gradients(batch(size))
    in_turn_loss, in_turn = together.gradients(batch(size), at_once=False)
    together.close()
    assert torch.equal(in_turn_loss, shared_loss)
    assert all(torch.equal(one, other) for one, other in zip(in_turn, shared_gradients, strict=True))
    assert torch.allclose(loss, shared_loss, atol=1e-5)
    for one, other in zip(gradients, shared_gradients, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_a_core_reads_a_large_batch_in_several_passes() -> None:
    """Of `classic`: 64 windows of 256 characters on one core."""
    config = resolve("classic", "fox.txt", n_embd=12, n_layer=1, dropout=0.0)
    model = build_model(config.model, 11, seed=1)
    passes: list[int] = []
    model.register_forward_hook(lambda _model, inputs, _output: passes.append(inputs[0].numel()))
    tokens = torch.randint(11, (64, 257), generator=torch.Generator().manual_seed(3))
    build_replicas(model, config.train, ComputeDevice(torch.device("cpu"))).gradients(
        Batch(tokens[:, :-1], tokens[:, 1:])
    )
    assert passes == [4_096] * 4


def test_a_committee_reads_its_windows_in_one_pass_however_long_they_are() -> None:
    """A pass with fewer windows than members would leave one without any."""
    config = resolve("best", "fox.txt", n_embd=8, n_head=2, n_layer=1, ngram_order=0, block_size=4_096, batch_size=1)
    model = build_model(config.model, 11, seed=1)
    tokens = torch.randint(11, (12, 33), generator=torch.Generator().manual_seed(3))
    shards = build_replicas(model, config.train, ComputeDevice(torch.device("cpu")))
    loss, _ = shards.gradients(Batch(tokens[:, :-1], tokens[:, 1:]))
    assert torch.isfinite(loss)


def test_replicas_have_the_same_parameters_and_not_merely_equal_ones() -> None:
    shards = shards_of(STILL, 2)
    first, second = (list(replica.parameters()) for replica in shards.replicas)
    shards.close()
    assert all(one is other for one, other in zip(first, second, strict=True))


def test_replicas_drop_out_different_activations() -> None:
    train = dataclasses.replace(TRAIN, threads=2)
    generators = list(Workbench(train=train).parts.generators.values())
    assert len(generators) == 2
    assert not torch.equal(generators[0].get_state(), generators[1].get_state())


def test_a_run_on_two_cores_is_repeatable_and_resumes_exactly() -> None:
    train = dataclasses.replace(TRAIN, threads=2)
    straight = Workbench(train=train)
    whole = learning_log(straight.run())
    first = Workbench(train=train)
    before = learning_log(list(first.run_until(6)))
    resumed = Workbench(train=train, snapshot=first.checkpoints["last"][-1])
    after = learning_log(resumed.run())
    assert before + after == whole
    assert same_weights(straight.weights, resumed.weights)


def test_a_committee_reads_a_large_batch_in_several_passes_each_with_windows_of_every_member() -> None:
    config = dataclasses.replace(PRIOR_FREE, members=3)
    model = build_model(config, 11, seed=1)
    passes: list[int] = []
    model.register_forward_hook(lambda _model, inputs, _output: passes.append(len(inputs[0])))
    whole = Shards([model], torch.device("cpu"), networks=3).gradients(batch(12))
    parts = Shards([model], torch.device("cpu"), most_windows=3, networks=3).gradients(batch(12))
    assert passes == [12, 3, 3, 3, 3]
    assert torch.allclose(whole[0], parts[0], atol=1e-5)
    for one, other in zip(whole[1], parts[1], strict=True):
        assert torch.allclose(one, other, atol=1e-5)
