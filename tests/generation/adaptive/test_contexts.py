"""The contexts: what they depend on, and what a word is for tokens of every kind."""

from collections.abc import Sequence

import numpy as np
import pytest

from tui_gpt.generation.adaptive.contexts import CONTEXTS, ORDERS, REACH, Contexts, Hashes

LETTERS = [*"abcdefghijklmnopqrstuvwxyzTI ,.'\n"]
WORD = len(ORDERS)
"""The first context of words: what there is of the current one."""


def hashes(text: str, texts: Sequence[str] = LETTERS, last: int = 1) -> Hashes:
    """Return the contexts after a text whose tokens are characters."""
    return Contexts(texts).hashes(np.array([texts.index(character) for character in text], np.int32), last)


def test_every_order_sees_that_many_tokens() -> None:
    one, other = hashes("abcdefghi."), hashes("abcdxfghi.")
    assert [bool(a == b) for a, b in zip(one[0, :WORD], other[0, :WORD], strict=True)] == [k < 6 for k in ORDERS]


def test_the_contexts_of_a_position_depend_on_what_is_before_it() -> None:
    """However much is computed at once, and however the text continues."""
    text = "the cat sat on the mat, and it's a very very long day'.\n" * 4
    whole = hashes(text, last=len(text) + 1)
    assert whole.shape == (len(text) + 1, CONTEXTS)
    for end in (0, 1, 5, 97, 130, len(text)):
        before = text[max(0, end - REACH) : end] if end else ""
        np.testing.assert_array_equal(hashes(before)[0], whole[end])


def test_a_word_is_counted_whatever_is_before_it_and_whether_it_has_capitals() -> None:
    assert hashes("it is The")[0, WORD] == hashes("\nthe")[0, WORD] != hashes("then")[0, WORD]


def test_the_words_before_count_and_not_what_is_between_them() -> None:
    assert (hashes("to be, or")[0, WORD:] == hashes("to be\n or")[0, WORD:]).all()
    one, other = hashes("a to be or")[0, WORD:], hashes("a do be or")[0, WORD:]
    assert (one == other).tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("texts", "inside"),
    [
        (["字", "语", "。", "x"], [0, 1]),
        (["\udcc3", "\udca9", ".", "x"], [0, 1]),
        ([" the", "re", " a", "."], [0, 1]),
    ],
    ids=["chinese", "bytes", "pieces"],
)
def test_tokens_of_every_kind_make_words(texts: list[str], inside: list[int]) -> None:
    """A token that begins with a space begins a word, and a byte of a longer character is a letter."""
    contexts = Contexts(texts)
    word = contexts.hashes(np.array(inside, np.int32))[0, WORD]
    assert word == contexts.hashes(np.array([2, *inside] if texts[2] != " a" else [3, *inside], np.int32))[0, WORD]
    assert word != contexts.hashes(np.array(inside[1:], np.int32))[0, WORD]
    assert word != contexts.hashes(np.array([*inside, 3], np.int32))[0, WORD]
