"""What is copied from a text, against a search for every piece."""

import numpy as np
import pytest

from tests.generation.writers import TEXT, TOKENIZER, tiny_sampler
from tui_gpt.metrics import COPIED_LENGTH
from tui_gpt.prior.ngram import NgramPrior
from tui_gpt.prior.novelty import CopiedPieces, Tokens

RNG = np.random.default_rng(5)


def slow_share(written: list[int], known: list[list[int]], length: int) -> float:
    """The share of tokens that lie in a piece of `length` which stands in one of the known texts."""
    pieces = {tuple(text[k : k + length]) for text in known for k in range(len(text) - length + 1)}
    covered = set()
    for start in range(len(written) - length + 1):
        if tuple(written[start : start + length]) in pieces:
            covered |= set(range(start, start + length))
    return len(covered) / len(written)


@pytest.mark.parametrize("vocab_size", [2, 70, 60_000])
def test_the_share_is_that_of_a_search_for_every_piece(vocab_size: int) -> None:
    known = RNG.integers(0, vocab_size, 400)
    other = RNG.integers(0, vocab_size, 300)
    other[20:60], other[100:125], other[290:] = known[30:70], known[375:], known[:10]
    expected = slow_share(other.tolist(), [known.tolist()], 20)
    assert CopiedPieces([known], 20).share(other) == expected
    assert expected == (40 + 25) / 300 or vocab_size == 2


def test_a_piece_one_short_is_not_copied_and_a_text_shorter_than_a_piece_has_no_share() -> None:
    known = np.arange(100)
    pieces = CopiedPieces([known], 20)
    written: Tokens = np.concatenate([known[5:24], [200]])
    assert pieces.share(written) == 0.0
    assert pieces.share(known[5:25]) == 1.0
    assert pieces.share(known[5:24]) is None
    assert pieces.share(known[:0]) is None


def test_nothing_is_copied_from_a_text_shorter_than_a_piece() -> None:
    assert CopiedPieces([np.arange(5)], 20).share(np.arange(30)) == 0.0


def test_tokens_that_were_never_seen_break_a_piece() -> None:
    known = np.zeros(100, np.uint8)
    written: Tokens = np.zeros(60, np.int64)
    written[30] = -1
    assert CopiedPieces([known], 20).share(written) == pytest.approx(59 / 60)


def test_a_sampler_compares_with_what_its_prior_has_counted() -> None:
    sampler = tiny_sampler("prior")
    copied, fresh = TEXT[40:90], "zebras do not jump here at all, never"
    assert sampler.copied(copied) == 1.0
    assert sampler.copied(fresh) == 0.0
    assert sampler.copied(copied + "é" + fresh) == pytest.approx(50 / (51 + len(fresh)))


def test_a_sampler_without_a_prior_knows_of_no_copies() -> None:
    assert tiny_sampler("modern").copied(TEXT[:90]) is None


def test_a_restored_prior_finds_the_same_copies() -> None:
    prior = NgramPrior.fit(TOKENIZER.encode(TEXT), TOKENIZER.vocab_size, 3)
    restored = NgramPrior.from_state(prior.state())
    written = TOKENIZER.lookup(TEXT[100:200] + "fox dog fox dog fox dog fox dog")
    assert 0 < (prior.pieces.share(written) or 0) < 1
    assert restored.pieces.share(written) == prior.pieces.share(written)


def test_what_a_sample_of_a_text_joins_is_not_a_piece_of_it() -> None:
    """A prior of a long text counts a part of each fold: two of them do not stand side by side in the text."""
    tokens = RNG.integers(0, 50, 900)
    prior = NgramPrior.fit(tokens, 50, 3, folds=3, limit=300)
    assert prior.pieces.share(tokens[300:400]) == 1.0
    assert prior.pieces.share(np.concatenate([tokens[90:100], tokens[300:310]])) == 0.0
    assert NgramPrior.from_state(prior.state()).pieces.share(tokens[90:110]) == 0.0


def test_a_million_tokens_take_eight_bytes_each() -> None:
    pieces = CopiedPieces([np.zeros(1_000_000, np.uint8)])
    assert pieces._known.nbytes == 8 * (1_000_000 - COPIED_LENGTH + 1)
