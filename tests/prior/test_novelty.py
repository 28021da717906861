"""The copied fraction of a text, against a search for every passage."""

import numpy as np
import pytest

from tests.generation.tiny_models import TEXT, TOKENIZER, tiny_sampler
from tui_gpt.metrics import COPIED_LENGTH
from tui_gpt.prior.ngram import NgramPrior
from tui_gpt.prior.novelty import CopyIndex, Tokens

RNG = np.random.default_rng(5)


def slow_fraction(written: list[int], known: list[list[int]], length: int) -> float:
    """Return the fraction of tokens that are in a passage of `length` tokens of one of the known texts."""
    passages = {tuple(text[k : k + length]) for text in known for k in range(len(text) - length + 1)}
    covered = set()
    for start in range(len(written) - length + 1):
        if tuple(written[start : start + length]) in passages:
            covered |= set(range(start, start + length))
    return len(covered) / len(written)


@pytest.mark.parametrize("vocab_size", [2, 70, 60_000])
def test_the_fraction_agrees_with_a_search_for_every_passage(vocab_size: int) -> None:
    known = RNG.integers(0, vocab_size, 400)
    other = RNG.integers(0, vocab_size, 300)
    other[20:60], other[100:125], other[290:] = known[30:70], known[375:], known[:10]
    expected = slow_fraction(other.tolist(), [known.tolist()], 20)
    assert CopyIndex([known], 20).copied_fraction(other) == expected
    assert expected == (40 + 25) / 300 or vocab_size == 2


def test_a_passage_one_token_short_is_not_copied_and_a_shorter_text_has_no_fraction() -> None:
    known = np.arange(100)
    index = CopyIndex([known], 20)
    written: Tokens = np.concatenate([known[5:24], [200]])
    assert index.copied_fraction(written) == 0.0
    assert index.copied_fraction(known[5:25]) == 1.0
    assert index.copied_fraction(known[5:24]) is None
    assert index.copied_fraction(known[:0]) is None


def test_nothing_is_copied_from_a_text_shorter_than_a_passage() -> None:
    assert CopyIndex([np.arange(5)], 20).copied_fraction(np.arange(30)) == 0.0


def test_an_unknown_token_interrupts_a_copied_passage() -> None:
    known = np.zeros(100, np.uint8)
    written: Tokens = np.zeros(60, np.int64)
    written[30] = -1
    assert CopyIndex([known], 20).copied_fraction(written) == pytest.approx(59 / 60)


def test_a_sampler_compares_with_the_text_that_its_prior_counted() -> None:
    sampler = tiny_sampler("prior")
    copied, fresh = TEXT[40:90], "zebras do not jump here at all, never"
    assert sampler.copied(copied) == 1.0
    assert sampler.copied(fresh) == 0.0
    assert sampler.copied(copied + "é" + fresh) == pytest.approx(50 / (51 + len(fresh)))


def test_a_sampler_without_a_prior_has_no_copied_fraction() -> None:
    assert tiny_sampler("modern").copied(TEXT[:90]) is None


def test_a_restored_prior_finds_the_same_copies() -> None:
    prior = NgramPrior.fit(TOKENIZER.encode(TEXT), TOKENIZER.vocab_size, 3)
    restored = NgramPrior.from_state(prior.state())
    written = TOKENIZER.lookup(TEXT[100:200] + "fox dog fox dog fox dog fox dog")
    assert 0 < (CopyIndex(prior.counted).copied_fraction(written) or 0) < 1
    assert CopyIndex(restored.counted).copied_fraction(written) == CopyIndex(prior.counted).copied_fraction(written)


def test_a_passage_across_two_sampled_pieces_is_not_in_the_index() -> None:
    """A prior of a long text counts a piece of each fold; two pieces are not adjacent in the text."""
    tokens = RNG.integers(0, 50, 900)
    prior = NgramPrior.fit(tokens, 50, 3, folds=3, limit=300)
    assert CopyIndex(prior.counted).copied_fraction(tokens[300:400]) == 1.0
    assert CopyIndex(prior.counted).copied_fraction(np.concatenate([tokens[90:100], tokens[300:310]])) == 0.0
    assert CopyIndex(NgramPrior.from_state(prior.state()).counted).copied_fraction(tokens[90:110]) == 0.0


def test_the_index_takes_eight_bytes_per_token() -> None:
    index = CopyIndex([np.zeros(1_000_000, np.uint8)])
    assert index._hashes.nbytes == 8 * (1_000_000 - COPIED_LENGTH + 1)
