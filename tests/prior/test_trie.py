"""The trie of a text against counting with dictionaries."""

from collections import Counter

import numpy as np
import pytest

from tests.prior.kneser_ney import TOKENS, VOCAB
from tui_gpt.prior.trie import Trie, build_trie, kneser_ney_counts

ORDER = 4
SIZE = len(TOKENS)


def gram_at(position: int, k: int) -> tuple[int, ...]:
    """Return the k-gram that starts at a position of the ring."""
    return tuple(int(TOKENS[(position + j) % SIZE]) for j in range(k))


@pytest.fixture(scope="module")
def trie() -> Trie:
    return build_trie(TOKENS, VOCAB, ORDER)


def test_equal_ngrams_have_equal_numbers_in_sorted_order(trie: Trie) -> None:
    for k in range(1, ORDER + 1):
        grams = [gram_at(position, k) for position in range(SIZE)]
        numbers = {gram: number for number, gram in enumerate(sorted(set(grams)))}
        assert trie.ids[k].tolist() == [numbers[gram] for gram in grams]
        assert trie.symbols[k].tolist() == [gram[-1] for gram in numbers]


def test_suffixes_and_extensions_agree_with_the_ngrams(trie: Trie) -> None:
    for k in range(2, ORDER + 1):
        for position in range(SIZE):
            gram = trie.ids[k][position]
            prefix = trie.ids[k - 1][position]
            assert trie.suffixes[k][gram] == trie.ids[k - 1][(position + 1) % SIZE]
            assert trie.firsts[k - 1][prefix] <= gram < trie.firsts[k - 1][prefix + 1]


def test_extending_gives_the_number_of_an_ngram_or_minus_one(trie: Trie) -> None:
    for k in range(1, ORDER):
        known = {gram_at(position, k + 1): int(trie.ids[k + 1][position]) for position in range(SIZE)}
        for position in range(SIZE):
            grams = np.full(VOCAB, trie.ids[k][position])
            expected = [known.get((*gram_at(position, k), token), -1) for token in range(VOCAB)]
            assert trie.extend(k, grams, np.arange(VOCAB)).tolist() == expected
    assert trie.extend(1, np.array([-1]), np.array([0])).tolist() == [-1]


def test_contexts_are_the_ngrams_that_end_at_each_position_of_a_window(trie: Trie) -> None:
    contexts = trie.contexts(TOKENS[None, 5:25])
    assert contexts[0].tolist() == [[0] * 20]
    for k in range(1, ORDER):
        expected = [-1 if t < k - 1 else int(trie.ids[k][5 + t - k + 1]) for t in range(20)]
        assert contexts[k].tolist() == [expected]


@pytest.mark.parametrize("held_out", [range(0), range(30, 60), range(-5, 20)])
def test_lower_orders_count_distinct_preceding_tokens(trie: Trie, held_out: range) -> None:
    left_out = {position % SIZE for position in held_out}
    ends = [end for end in range(SIZE) if end not in left_out]
    expected = Counter(gram_at(end - ORDER + 1, ORDER) for end in ends)
    counts = kneser_ney_counts(trie, held_out)
    for k in range(ORDER, 0, -1):
        numbers = {gram_at(position, k): int(trie.ids[k][position]) for position in range(SIZE)}
        assert {gram: int(counts[k][number]) for gram, number in numbers.items() if counts[k][number]} == expected
        expected = Counter(gram[1:] for gram in expected)
