"""A permutation of which any part is computed without the rest."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tui_gpt.text.permutation import ROUNDS, permuted


def keys(seed: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """Return the keys of a permutation."""
    return np.random.PCG64(seed).random_raw(ROUNDS)


@given(count=st.integers(1, 5_000), seed=st.integers(0, 2**32))
def test_every_number_appears_once(count: int, seed: int) -> None:
    assert sorted(permuted(np.arange(count), count, keys(seed))) == list(range(count))


def test_a_part_is_the_same_as_in_the_whole() -> None:
    whole = permuted(np.arange(1_000), 1_000, keys(1))
    assert (permuted(np.arange(300, 340), 1_000, keys(1)) == whole[300:340]).all()
    assert list(whole[:8]) == [514, 147, 627, 585, 913, 449, 761, 325]


def test_neighbours_and_seeds_are_not_related() -> None:
    """Each of 64 equal parts of the range gets about its share of any beginning of the order."""
    count = 1 << 18
    orders = [permuted(np.arange(1 << 14), count, keys(seed)) for seed in (1, 2)]
    for order in orders:
        shares = np.bincount(order * 64 // count, minlength=64)
        assert ((shares > 170) & (shares < 350)).all()
        assert abs(np.corrcoef(order[1:], order[:-1])[0, 1]) < 0.04
    assert np.isin(orders[0], orders[1]).mean() < 0.1
