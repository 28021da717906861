"""Composing by hand without widgets: choosing, typing ahead, taking back, drawing, and the preview."""

import math

import pytest

from tests.fakes import FakeTextModel
from tests.generation.test_tokens import BYTE, PAIRS
from tui_gpt.config import SampleConfig
from tui_gpt.generation.branches import TreeShape
from tui_gpt.generation.text_model import TextModel
from tui_gpt.tui.generate.by_hand.composition import MAX_KEPT, Composition

ALL = TreeShape(1, 1_000)


def predict(made: Composition, model: TextModel) -> None:
    """Predict until nothing waits."""
    while made.alternatives is None:
        (level,) = model.continuations("", ALL, path=made.path)
        made.predict(made.path, level.branches)


def test_choosing_sums_the_bits_and_taking_back_subtracts_them() -> None:
    made, model = Composition(), FakeTextModel(text="ab")
    assert made.alternatives is None
    predict(made, model)
    assert made.alternatives
    made.choose(made.alternatives[0])
    predict(made, model)
    made.choose(made.alternatives[1])
    assert made.text == "ax"
    assert made.bits == pytest.approx(1 + 2)
    assert made.logprobs == pytest.approx((math.log(0.5), math.log(0.25)))
    made.take_back()
    assert made.text == "a"
    assert made.bits == pytest.approx(1)
    assert made.alternatives is not None, "known from before"
    made.take_back()
    made.take_back()
    assert (made.text, made.bits, made.logprobs) == ("", 0.0, ())


def test_typed_characters_wait_for_their_prediction() -> None:
    made, model = Composition(), FakeTextModel(text="ab")
    made.type("axb")
    made.take_back()
    assert (made.text, made.typed) == ("", "ax")
    predict(made, model)
    assert (made.text, made.typed) == ("ax", "")
    assert made.bits == pytest.approx(3)
    assert made.unknown == ""


def test_a_character_that_the_model_does_not_know_is_named_and_skipped() -> None:
    made, model = Composition(), FakeTextModel(text="ab")
    made.type("¶a")
    predict(made, model)
    assert (made.text, made.unknown) == ("a", "¶")


@pytest.mark.parametrize(("model", "tokens"), [(BYTE, 4), (PAIRS, 2)])
def test_a_character_of_several_tokens_is_typed_and_taken_back_whole(model: TextModel, tokens: int) -> None:
    made = Composition()
    made.type("你t")
    predict(made, model)
    assert (made.text, len(made.path)) == ("你t", tokens)
    assert len(made.logprobs) == 2
    assert math.fsum(made.logprobs) == pytest.approx(-made.bits * math.log(2))
    made.take_back()
    made.take_back()
    assert made.path == ()


def test_an_unfinished_character_is_no_part_of_what_is_kept() -> None:
    made = Composition()
    predict(made, BYTE)
    assert made.alternatives
    made.choose(next(branch for branch in made.alternatives if branch.text == "\udce4"))
    assert (made.text, made.whole_text, made.logprobs) == ("\udce4", "", ())
    levels = BYTE.continuations("", TreeShape(6, 1), path=made.path)
    made.set_preview(made.path, [level.branches[0] for level in levels])
    assert made.preview_text == "你é t", "it completes the character"
    assert made.take_preview(whole=False)
    assert (made.text, len(made.logprobs)) == ("你é", 2)


def test_the_model_draws_with_the_settings() -> None:
    made, model = Composition(), FakeTextModel(text="ab")
    assert not made.draw(SampleConfig(), 0.5), "nothing is predicted"
    predict(made, model)
    assert made.draw(SampleConfig(temperature=0.0), 0.999)
    predict(made, model)
    assert made.draw(SampleConfig(temperature=1.0), 0.999)
    assert made.text[0] == "a"
    assert made.text[1] in "yz"
    predict(made, model)
    assert made.draw(SampleConfig(temperature=0.0, forbid="a"), 0.0)
    assert made.text[2] == "x", "the most likely of the permitted characters"
    predict(made, model)
    assert not made.draw(SampleConfig(allow="0-9"), 0.0), "none is permitted"


def test_the_preview_is_accepted_by_word_or_whole_and_typed_over() -> None:
    made, model = Composition(), FakeTextModel(text="to be or")
    predict(made, model)
    preview = [level.branches[0] for level in model.continuations("", TreeShape(8, 1))]
    made.set_preview((1,), preview)
    assert not made.take_preview(whole=False), "it was for another path"
    made.set_preview((), preview)
    made.type("t")
    assert "".join(branch.text for branch in made.preview) == "o be or"
    assert made.take_preview(whole=False)
    assert made.text == "to"
    assert made.take_preview(whole=False)
    assert made.text == "to be"
    assert made.bits == pytest.approx(5)
    assert made.take_preview(whole=True)
    assert (made.text, len(made.preview)) == ("to be or", 0)
    made.set_preview(made.path, preview)
    predict(made, model)
    made.type("x")
    assert not made.preview


def test_few_predictions_are_kept() -> None:
    made, model = Composition(), FakeTextModel(text="ab")
    for _ in range(MAX_KEPT + 5):
        predict(made, model)
        assert made.draw(SampleConfig(temperature=0.0), 0.0)
    for _ in range(MAX_KEPT):
        made.take_back()
        assert made.alternatives is not None
    made.take_back()
    assert made.alternatives is None
