"""Tokenizing and splitting a text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.text.helpers import parts, text_of
from tui_gpt.errors import CorpusError
from tui_gpt.text.corpora import read_corpus
from tui_gpt.text.dataset import Corpus
from tui_gpt.text.tokenizer import CharTokenizer
from tui_gpt.text.windows import WindowOrder, validation_windows


def test_tinyshakespeare_is_split_as_in_nanogpt() -> None:
    corpus = Corpus.build(read_corpus("tinyshakespeare"), 256)
    assert (len(corpus.train), len(corpus.val)) == (1_003_854, 111_540)
    assert corpus.tokenizer.vocab_size == 65
    assert corpus.train.dtype == np.uint8
    assert corpus.tokenizer.decode(corpus.train[:14]) == "First Citizen:"


def test_characters_unknown_to_a_given_tokenizer_are_left_out() -> None:
    corpus = Corpus.build(text_of("abcX" * 20), 4, CharTokenizer("abc"))
    assert "".join(parts(corpus)) == "abc" * 20


@given(length=st.integers(1, 400), block_size=st.integers(1, 300))
def test_a_short_text_is_refused_with_what_would_be_enough(length: int, block_size: int) -> None:
    """The named length suffices and no shorter one does; the named block_size fits."""
    try:
        corpus = Corpus.build(text_of("ab" * (length // 2) + "a" * (length % 2)), block_size)
    except CorpusError as error:
        words = str(error).split()
        needed = int(words[words.index("needs") + 1].strip(":").replace(",", ""))
        assert needed > length
        Corpus.build(text_of("x" * needed), block_size)
        with pytest.raises(CorpusError):
            Corpus.build(text_of("x" * (needed - 1)), block_size)
        if "--block-size" in words:
            Corpus.build(text_of("x" * length), int(words[-1]))
    else:
        assert WindowOrder(len(corpus.train), block_size, 0).windows >= 1
        assert (
            sum(targets.size for _, targets in validation_windows(corpus.val, block_size, len(corpus.val), 2048)) >= 1
        )
