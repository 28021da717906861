"""Adaptive prediction: probabilities, what it has learned when it scores a token, and NumPy and C compared."""

import ctypes

import numpy as np
import pytest

from tests.generation.tiny_models import TEXT, TOKENIZER, V
from tui_gpt.generation.adaptive.code import BinaryCode
from tui_gpt.generation.adaptive.contexts import Contexts
from tui_gpt.generation.adaptive.predictor import Predictor
from tui_gpt.generation.adaptive.tables import Tables
from tui_gpt.generation.kernel.adaptive import KernelPredictor
from tui_gpt.generation.sampling import log_softmax
from tui_gpt.generation.weights import Floats

TOKENS = TOKENIZER.encode(TEXT)
LINE_BITS = 8


def predictor(library: ctypes.CDLL | None = None) -> Predictor:
    """Return one with small tables, which become full."""
    code, contexts = BinaryCode.of_counts(np.bincount(TOKENS, minlength=V)), Contexts(TOKENIZER.texts)
    tables = Tables.empty(V, LINE_BITS)
    return Predictor(code, contexts, tables) if library is None else KernelPredictor(code, contexts, tables, library)


def model(n: int) -> Floats:
    """Return log-probabilities (n, V) of a model that knows nothing."""
    return log_softmax(np.random.default_rng(1).normal(size=(n, V)).astype(np.float32))


def primed(library: ctypes.CDLL | None = None) -> Predictor:
    """Return one that has read 60 tokens, and then 30 with a model."""
    one = predictor(library)
    one.read(TOKENS[:60])
    one.start_mixing()
    one.read(TOKENS[60:90], model(30))
    return one


def test_the_probabilities_of_all_tokens_sum_to_one(library: ctypes.CDLL) -> None:
    for one in (primed(), primed(library)):
        for end in (0, 1, 50, 90):
            predicted = np.exp(one.predict(TOKENS[:end], model(1)[0]).astype(np.float64))
            assert predicted.sum() == pytest.approx(1, abs=1e-5)
            assert predicted.min() > 0


def test_a_token_is_scored_by_the_distribution_before_it(library: ctypes.CDLL) -> None:
    for one in (primed(), primed(library)):
        predicted = one.predict(TOKENS[:90], model(1)[0])
        assert one.read(TOKENS[90:91], model(1))[0] == pytest.approx(predicted[TOKENS[90]], abs=1e-5)


def test_nothing_is_learned_from_a_token_before_it_is_scored(library: ctypes.CDLL) -> None:
    """Other tokens at the end change no score before them."""
    changed = TOKENS[60:110].copy()
    changed[30:] = (changed[30:] + 1) % V
    for compiled in (None, library):
        one, other = predictor(compiled), predictor(compiled)
        first, second = one.read(TOKENS[60:110], model(50)), other.read(changed, model(50))
        np.testing.assert_array_equal(first[:30], second[:30])
        assert (first[30:] != second[30:]).all()


def test_predicting_learns_nothing(library: ctypes.CDLL) -> None:
    for one in (primed(), primed(library)):
        before = [array.copy() for array in one.tables.arrays()]
        one.predict(TOKENS[:90], model(1)[0])
        for array, expected in zip(one.tables.arrays(), before, strict=True):
            np.testing.assert_array_equal(array, expected)


def test_it_learns_while_it_reads(library: ctypes.CDLL) -> None:
    """The text comes three times; a token costs little from the second time on."""
    scores = predictor(library).read(TOKENS)
    once = len(TOKENS) // 3
    assert scores[:once].mean() < -2
    assert scores[-once:].mean() > -0.3


def test_the_two_implementations_score_and_learn_the_same(library: ctypes.CDLL) -> None:
    one, other = predictor(), predictor(library)
    for part in (slice(0, 100), slice(100, 101), slice(101, 180)):
        if part.start == 100:
            one.start_mixing()
            other.start_mixing()
        logprobs = model(part.stop - part.start) if part.start else None
        np.testing.assert_allclose(one.read(TOKENS[part], logprobs), other.read(TOKENS[part], logprobs), atol=1e-4)
    for end in (3, 100, 180):
        np.testing.assert_allclose(
            one.predict(TOKENS[:end], model(1)[0]), other.predict(TOKENS[:end], model(1)[0]), atol=1e-4
        )
    for mine, theirs in zip(one.tables.arrays(), other.tables.arrays(), strict=True):
        if mine.dtype.names:
            np.testing.assert_array_equal(mine, theirs)
        else:
            np.testing.assert_allclose(mine, theirs, atol=1e-4)


def test_a_text_is_read_the_same_in_parts(library: ctypes.CDLL) -> None:
    one, other = predictor(library), predictor(library)
    whole = one.read(TOKENS)
    np.testing.assert_array_equal(np.concatenate([other.read(part) for part in np.array_split(TOKENS, 7)]), whole)


@pytest.mark.parametrize("size", [1, 2, 3_000])
def test_any_number_of_tokens_is_predicted(size: int, library: ctypes.CDLL) -> None:
    """One token is certain."""
    texts = [chr(0x4E00 + k) for k in range(size)]
    one = KernelPredictor(BinaryCode.of_counts(np.zeros(size)), Contexts(texts), Tables.empty(size, LINE_BITS), library)
    logprobs = np.full((50, size), -np.log(size), np.float32)
    one.start_mixing()
    scores = one.read(np.arange(50) % size, logprobs)
    assert np.isfinite(scores).all()
    assert np.exp(one.predict(np.arange(9) % size, logprobs[0]).astype(np.float64)).sum() == pytest.approx(1, abs=1e-3)
    assert (scores == 0).all() == (size == 1)
