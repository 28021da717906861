"""A model that adapts to a text: the pieces it scores, what it generates, and that the model stays as it is."""

import ctypes
import math
from dataclasses import replace

import pytest

from tests.generation.tiny_models import CONFIGS, TEXT, tiny_sampler
from tui_gpt.config import SampleConfig
from tui_gpt.control import Control
from tui_gpt.errors import StoppedError
from tui_gpt.generation.adaptive import adaptation
from tui_gpt.generation.sampler import Sampler

OTHER = "over and over the lazy river ran over the hill, over and over. " * 6
SHORT = SampleConfig(max_new_tokens=30, temperature=0.8, seed=3, top_k=9, top_p=0.95, min_p=0.01)


@pytest.fixture(autouse=True)
def compiled(library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the C extension."""
    monkeypatch.setattr(adaptation, "library", lambda: library)


@pytest.fixture(params=["classic", "ensemble", "bigram"])
def sampler(request: pytest.FixtureRequest) -> Sampler:
    """A tiny sampler with a prior or without, and one without blocks."""
    assert request.param in CONFIGS
    return tiny_sampler(request.param)


def test_the_frozen_scores_are_those_of_score(sampler: Sampler) -> None:
    frozen, adapting = zip(*sampler.score_adapting(OTHER), strict=True)
    scored = list(sampler.score(OTHER))
    assert [piece.text for piece in frozen] == [piece.text for piece in scored]
    assert [piece.logprob for piece in frozen] == pytest.approx([piece.logprob for piece in scored], abs=1e-5)
    assert sum(adapting) > sum(piece.logprob for piece in scored)


def test_an_earlier_score_does_not_depend_on_a_later_character(sampler: Sampler) -> None:
    one = [score for _, score in sampler.score_adapting(OTHER)]
    other = [score for _, score in sampler.score_adapting(OTHER[:200] + TEXT[:100])]
    assert one[:200] == other[:200]
    assert one[200:] != other[200:]


def test_a_text_without_known_characters_has_no_scores(sampler: Sampler) -> None:
    assert list(sampler.score_adapting("→→")) == []


def test_the_model_stays_as_it_is(sampler: Sampler) -> None:
    before = list(sampler.stream("the ", SHORT)), [piece.logprob for piece in sampler.score(OTHER)]
    adapted = sampler.adapted(OTHER)
    list(sampler.score_adapting(OTHER))
    assert (list(sampler.stream("the ", SHORT)), [piece.logprob for piece in sampler.score(OTHER)]) == before
    assert list(adapted.stream("the ", SHORT)) != before[0]


def test_an_adapted_model_has_learned_from_the_text(sampler: Sampler) -> None:
    """The same sentence again is likely, and the same text is generated again."""
    adapted = sampler.adapted(OTHER)
    again = OTHER[: len(OTHER) // 6]
    assert math.fsum(piece.logprob for piece in adapted.score(again)) > len(again) * math.log(0.5)
    written = "".join(piece.text for piece in adapted.stream(OTHER, replace(SHORT, temperature=0.0)))
    assert written == OTHER[:30]


def test_an_adapted_model_scores_what_it_generates_as_it_generated_it(sampler: Sampler) -> None:
    adapted = sampler.adapted(OTHER)
    pieces = list(adapted.stream("", SHORT, details=True))
    read = adapted.score("".join(piece.text for piece in pieces))
    assert [piece.logprob for piece in pieces] == pytest.approx([piece.logprob for piece in read], abs=1e-3)
    assert all(len(piece.alternatives) == 10 for piece in pieces)


def test_answers_of_an_adapted_model_do_not_depend_on_their_number(sampler: Sampler) -> None:
    adapted = sampler.adapted(OTHER)
    columns = list(adapted.stream_many("the ", SHORT, 3))
    for k in range(3):
        alone = adapted.stream("the ", replace(SHORT, seed=3 + k))
        assert [answer[k].text for answer in columns] == [piece.text for piece in alone]


def test_adapting_can_be_stopped(sampler: Sampler) -> None:
    control = Control()
    control.stop()
    with pytest.raises(StoppedError, match="stopped while"):
        sampler.adapted(OTHER, control)


def test_without_the_kernel_numpy_adapts(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = tiny_sampler("bigram")
    expected = [score for _, score in sampler.score_adapting(OTHER[:120])]
    monkeypatch.setattr(adaptation, "library", lambda: None)
    assert [score for _, score in sampler.score_adapting(OTHER[:120])] == pytest.approx(expected, abs=1e-3)
