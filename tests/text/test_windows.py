"""The order and the content of training and validation windows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_gpt.text import windows
from tui_gpt.text.windows import (
    RECORD_LIMIT,
    Starts,
    WindowOrder,
    gather,
    record_tokens,
    spread_order,
    validation_windows,
)

ORDERS = st.fixed_dictionaries(
    {
        "n_tokens": st.integers(9, 300),
        "block_size": st.integers(1, 8),
        "seed": st.integers(0, 2**63 - 1),
    }
)


def batch(number: int, size: int) -> Starts:
    """The positions of a batch of that size."""
    return np.arange(number * size, (number + 1) * size)


@given(ORDERS, st.integers(0, 10**9), st.integers(1, 20))
def test_the_window_at_a_position_is_a_pure_function_of_it(sizes: dict[str, int], k: int, size: int) -> None:
    """Neither other positions nor another object changes it, so a resumed run is exact."""
    order = WindowOrder(**sizes)
    first = order.starts(batch(k, size))
    order.starts(batch(0, size))
    order.starts(batch(k + 7, size))
    assert np.array_equal(order.starts(batch(k, size)), first)
    assert np.array_equal(WindowOrder(**sizes).starts(batch(k, size)[::-1]), first[::-1])
    assert first.shape == (size,)
    assert first.min() >= 0
    assert first.max() + sizes["block_size"] + 1 <= sizes["n_tokens"]


@given(ORDERS)
def test_an_epoch_has_each_window_once(sizes: dict[str, int]) -> None:
    order = WindowOrder(**sizes)
    for epoch in range(3):
        starts = np.sort(order.starts(batch(epoch, order.windows)))
        assert len(starts) == order.windows
        assert set(np.diff(starts)) <= {sizes["block_size"]}


def test_each_epoch_has_a_phase_and_an_order_of_its_own() -> None:
    order = WindowOrder(100_000, 64, seed=1)
    epochs = [order.starts(batch(e, 1500)) for e in range(5)]
    assert len({int(starts[0]) % 64 for starts in epochs}) > 2
    assert not np.array_equal(np.argsort(epochs[0]), np.argsort(epochs[1]))
    assert not np.array_equal(epochs[0], WindowOrder(100_000, 64, seed=2).starts(batch(0, 1500)))


def test_every_token_is_visited_also_at_the_ends() -> None:
    met = np.zeros(50, dtype=bool)
    for start in WindowOrder(50, 8, seed=3).starts(batch(0, 1200)):
        met[start : start + 9] = True
    assert met.all()


def test_the_order_is_the_same_in_every_version() -> None:
    """A run resumed with another version of NumPy has the same batches."""
    assert WindowOrder(1000, 16, seed=1337).starts(batch(12, 6)).tolist() == [963, 915, 259, 243, 403, 467]


def test_tokens_that_do_not_fill_a_window_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fill one window"):
        WindowOrder(8, 8, 0)
    assert WindowOrder(9, 8, 0).starts(batch(5, 3)).tolist() == [0, 0, 0]


def test_targets_are_the_inputs_one_token_later() -> None:
    tokens = np.arange(100, dtype=np.uint8)
    inputs, targets = gather(tokens, np.array([0, 50]), 4)
    assert inputs.tolist() == [[0, 1, 2, 3], [50, 51, 52, 53]]
    assert targets.tolist() == [[1, 2, 3, 4], [51, 52, 53, 54]]
    assert inputs.dtype == targets.dtype == np.int64
    assert inputs.flags.c_contiguous
    assert targets.flags.c_contiguous


@settings(max_examples=60)
@given(length=st.integers(2, 200), block_size=st.integers(1, 64), tokens_per_batch=st.integers(1, 128))
def test_validation_windows_contain_every_target_once(length: int, block_size: int, tokens_per_batch: int) -> None:
    tokens = np.arange(length, dtype=np.uint8)
    batches = list(validation_windows(tokens, block_size, length, tokens_per_batch))
    targets = [int(token) for _, batch in batches for token in batch.flatten()]
    assert sorted(targets) == list(range(1, length))
    for inputs, batch in batches:
        assert np.array_equal(inputs + 1, batch)
        assert inputs.shape[1] == block_size or (inputs.shape[0] == 1 and inputs is batches[-1][0])


@pytest.mark.parametrize("wanted", [100, 1_000, 5_000])
def test_some_validation_windows_are_evenly_spread(wanted: int) -> None:
    """A part of the windows is a beginning of all of them, so estimates on more targets extend those on fewer."""
    tokens = np.arange(10_001, dtype=np.uint16)
    firsts = [int(row[0]) for inputs, _ in validation_windows(tokens, 10, wanted, 70) for row in inputs]
    assert len(set(firsts)) == len(firsts) == wanted // 10
    assert firsts == (spread_order(1_000)[: wanted // 10] * 10).tolist()
    gaps = np.diff([0, *sorted(firsts), 10_000])
    assert gaps.max() <= 4 * 10_000 / len(firsts)


def test_the_loss_of_record_is_measured_on_a_bounded_number_of_targets() -> None:
    assert record_tokens(1_001, 64) == 1_000
    assert record_tokens(RECORD_LIMIT, 64) == RECORD_LIMIT - 1
    assert record_tokens(10**9, 64) == RECORD_LIMIT
    assert record_tokens(10**9, 7) == RECORD_LIMIT // 7 * 7
    assert record_tokens(10**9, 10**6) == 10**6


def test_an_epoch_of_a_long_text_visits_every_window_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its order is computed in parts, and a batch across two parts or two epochs is as any other."""
    monkeypatch.setattr(windows, "MANY_WINDOWS", 50)
    monkeypatch.setattr(windows, "PART_WINDOWS", 16)
    order = WindowOrder(1_000, 8, seed=3)
    starts = np.concatenate([order.starts(batch(k, 9)) for k in range(40)])
    epochs = [starts[: order.windows], starts[order.windows : 2 * order.windows]]
    for epoch in epochs:
        assert len(np.unique(epoch)) == order.windows
        assert set(np.diff(np.sort(epoch))) == {8}
        assert 0 <= epoch.min() <= epoch.max() <= 1_000 - 9
    assert (epochs[0] != epochs[1]).any()
    assert (WindowOrder(1_000, 8, seed=3).starts(batch(12, 9)) == order.starts(batch(12, 9))).all()


def test_a_long_validation_part_is_measured_on_windows_spread_over_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "SPREAD_WINDOWS", 64)
    tokens = np.arange(50_000, dtype=np.uint16)
    firsts = np.concatenate([inputs[:, 0] for inputs, _ in validation_windows(tokens, 10, 400, 100)])
    assert len(firsts) == len(np.unique(firsts)) == 40
    assert (firsts % 10 == 0).all()
    assert np.diff(np.sort(firsts)).max() < 3 * 50_000 / 40
