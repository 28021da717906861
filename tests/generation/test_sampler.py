"""Generating and scoring: the pieces, the control, and equal text for equal seeds."""

import ctypes
import math
from dataclasses import replace

import pytest
import torch

from tests.generation import oracle
from tests.generation.tiny_models import CONFIGS, TEXT, TOKENIZER, tiny_model, tiny_prior, tiny_sampler, tiny_weights
from tui_gpt.config import SampleConfig
from tui_gpt.control import Control
from tui_gpt.generation import decoders
from tui_gpt.generation.decoder import NumpyDecoder
from tui_gpt.generation.kernel.decoder import KernelDecoder
from tui_gpt.generation.sampler import Sampler
from tui_gpt.generation.weights import Floats, Ints

SHORT = SampleConfig(max_new_tokens=40, temperature=1.0, seed=3)
GREEDY = SampleConfig(max_new_tokens=40, temperature=0.0)


def text_of(sampler: Sampler, prompt: str, config: SampleConfig = SHORT) -> str:
    return "".join(piece.text for piece in sampler.stream(prompt, config))


@pytest.fixture(params=CONFIGS)
def sampler(request: pytest.FixtureRequest) -> Sampler:
    """A tiny sampler of every kind."""
    return tiny_sampler(request.param)


def test_it_generates_max_new_tokens_characters(sampler: Sampler) -> None:
    pieces = list(sampler.stream("the ", SHORT))
    assert len(pieces) == 40
    assert all(piece.text in TOKENIZER.characters and piece.logprob < 0 for piece in pieces)


def test_equal_seeds_generate_equal_text_whatever_other_generators_draw(sampler: Sampler) -> None:
    """And generation draws nothing from the global generators."""
    before = torch.get_rng_state()
    first = text_of(sampler, "the ")
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    assert text_of(sampler, "the ") == first


def test_other_seeds_generate_other_text(sampler: Sampler) -> None:
    texts = {text_of(sampler, "the ", SampleConfig(max_new_tokens=40, temperature=1.0, seed=seed)) for seed in range(4)}
    assert len(texts) == 4


def test_a_seed_that_was_drawn_can_be_used_again() -> None:
    sampler = tiny_sampler("classic")
    first = text_of(sampler, "the ", SampleConfig(max_new_tokens=40, temperature=1.0))
    assert sampler.last_seed is not None
    again = SampleConfig(max_new_tokens=40, temperature=1.0, seed=sampler.last_seed)
    assert text_of(sampler, "the ", again) == first


@pytest.mark.parametrize("name", ["classic", "prior"])
def test_greedy_text_is_the_oracles(name: str) -> None:
    tokens = TOKENIZER.encode(TEXT[:30]).tolist()
    written = oracle.written(tiny_model(name), tokens, 40, lambda row: int(row.argmax()), tiny_prior(name))
    assert text_of(tiny_sampler(name), TEXT[:30], GREEDY) == TOKENIZER.decode(written)


def test_only_the_end_of_a_prompt_beyond_the_context_has_an_effect() -> None:
    sampler = tiny_sampler("classic")
    assert text_of(sampler, TEXT[:90]) == text_of(sampler, TEXT[78:90])


def test_an_empty_prompt_is_treated_as_a_line_break(sampler: Sampler) -> None:
    assert text_of(sampler, "") == text_of(sampler, "\n")


def test_without_a_line_break_an_empty_prompt_is_treated_as_the_first_character() -> None:
    tokenizer = type(TOKENIZER)("".join(chr(ord("a") + i) for i in range(TOKENIZER.vocab_size)))
    sampler = Sampler(tiny_weights("classic"), tokenizer, name="x", step=0)
    assert text_of(sampler, "") == text_of(sampler, "a")


def test_unknown_characters_are_named_and_left_out() -> None:
    sampler = tiny_sampler("classic")
    assert sampler.unknown("thé fox → thé") == "é→"
    assert text_of(sampler, "thé fox→") == text_of(sampler, "th fox")


