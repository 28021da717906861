"""Find earlier occurrences of the last characters of a text, and what followed them.

models/induction.py describes the idea and does the same with torch.
"""

from dataclasses import dataclass

import numpy as np

from tui_gpt.config import MATCH_LENGTH, MATCH_REACH
from tui_gpt.generation.weights import Ints


@dataclass(frozen=True)
class Matches:
    """The matches at T positions of B texts."""

    lengths: Ints
    """(B, T): the length of the longest match, at most MATCH_LENGTH; 0 without a match."""
    followers: Ints
    """(B, T): the character after the longest match, the latest one of equal length; 0 without a match."""
    candidates: Ints
    """(B, T, V): for each character, the length of the longest match that it followed."""


def find_matches(text: Ints, folded: Ints, last: int) -> Matches:
    """Return the matches at the `last` positions of `text` (B, n); characters are equal if `folded` (V,) maps them to
    the same number."""
    B, reach = len(text), min(text.shape[1], MATCH_REACH)
    lengths = match_lengths(text, folded, last)
    followers = _before(np.pad(text[:, 1:], ((0, 0), (0, 1))), reach, last, fill=0)
    places = (lengths * reach + np.arange(reach)).argmax(-1)[..., None]
    longest = np.take_along_axis(lengths, places, -1)[..., 0]
    candidates = np.zeros((B, last, len(folded)), np.int64)
    for length in range(1, MATCH_LENGTH + 1):
        b, t, place = np.nonzero(lengths == length)
        candidates[b, t, followers[b, t, place]] = length
    follower = np.take_along_axis(followers, places, -1)[..., 0]
    return Matches(longest, np.where(longest > 0, follower, 0), candidates)


def match_lengths(text: Ints, folded: Ints, last: int) -> Ints:
    """Return (B, last, R): how many characters before each of the `last` positions of `text` (B, n), the position
    itself included, are equal to those that end at each of the R positions before it; at most MATCH_LENGTH."""
    n = text.shape[1]
    reach = min(n, MATCH_REACH)
    extra = min(MATCH_LENGTH - 1, n - last)  # positions before the first requested one, over which its match may extend
    keys = folded[text]
    same = _before(keys, reach, last + extra, fill=-1) == keys[:, n - last - extra :, None]  # (B, T + extra, reach)
    run, lengths = same.copy(), same.astype(np.int64)
    for back in range(1, MATCH_LENGTH):
        run[:, :back] = False
        run[:, back:] &= same[:, :-back]
        lengths += run
    return np.asarray(lengths[:, extra:])


def _before(tokens: Ints, reach: int, last: int, fill: int) -> Ints:
    """Return (B, last, reach): the `reach` tokens before each of the last positions; `fill` before the first."""
    padded = np.pad(tokens, ((0, 0), (reach, 0)), constant_values=fill)
    return np.lib.stride_tricks.sliding_window_view(padded, reach, axis=1)[:, tokens.shape[1] - last : -1]
