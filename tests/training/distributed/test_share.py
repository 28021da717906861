"""How the windows of a step are divided among ranks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_gpt.config import resolve
from tui_gpt.errors import ConfigError
from tui_gpt.ranks import Ranks
from tui_gpt.training.distributed.share import Places, Share, divisors, require_divisible

SIZES = st.fixed_dictionaries(
    {"batch_size": st.integers(1, 12), "accumulation": st.integers(1, 6), "networks": st.integers(1, 3)}
)


def by_network(share: Share, number: int) -> Places:
    """The places of a batch, (networks, B)."""
    return share.places(number).reshape(share.networks, -1)


@settings(max_examples=40)
@given(SIZES, st.integers(0, 50))
def test_one_rank_reads_batch_after_batch(sizes: dict[str, int], number: int) -> None:
    """The order of a run in one process, which resumed runs rely on."""
    share = Share(**sizes)
    windows = sizes["batch_size"] * sizes["networks"]
    assert share.batches == sizes["accumulation"]
    assert np.array_equal(share.places(number), np.arange(number * windows, (number + 1) * windows))


@settings(max_examples=40)
@given(SIZES, st.integers(0, 20), st.data())
def test_ranks_divide_the_windows_of_each_network_equally(
    sizes: dict[str, int], step: int, data: st.DataObject
) -> None:
    """Every network trains on the same windows in a step, whatever the number of ranks."""
    world = data.draw(st.sampled_from(divisors(sizes["batch_size"] * sizes["accumulation"])))
    alone = Share(**sizes)
    whole = [by_network(alone, step * alone.batches + k) for k in range(alone.batches)]
    ranks = [Share(**sizes, rank=rank, world=world) for rank in range(world)]
    parts = [by_network(rank, step * rank.batches + k) for rank in ranks for k in range(rank.batches)]
    assert np.array_equal(np.concatenate(parts, axis=1), np.concatenate(whole, axis=1))
    assert len({part.shape for part in parts}) == 1
    assert parts[0].shape[1] <= sizes["batch_size"]


@pytest.mark.parametrize(
    ("batch_size", "accumulation", "world", "batches"), [(8, 2, 2, 1), (8, 1, 2, 1), (8, 4, 2, 2), (4, 3, 6, 1)]
)
def test_accumulation_follows_from_the_number_of_ranks(
    batch_size: int, accumulation: int, world: int, batches: int
) -> None:
    assert Share(batch_size, accumulation, world=world).batches == batches


@pytest.mark.parametrize(
    ("windows", "world", "choices"),
    [(12, 5, "start 4 or 6, or choose sizes whose product is 15"), (8, 16, "start 8, or"), (64, 3, "start 2 or 4")],
)
def test_an_impossible_number_is_refused_with_the_nearest_possible_ones(windows: int, world: int, choices: str) -> None:
    with pytest.raises(ConfigError, match=f"the {windows} windows .* among {world} processes: {choices}"):
        require_divisible(windows, world)


def test_the_share_of_a_run_is_checked() -> None:
    config = resolve("nano", "fox.txt", batch_size=6, gradient_accumulation=2)
    assert Share.of(config, Ranks(rank=1, world=4, local_world=4)).windows == 3
    with pytest.raises(ConfigError):
        Share.of(config, Ranks(rank=1, world=5, local_world=5))