def test_a_prompt_of_unknown_characters_alone_is_an_empty_one() -> None:
    sampler = tiny_sampler("classic")
    assert text_of(sampler, "→→") == text_of(sampler, "")


def test_it_stops_before_the_next_character() -> None:
    control = Control()
    stream = tiny_sampler("classic").stream("the ", SHORT, control)
    next(stream)
    control.stop()
    assert list(stream) == []


def test_settings_change_during_generation_and_the_next_piece_reports_it() -> None:
    """The text before the change stays; after it, the text is the most likely one."""
    sampler, control = tiny_sampler("classic"), Control()
    stream = sampler.stream("the ", SampleConfig(max_new_tokens=40, temperature=1.0, seed=3), control)
    pieces = [next(stream)]
    control.change("temperature", 0.0)
    control.change("max_new_tokens", 30)
    control.change("seed", 5)
    pieces += stream
    (at,) = [k for k, piece in enumerate(pieces) if piece.changes]
    assert pieces[at].changes == (("temperature", 0.0), ("max_new_tokens", 30))
    assert len(pieces) == 30
    text = "".join(piece.text for piece in pieces)
    assert text[:at] == text_of(sampler, "the ")[:at]
    assert text[at:] == text_of(sampler, "the " + text[:at], GREEDY)[: 30 - at]


def test_a_change_to_the_same_value_is_not_reported() -> None:
    control = Control()
    control.change("temperature", 1.0)
    assert not any(piece.changes for piece in tiny_sampler("classic").stream("the ", SHORT, control))


def test_streams_of_one_sampler_do_not_disturb_each_other() -> None:
    sampler = tiny_sampler("prior")
    alone = text_of(sampler, "the "), text_of(sampler, "fox")
    pairs = zip(sampler.stream("the ", SHORT), sampler.stream("fox", SHORT), strict=True)
    left, right = zip(*((a.text, b.text) for a, b in pairs), strict=True)
    assert ("".join(left), "".join(right)) == alone


def test_details_are_the_ten_most_likely_and_change_nothing_else() -> None:
    sampler = tiny_sampler("prior")
    plain, detailed = list(sampler.stream("the ", SHORT)), list(sampler.stream("the ", SHORT, details=True))
    assert [(p.text, p.logprob) for p in plain] == [(p.text, p.logprob) for p in detailed]
    assert not any(piece.alternatives for piece in plain)
    for piece in detailed:
        probs = [prob for _, prob in piece.alternatives]
        assert len(probs) == 10
        assert probs == sorted(probs, reverse=True)
        assert sum(probs) <= 1 + 1e-6
        known = dict(piece.alternatives)
        assert known.get(piece.text, probs[-1]) >= probs[-1]
        if piece.text in known:
            assert known[piece.text] == pytest.approx(math.exp(piece.logprob))


def test_the_log_probability_is_the_models_own_whatever_the_temperature() -> None:
    """Even a filtered, cooled choice is reported as the model saw it."""
    sampler = tiny_sampler("classic")
    cold = SampleConfig(max_new_tokens=40, temperature=0.3, top_k=2, seed=1)
    pieces = list(sampler.stream("\n", cold))
    read = sampler.score("".join(piece.text for piece in pieces))
    assert [piece.logprob for piece in pieces] == pytest.approx([piece.logprob for piece in read], abs=1e-4)


def test_scoring_a_text_yields_the_log_probabilities_of_its_generation(sampler: Sampler) -> None:
    """`score` has the same context as `stream`, also where the window slides."""
    written = list(sampler.stream("", SampleConfig(max_new_tokens=100, temperature=1.0, seed=5), details=True))
    read = list(sampler.score("".join(piece.text for piece in written), details=True))
    assert [piece.text for piece in read] == [piece.text for piece in written]
    assert [piece.logprob for piece in read] == pytest.approx([piece.logprob for piece in written], abs=1e-4)
    assert [piece.alternatives[0][0] for piece in read] == [piece.alternatives[0][0] for piece in written]


def test_score_skips_unknown_characters() -> None:
    sampler = tiny_sampler("classic")
    assert list(sampler.score("th→e")) == list(sampler.score("the"))
    assert list(sampler.score("")) == []


