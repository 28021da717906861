"""Stop conditions and constraints of a sampler: which text, for which models, with which seeds."""

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest

from tests.generation.test_tokens import BYTE, NEXT, PAIRS
from tests.generation.tiny_models import tiny_sampler
from tui_gpt.config import SampleConfig
from tui_gpt.control import Control
from tui_gpt.errors import ConfigError
from tui_gpt.generation.sampler import Sampler
from tui_gpt.generation.text_model import NO_PIECE, Piece

FREE = SampleConfig(max_new_tokens=60, temperature=1.0, seed=3)
GUIDED = (
    replace(FREE, allow="a-z "),
    replace(FREE, match=r"\w+( \w+)*\."),
    replace(FREE, repetition_penalty=3.0, repetition_length=2),
)


def text_of(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def stops_of(text: str) -> tuple[str, ...]:
    return text[20:23], text[30:31]


@pytest.mark.parametrize("name", ["classic", "ensemble", "bigram"])
def test_a_stop_string_cuts_the_text_and_nothing_else(name: str) -> None:
    sampler = tiny_sampler(name)
    whole = list(sampler.stream("the ", FREE, details=True))
    stops = stops_of(text_of(whole))
    *cut, end = sampler.stream("the ", replace(FREE, stop=stops), details=True)
    expected = min(text_of(whole).index(stop) for stop in stops)
    assert cut == whole[:expected]
    assert end == NO_PIECE._replace(end="stop")


@pytest.mark.parametrize("config", [replace(FREE, stop=("e", " q")), *GUIDED])
def test_equal_seeds_give_equal_text_whatever_the_number_of_samples(config: SampleConfig) -> None:
    sampler = tiny_sampler("prior")
    alone = [list(sampler.stream("the ", replace(config, seed=3 + k))) for k in range(5)]
    together = list(zip(*sampler.stream_many("the ", config, 5), strict=True))
    assert [[piece for piece in pieces if piece != NO_PIECE] for pieces in together] == alone


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("config", GUIDED)
@pytest.mark.parametrize("count", [1, 4])
def test_the_extension_generates_the_same_under_constraints(
    config: SampleConfig, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler = tiny_sampler("classic")
    fast = [[piece.text for piece in row] for row in sampler.stream_many("the ", config, count)]
    monkeypatch.setattr("tui_gpt.generation.decoders.library", lambda: None)
    assert [[piece.text for piece in row] for row in sampler.stream_many("the ", config, count)] == fast


def test_pieces_have_the_models_own_probabilities_under_constraints() -> None:
    sampler = tiny_sampler("modern")
    pieces = list(sampler.stream("", replace(FREE, forbid="e", max_new_tokens=30)))
    scored = list(sampler.score(text_of(pieces)))
    assert [piece.logprob for piece in pieces] == pytest.approx([piece.logprob for piece in scored], abs=2e-3)
    assert "e" not in text_of(pieces)


def test_an_answer_ends_with_the_match_while_others_continue() -> None:
    config = replace(FREE, match=r"[a-z]{1,9}[ .]", max_new_tokens=20)
    texts = list(zip(*tiny_sampler("modern").stream_many("the ", config, 6), strict=True))
    assert len({len(text_of(list(pieces))) for pieces in texts}) > 1
    for pieces in texts:
        assert re.fullmatch(config.match, text_of(list(pieces)))
        assert [piece.end for piece in pieces if piece.end] == ["match"]


def test_a_match_that_the_length_cuts_short_is_reported() -> None:
    pieces = list(tiny_sampler("bigram").stream("", replace(FREE, match="[a-z]+[.]", max_new_tokens=1)))
    assert [piece.end for piece in pieces] == [None, "incomplete-match"]


def test_tokens_of_bytes_keep_to_characters() -> None:
    for sampler in (BYTE, PAIRS):
        config = SampleConfig(max_new_tokens=30, temperature=0.0, forbid="é\\n")
        text = text_of(list(sampler.stream("\n", config)))
        assert "你" in text
        assert not set(text) & {"é", "\n", "\ufffd"}
        matched = text_of(list(sampler.stream("\n", replace(config, forbid="", match="[你é t]+"))))
        assert set(matched) <= set("你é t")
        assert matched.startswith(NEXT[:2])


def test_a_stop_string_within_a_token_of_several_characters_cuts_it() -> None:
    config = SampleConfig(max_new_tokens=7, temperature=0.0, stop=("h",))
    assert text_of(list(PAIRS.stream("\n", config))) == "你é t"


def test_the_time_limit_is_that_of_the_clock_without_suspensions() -> None:
    sampler = tiny_sampler("bigram")
    limited = Sampler(
        sampler._decoders._model, sampler._tokenizer, name="limited", step=1, clock=itertools.count(0.0, 0.25).__next__
    )
    *pieces, end = limited.stream("", replace(FREE, max_seconds=1.0))
    assert (len(pieces), end.end) == (4, "time")
    whole = text_of(list(sampler.stream("", FREE)))
    assert whole.startswith(text_of(pieces))


def test_held_back_text_comes_out_when_the_user_stops() -> None:
    control = Control()
    whole = text_of(list(tiny_sampler("modern").stream("the ", FREE)))
    stream = tiny_sampler("modern").stream("the ", replace(FREE, stop=(whole[2:9] + "…",)), control)
    first = [next(stream), next(stream)]
    control.stop()
    rest = text_of([*first, *stream])
    assert whole.startswith(rest)
    assert len(rest) >= 2


def test_settings_still_change_under_constraints() -> None:
    control = Control()
    stream = tiny_sampler("modern").stream("the ", replace(FREE, allow="a-z "), control)
    next(stream)
    control.change("max_new_tokens", 5)
    assert len(list(stream)) <= 5


def test_constraints_that_leave_nothing_are_refused_before_any_text() -> None:
    for config in (replace(FREE, allow="é"), replace(FREE, match="é"), replace(FREE, match="(")):
        with pytest.raises(ConfigError):
            next(tiny_sampler("bigram").stream("", config))


def test_the_penalty_avoids_a_loop() -> None:
    greedy = SampleConfig(max_new_tokens=60, temperature=0.0)
    sampler = tiny_sampler("bigram")

    def distinct(config: SampleConfig) -> int:
        text = text_of(list(sampler.stream("the ", config)))
        return len({text[k : k + 4] for k in range(len(text))})

    penalized = replace(greedy, repetition_penalty=5.0, repetition_length=3)
    assert distinct(penalized) > distinct(greedy)
    assert np.isfinite([piece.logprob for piece in sampler.stream("the ", penalized)]).all()
