"""Which model predicts a text best: the same characters for all, one model open at a time."""

import math
import weakref
from collections.abc import Iterator

import pytest

from tests.fakes import FakeTextModel
from tests.generation.test_tokens import BYTE, NEXT, PAIRS
from tui_gpt.control import Control
from tui_gpt.errors import NotFoundError
from tui_gpt.generation.authorship import Authorship, Opener, who_wrote
from tui_gpt.generation.text_model import Piece, TextModel


class Author(FakeTextModel):
    """Gives every character the same probability."""

    def __init__(self, name: str, probability: float, unknown: str = "") -> None:
        super().__init__(name, unknown=unknown)
        self.probability = probability
        self.scored: list[str] = []

    def score(self, text: str, *, after: str = "", details: bool = False) -> Iterator[Piece]:
        self.scored.append(text)
        return (Piece(character, math.log(self.probability)) for character in text)


def opener(*models: TextModel) -> Opener:
    by_name = {model.name: model for model in models}

    def opened(source: str | None) -> TextModel:
        if source not in by_name:
            raise NotFoundError(f"there is no run {source}")
        return by_name[source]

    return Opener(opened, lambda: None)


def last(found: Iterator[Authorship]) -> Authorship:
    *_, result = found
    return result


def test_the_best_has_the_fewest_bits_on_the_characters_that_all_know() -> None:
    text = "some words and an é, and another é; more words follow here ¶"
    models = [Author("half", 0.5, "¶"), Author("quarter", 0.25, "é"), Author("narrow", 0.9, "someword")]
    found = last(who_wrote(opener(*models), ["half", "quarter", "narrow", "gone"], text, Control()))
    half, quarter, narrow, gone = found.scores
    assert [half.bits_per_char, quarter.bits_per_char] == pytest.approx([1.0, 2.0])
    assert [half.perplexity, quarter.perplexity] == pytest.approx([2.0, 4.0])
    assert found.best == 0
    assert (found.left_out, found.left_out_count) == ("¶é", 3)
    assert models[0].scored == models[1].scored == [text.replace("é", "").replace("¶", "")]
    assert (half.unknown_count, quarter.unknown_count) == (1, 2)
    assert models[2].scored == [], "it would take most of the text away from the others"
    assert (narrow.bits_per_char, narrow.problem) == (None, "it knows only 52% of the characters")
    assert (gone.problem, gone.is_opened, gone.perplexity) == ("there is no run gone", False, None)


def test_scores_arrive_one_after_the_other_until_it_is_stopped() -> None:
    models, control = [Author("a", 0.5), Author("b", 0.25)], Control()
    seen = []
    for found in who_wrote(opener(*models), ["a", "b"], "text", control):
        seen.append([score.bits_per_char for score in found.scores])
        if len(seen) == 2:
            control.stop()
    assert seen == [[None, None], [pytest.approx(1.0), None]]


def test_models_with_other_tokens_are_compared_by_character() -> None:
    text = NEXT * 3
    found = last(who_wrote(opener(BYTE), ["repeating"], text, Control(), keep_logprobs=True))
    pairs = last(who_wrote(opener(PAIRS), ["repeating"], text, Control(), keep_logprobs=True))
    for one, model in ((found, BYTE), (pairs, PAIRS)):
        total = math.fsum(piece.logprob for piece in model.score(text))
        assert one.scores[0].bits_per_char == pytest.approx(-total / math.log(2) / len(text))
        (logprobs,) = one.logprobs
        assert logprobs is not None
        assert len(logprobs) == len(text)
        assert math.fsum(logprobs) == pytest.approx(total, rel=1e-4)


def test_nothing_is_compared_where_no_model_knows_the_text() -> None:
    found = last(who_wrote(opener(Author("a", 0.5, "xyz")), ["a"], "xyz", Control()))
    assert (found.best, found.scores[0].problem) == (None, "it knows only 0% of the characters")


def test_one_model_is_open_at_a_time() -> None:
    alive: list[weakref.ref[Author]] = []
    cache: list[Author] = []

    def opened(source: str | None) -> TextModel:
        assert not [ref for ref in alive if ref() is not None], "the one before is closed"
        cache.append(Author(str(source), 0.5))
        alive.append(weakref.ref(cache[-1]))
        return cache[-1]

    last(who_wrote(Opener(opened, cache.clear), ["a", "b", "c"], "text", Control()))
    assert len(alive) == 6
