"""Matches earlier in the window, checked against a search position by position."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tui_gpt.config import MATCH_LENGTH, MATCH_REACH, ModelConfig
from tui_gpt.models import induction
from tui_gpt.models.build import build_model, set_case_folding
from tui_gpt.models.induction import Matches, find_matches, fold_case
from tui_gpt.text.tokenizer import CharTokenizer

VOCAB = 4


def search(tokens: list[int], keys: list[int], max_distance: int) -> tuple[list[int], list[int], list[list[int]]]:
    """Return lengths, followers and candidates of every position, by comparing pairs of positions."""
    lengths, followers, candidates = [], [], []
    for t in range(len(tokens)):
        found = [
            (common_suffix(keys, t, earlier), earlier, tokens[earlier + 1])
            for earlier in range(max(0, t - max_distance), t)
        ]
        length, _, follower = max(found, default=(0, 0, 0))
        lengths.append(length)
        followers.append(follower if length else 0)
        candidates.append([max((size for size, _, token in found if token == c), default=0) for c in range(VOCAB)])
    return lengths, followers, candidates


def common_suffix(keys: list[int], t: int, earlier: int) -> int:
    length = 0
    while length < MATCH_LENGTH and earlier - length >= 0 and keys[t - length] == keys[earlier - length]:
        length += 1
    return length


def matches_of(tokens: list[int], keys: list[int]) -> Matches:
    return find_matches(torch.tensor([tokens]), torch.tensor([keys]), VOCAB)


@given(st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=40))
def test_the_matches_are_those_of_a_search_position_by_position(tokens: list[int]) -> None:
    keys = [token // 2 for token in tokens]
    matches = matches_of(tokens, keys)
    lengths, followers, candidates = search(tokens, keys, MATCH_REACH)
    assert matches.lengths[0].tolist() == lengths
    assert matches.candidates[0].tolist() == candidates
    assert matches.followers[0].tolist() == followers


def test_a_match_beyond_the_maximum_distance_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(induction, "MATCH_REACH", 5)
    tokens = [1, 2, 3, 0, 0, 0, 0, 1, 2, 3]
    matches = matches_of(tokens, tokens)
    lengths, _, candidates = search(tokens, tokens, 5)
    assert matches.lengths[0].tolist() == lengths
    assert matches.candidates[0].tolist() == candidates


def test_letters_match_in_either_case_where_the_alphabet_has_both() -> None:
    assert fold_case("AXab").tolist() == [2, 1, 2, 3]


def test_set_case_folding_sets_the_buffer_of_the_model() -> None:
    config = ModelConfig(architecture="modern", block_size=8, n_layer=1, n_head=1, n_embd=4, induction=True)
    model = build_model(config, 4, seed=0)
    set_case_folding(model, CharTokenizer("AXab"))
    assert model.state_dict()["induction.folded"].tolist() == [2, 1, 2, 3]
