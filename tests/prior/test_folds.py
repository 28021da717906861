"""Folds of a text."""

from hypothesis import given
from hypothesis import strategies as st

from tui_gpt.prior.folds import MARGIN, fold_edges, fold_ranges, held_out_ranges


@given(size=st.integers(2, 10_000), folds=st.integers(2, 9))
def test_folds_partition_the_text_and_their_margins_surround_them(size: int, folds: int) -> None:
    ranges = fold_ranges(size, folds)
    assert [fold.start for fold in ranges] + [size] == fold_edges(size, folds)
    assert [position for fold in ranges for position in fold] == list(range(size))
    assert max(map(len, ranges)) - min(map(len, ranges)) <= 1
    for fold, held_out in zip(ranges, held_out_ranges(size, folds), strict=True):
        assert fold.start - held_out.start == held_out.stop - fold.stop == int(size * MARGIN)
