"""What the window has said before: found as a reader with a finger on the page would find it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tui_gpt.config import ModelConfig
from tui_gpt.models import induction
from tui_gpt.models.build import build_model, set_case_folding
from tui_gpt.models.induction import LONGEST, Matches, find_matches, folded_case
from tui_gpt.text.tokenizer import CharTokenizer

VOCAB = 4


def by_hand(tokens: list[int], keys: list[int], reach: int) -> tuple[list[int], list[int], list[list[int]]]:
    """Lengths, followers and candidates of every position, one comparison after the other."""
    lengths, followers, candidates = [], [], []
    for t in range(len(tokens)):
        found = [
            (common_suffix(keys, t, earlier), earlier, tokens[earlier + 1]) for earlier in range(max(0, t - reach), t)
        ]
        length, _, follower = max(found, default=(0, 0, 0))
        lengths.append(length)
        followers.append(follower if length else 0)
        candidates.append([max((size for size, _, token in found if token == c), default=0) for c in range(VOCAB)])
    return lengths, followers, candidates


def common_suffix(keys: list[int], t: int, earlier: int) -> int:
    length = 0
    while length < LONGEST and earlier - length >= 0 and keys[t - length] == keys[earlier - length]:
        length += 1
    return length


def found(tokens: list[int], keys: list[int], last: int) -> Matches:
    return find_matches(torch.tensor([tokens]), torch.tensor([keys]), VOCAB, last)


@given(st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=40), st.data())
def test_the_matches_are_those_found_by_hand(tokens: list[int], data: st.DataObject) -> None:
    last = data.draw(st.integers(1, len(tokens)))
    keys = [token // 2 for token in tokens]
    matches = found(tokens, keys, last)
    lengths, followers, candidates = by_hand(tokens, keys, induction.REACH)
    assert matches.lengths[0].tolist() == lengths[-last:]
    assert matches.candidates[0].tolist() == candidates[-last:]
    assert matches.followers[0].tolist() == followers[-last:]


def test_a_match_further_back_than_the_reach_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(induction, "REACH", 5)
    tokens = [1, 2, 3, 0, 0, 0, 0, 1, 2, 3]
    matches = found(tokens, tokens, len(tokens))
    lengths, _, candidates = by_hand(tokens, tokens, 5)
    assert matches.lengths[0].tolist() == lengths
    assert matches.candidates[0].tolist() == candidates


def test_letters_match_in_either_case_where_the_text_has_both() -> None:
    assert folded_case("AXab").tolist() == [2, 1, 2, 3]


def test_a_new_model_is_told_which_of_its_characters_are_the_same_letter() -> None:
    config = ModelConfig(architecture="modern", block_size=8, n_layer=1, n_head=1, n_embd=4, induction=True)
    model = build_model(config, 4, seed=0)
    set_case_folding(model, CharTokenizer("AXab"))
    assert model.state_dict()["induction.folded"].tolist() == [2, 1, 2, 3]


def test_the_last_of_some_matches_are_those_of_the_last_position() -> None:
    tokens = [1, 2, 1, 2, 1]
    last, alone = found(tokens, tokens, 5).last, found(tokens, tokens, 1)
    assert torch.equal(last.lengths, alone.lengths)
    assert torch.equal(last.followers, alone.followers)
    assert torch.equal(last.candidates, alone.candidates)