def test_a_text_is_scored_chunk_by_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first piece is yielded before the last one is computed, so no text is too long to be scored."""
    read: list[int] = []
    original = NumpyDecoder._network_logits

    def counted(self: NumpyDecoder, tokens: Ints, last_only: bool = False) -> Floats:
        read.append(tokens.shape[1])
        return original(self, tokens, last_only)

    monkeypatch.setattr(NumpyDecoder, "_network_logits", counted)
    pieces = iter(tiny_sampler("modern").score(TEXT * 20))
    next(pieces)
    assert sum(read) < len(TEXT)
    assert sum(1 for _ in pieces) == 20 * len(TEXT) - 1


def test_many_answers_are_generated_at_once(sampler: Sampler) -> None:
    columns = list(sampler.stream_many("the ", SHORT, 5))
    assert len(columns) == 40
    answers = {"".join(piece.text for piece in answer) for answer in zip(*columns, strict=True)}
    assert len(answers) == 5


def test_one_of_one_answer_is_the_stream(sampler: Sampler) -> None:
    assert [piece for (piece,) in sampler.stream_many("the ", SHORT, 1)] == list(sampler.stream("the ", SHORT))


def texts_of(sampler: Sampler, count: int) -> list[str]:
    columns = sampler.stream_many("\n", SHORT, count)
    return ["".join(piece.text for piece in answer) for answer in zip(*columns, strict=True)]


def test_an_answer_does_not_depend_on_how_many_are_generated(sampler: Sampler) -> None:
    """Answer k is the stream with the seed plus k."""
    alone = [text_of(sampler, "\n", replace(SHORT, seed=3 + k)) for k in range(5)]
    for count in (1, 3, 5):
        assert texts_of(sampler, count) == alone[:count]


@pytest.mark.parametrize("name", ["classic", "induction", "ensemble", "wide"])
@pytest.mark.parametrize("is_compiled", [False, True])
def test_an_answer_does_not_depend_on_the_count_to_the_last_bit(
    name: str, is_compiled: bool, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A difference in the last bit of a logit changes a draw sooner or later; many texts are divided among threads."""
    if is_compiled:
        request.getfixturevalue("library")
    monkeypatch.setattr(decoders, "available_cores", lambda: 3)
    sampler = tiny_sampler(name)
    alone = [list(sampler.stream("\n", replace(SHORT, seed=3 + k))) for k in range(16)]
    for count in range(2, 17):
        columns = sampler.stream_many("\n", SHORT, count)
        assert [list(answer) for answer in zip(*columns, strict=True)] == alone[:count]


@pytest.mark.parametrize(("count", "cores", "parts"), [(1, 8, 1), (4, 1, 1), (4, 2, 2), (5, 8, 2), (16, 8, 8)])
def test_many_texts_are_divided_among_the_cores(
    count: int, cores: int, parts: int, library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each thread gets at least two."""
    monkeypatch.setattr(decoders, "available_cores", lambda: cores)
    generator = decoders.DecoderFactory(tiny_weights("classic")).generator(count)
    assert parts == (len(generator._parts) if isinstance(generator, decoders.ThreadedDecoder) else 1)


def test_a_model_without_blocks_is_not_compiled(library: ctypes.CDLL) -> None:
    assert isinstance(decoders.DecoderFactory(tiny_weights("classic")).generator(1), KernelDecoder)
    assert isinstance(decoders.DecoderFactory(tiny_weights("bigram")).generator(1), NumpyDecoder)


def test_many_answers_stop_together() -> None:
    control = Control()
    stream = tiny_sampler("classic").stream_many("the ", SHORT, 3, control)
    assert len(next(stream)) == 3
    control.stop()
    assert list(stream) == []


def test_it_has_the_name_and_step_of_its_model() -> None:
    sampler = Sampler(tiny_weights("classic"), TOKENIZER, name="run@best", step=7, val_loss=1.5)
    assert (sampler.name, sampler.step, sampler.val_loss) == ("run@best", 7, 1.5)
