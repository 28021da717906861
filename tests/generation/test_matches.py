"""The NumPy decoder finds the same matches as the models in training."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from tui_gpt.generation.matches import find_matches
from tui_gpt.models import induction

FOLDED = np.array([0, 1, 0, 3, 4])
"""Characters 0 and 2 are the same letter in two cases."""


def texts_of(shape: tuple[int, int]) -> st.SearchStrategy[list[list[int]]]:
    """Texts (B, T)."""
    rows = st.lists(st.integers(0, 4), min_size=shape[1], max_size=shape[1])
    return st.lists(rows, min_size=shape[0], max_size=shape[0])


@given(st.tuples(st.integers(1, 3), st.integers(1, 40)).flatmap(texts_of), st.data())
def test_the_matches_are_the_models(texts: list[list[int]], data: st.DataObject) -> None:
    text = np.array(texts)
    last = data.draw(st.integers(1, text.shape[1]))
    found = find_matches(text, FOLDED, last)
    expected = induction.find_matches(torch.from_numpy(text), torch.from_numpy(FOLDED[text]), len(FOLDED))
    for name in ("lengths", "followers", "candidates"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name)[:, -last:].numpy(), name)


def test_matches_go_back_exactly_to_the_limit() -> None:
    """One occurrence is just within the limit, the other just beyond it."""
    text = np.full((1, 1_026), 1)
    text[0, [0, 1, -1]] = [3, 4, 3]
    assert find_matches(text[:, 1:], FOLDED, 1).lengths.tolist() == [[0]]
    assert find_matches(text, FOLDED, 1).lengths.tolist() == [[0]]
    assert find_matches(np.delete(text, 5, axis=1), FOLDED, 1).lengths.tolist() == [[1]]
