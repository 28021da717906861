"""Several replicas compute what one model computes."""

import dataclasses

import pytest
import torch

from tests.training.workbench import MODEL, TRAIN, Workbench, learning_log, same_weights
from tui_gpt.config import ModelConfig, resolve
from tui_gpt.models.build import build_model
from tui_gpt.training.batches import Batch
from tui_gpt.training.compute.device import ComputeDevice
from tui_gpt.training.compute.replicas import Replicas, share_parameters
from tui_gpt.training.setup.components import build_replicas

STILL = dataclasses.replace(MODEL, dropout=0.0)
PRIOR_FREE = ModelConfig(architecture="modern", block_size=16, n_layer=1, n_head=2, n_embd=16)


def replicas_of(config: ModelConfig, count: int, most_windows: int | None = None) -> Replicas:
    model = build_model(config, 11, seed=1)
    models = [model]
    for _ in range(1, count):
        models.append(build_model(config, 11, seed=2))
        share_parameters(model, models[-1])
    return Replicas(models, torch.device("cpu"), most_windows=most_windows)


def batch(size: int) -> Batch:
    generator = torch.Generator().manual_seed(3)
    tokens = torch.randint(11, (size, 17), generator=generator)
    return Batch(tokens[:, :-1], tokens[:, 1:])


@pytest.mark.parametrize("config", [STILL, PRIOR_FREE], ids=["classic", "modern"])
@pytest.mark.parametrize(
    ("count", "size", "most_windows"), [(2, 4, None), (3, 5, None), (4, 2, None), (1, 7, 3), (2, 7, 1)]
)
def test_gradients_of_several_replicas_are_those_of_the_whole_batch(
    config: ModelConfig, count: int, size: int, most_windows: int | None
) -> None:
    alone, together = replicas_of(config, 1), replicas_of(config, count, most_windows)
    loss, gradients = alone.gradients(batch(size))
    shared_loss, shared_gradients = together.gradients(batch(size))
    in_turn_loss, in_turn = together.gradients(batch(size), parallel=False)
    together.close()
    assert torch.equal(in_turn_loss, shared_loss)
    assert all(torch.equal(one, other) for one, other in zip(in_turn, shared_gradients, strict=True))
    assert torch.allclose(loss, shared_loss, atol=1e-5)
    for one, other in zip(gradients, shared_gradients, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_a_replica_processes_a_large_batch_in_several_passes() -> None:
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


def test_an_ensemble_processes_long_windows_in_one_pass() -> None:
    """A pass with fewer windows than members would leave one without any."""
    config = resolve("best", "fox.txt", n_embd=8, n_head=2, n_layer=1, ngram_order=0, block_size=4_096, batch_size=1)
    model = build_model(config.model, 11, seed=1)
    tokens = torch.randint(11, (12, 33), generator=torch.Generator().manual_seed(3))
    replicas = build_replicas(model, config.train, ComputeDevice(torch.device("cpu")))
    loss, _ = replicas.gradients(Batch(tokens[:, :-1], tokens[:, 1:]))
    assert torch.isfinite(loss)


def test_replicas_have_the_same_parameters_and_not_merely_equal_ones() -> None:
    replicas = replicas_of(STILL, 2)
    first, second = (list(replica.parameters()) for replica in replicas.models)
    replicas.close()
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


def test_an_ensemble_processes_a_large_batch_in_passes_with_windows_of_every_member() -> None:
    config = dataclasses.replace(PRIOR_FREE, members=3)
    model = build_model(config, 11, seed=1)
    passes: list[int] = []
    model.register_forward_hook(lambda _model, inputs, _output: passes.append(len(inputs[0])))
    whole = Replicas([model], torch.device("cpu"), networks=3).gradients(batch(12))
    parts = Replicas([model], torch.device("cpu"), most_windows=3, networks=3).gradients(batch(12))
    assert passes == [12, 3, 3, 3, 3]
    assert torch.allclose(whole[0], parts[0], atol=1e-5)
    for one, other in zip(whole[1], parts[1], strict=True):
        assert torch.allclose(one, other, atol=1e-5)
