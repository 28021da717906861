"""Contiguous folds of a text, for cross-fitting: each fold's probabilities come from counts of the rest."""

from itertools import pairwise

MARGIN = 0.05
"""Fraction of the text on either side of a fold that its counts leave out too: the same scene, the same names."""


def fold_edges(size: int, folds: int) -> list[int]:
    """Return where `folds` folds of `size` tokens begin, and `size`."""
    return [size * fold // folds for fold in range(folds + 1)]


def fold_ranges(size: int, folds: int) -> list[range]:
    """Return the positions of each fold."""
    return [range(begin, end) for begin, end in pairwise(fold_edges(size, folds))]


def held_out_ranges(size: int, folds: int) -> list[range]:
    """Return for each fold the positions that its counts leave out: the fold and its margins, on the text as a ring."""
    margin = int(size * MARGIN)
    return [range(fold.start - margin, fold.stop + margin) for fold in fold_ranges(size, folds)]
