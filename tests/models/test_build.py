"""Building a model from its configuration."""

from concurrent.futures import ThreadPoolExecutor

import torch
from torch.nn.utils import parameters_to_vector

from tui_gpt.config import resolve
from tui_gpt.models.build import build_model

SHAPE = resolve("quick", "fox.txt", n_layer=2, n_head=2, n_embd=32, block_size=16).model


def weights_of(seed: int) -> torch.Tensor:
    return parameters_to_vector(build_model(SHAPE, 20, seed).parameters()).detach()


def test_weights_depend_on_the_seed_only() -> None:
    torch.rand(3)
    first = weights_of(1)
    torch.rand(5)
    assert torch.equal(first, weights_of(1))
    assert not torch.equal(first, weights_of(2))


def test_building_preserves_the_global_random_state() -> None:
    before = torch.get_rng_state()
    build_model(SHAPE, 20, seed=1)
    assert torch.equal(before, torch.get_rng_state())


def test_models_built_in_several_threads_have_the_weights_of_their_seeds() -> None:
    seeds = list(range(40))
    alone = [weights_of(seed) for seed in seeds]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(weights_of, seeds))
    assert all(torch.equal(one, other) for one, other in zip(alone, together, strict=True))
