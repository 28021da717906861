"""The small parts of the Generate tab that need no screen: knobs, bars, tones, rows of a card."""

import math
from typing import Any

import pytest
from rich.cells import cell_len
from rich.style import Style

from tests.fakes import estimated, evaluated
from tui_gpt.config import SampleConfig, resolve
from tui_gpt.storage.runs import RunStore
from tui_gpt.tui.generate.alternatives import AlternativesPanel, percent, spelled
from tui_gpt.tui.generate.cards.answer_card import CardBlock
from tui_gpt.tui.generate.cards.answer_column import likely_tone
from tui_gpt.tui.generate.lookup import token_at
from tui_gpt.tui.generate.notebook import Answer, Card
from tui_gpt.tui.generate.prompt.model_chooser import choices, source_label
from tui_gpt.tui.generate.prompt.sampling_settings import KNOBS, SAMPLING_PRESETS, Knob


def rows(block: CardBlock, width: int) -> list[str]:
    """Return the rows of a card, without its edge."""
    return [
        "".join(segment.text for segment in block.draw(row, width, lambda _: Style()))[2:].rstrip()
        for row in range(block.height(width))
    ]


@pytest.mark.parametrize("knob", KNOBS, ids=[knob.name for knob in KNOBS])
def test_every_step_of_a_knob_is_a_valid_setting(knob: Knob) -> None:
    for step in knob.steps:
        setting: dict[str, Any] = {knob.name: step}
        assert getattr(SampleConfig(**setting), knob.name) == step


@pytest.mark.parametrize("preset", SAMPLING_PRESETS)
def test_every_preset_is_a_valid_setting(preset: str) -> None:
    assert SampleConfig(**SAMPLING_PRESETS[preset]).max_new_tokens == SampleConfig().max_new_tokens


@pytest.mark.parametrize(
    ("name", "value", "by", "expected"),
    [
        ("temperature", 0.8, 1, 0.9),
        ("temperature", 0.85, 1, 0.9),
        ("temperature", 0.85, -1, 0.8),
        ("temperature", 2.0, 1, 2.0),
        ("temperature", 0.0, -1, 0.0),
        ("top_k", 7, 1, 10),
        ("seed", None, 1, 0),
        ("seed", 0, -1, None),
        ("seed", None, -1, None),
        ("max_new_tokens", 123_456_789, -1, 100_000),
    ],
)
def test_knobs_step_to_the_next_round_value_and_hold_at_the_ends(
    name: str, value: float | None, by: int, expected: float | None
) -> None:
    knob = next(knob for knob in KNOBS if knob.name == name)
    assert knob.stepped(value, by) == expected


@pytest.mark.parametrize(
    ("probability", "text"), [(1.0, "100 %"), (0.42, "42 %"), (0.1, "10 %"), (0.013, "1.3 %"), (1e-5, "<0.1 %")]
)
def test_probabilities_have_two_digits(probability: float, text: str) -> None:
    assert percent(probability) == text


def test_invisible_characters_have_a_name() -> None:
    assert [spelled(character) for character in " \n\t\x1b"] == ["space", "↵", "tab", "␛"]


def test_tones_go_from_probable_to_improbable() -> None:
    probs = (1.0, 0.8, 0.5, 0.2, 0.05, 0.001)
    assert [likely_tone(math.log(prob)) for prob in probs] == [
        "likely-0",
        "likely-0",
        "likely-1",
        "likely-2",
        "likely-3",
        "likely-4",
    ]
    assert likely_tone(-math.inf) == "likely-4"
    assert likely_tone(math.nan) == "written"


def test_facts_are_not_broken_if_they_fit_into_a_row() -> None:
    answer = Answer(prompt="a", text="b" * 20, model="my-run@best", step=2_000, config=SampleConfig(seed=7))
    assert rows(CardBlock(Card(answers=(answer,))), 30) == [
        "abbbbbbbbbbbbbbbbbbbb",
        "my-run@best · step 2,000",
        "seed 7 · temperature 0.8",
        "20 characters",
        "",
    ]


def test_answers_side_by_side_have_columns() -> None:
    answers = tuple(Answer(text=text, model="m", config=SampleConfig(seed=1)) for text in ("aa aa aa " * 4, "bb"))
    block = CardBlock(Card(answers=answers, shown=1))
    block.set_side_by_side(True)
    drawn = rows(block, 70)
    assert drawn[0].split("│")[0].strip() == "aa aa aa aa aa aa aa aa aa aa aa"
    assert drawn[0].split("│")[1].strip() == "bb"
    assert "‹ 2/2 ›" in drawn[2].split("│")[1]


def test_a_card_too_narrow_for_columns_shows_the_selected_answer() -> None:
    block = CardBlock(Card(answers=(Answer(text="aa"), Answer(text="bb"), Answer(text="cc")), shown=2))
    block.height(40)
    block.set_side_by_side(True)
    assert rows(block, 40)[0] == "cc"


def test_the_chooser_offers_live_weights_only_during_training() -> None:
    assert [source for source, _, _ in choices([], {}, live=False)] == ["", "shipped"]
    assert [source for source, _, _ in choices([], {}, live=True)] == ["", "live", "shipped"]


@pytest.mark.parametrize(("is_estimate", "remark"), [(False, "loss 1.500"), (True, "loss ~1.500")])
def test_the_chooser_marks_a_best_loss_that_is_an_estimate(is_estimate: bool, remark: str) -> None:
    run = RunStore().create(resolve("nano"), "one")
    run.record((estimated if is_estimate else evaluated)(10, 1.5))
    offered = list(choices([run.summary()], {"one": ["best"]}, live=False))
    assert offered[-1] == ("one@best", "one@best", remark)


@pytest.mark.parametrize(
    ("source", "label"), [(None, "newest model"), ("live", "live weights of the run"), ("my-run@last", "my-run@last")]
)
def test_sources_have_readable_names(source: str | None, label: str) -> None:
    assert source_label(source) == label


def test_tokens_are_spelled_with_their_spaces_and_bytes() -> None:
    assert [spelled(token) for token in (" ", " the", "a\n", "\udce4", "你")] == ["space", "␣the", "a↵", "<0xE4>", "你"]


def test_the_panel_shows_tokens_of_any_length_in_its_width() -> None:
    panel = AlternativesPanel()
    panel.show(" t", 0.5, [(" t", 0.5), (" abominations of", 0.3), ("\udce4", 0.2)])
    assert panel._row(0, 28)[0][0] == "instead of ␣t (50 %)"
    rows = ["".join(part for part, _ in panel._row(y, 28)) for y in (2, 3, 4)]
    assert [len(row) for row in rows] == [25, 25, 25]
    assert [row[:12] for row in rows] == ["          ␣t", "␣abomination", "      <0xE4>"]


def test_the_panel_aligns_tokens_of_wide_characters() -> None:
    panel = AlternativesPanel()
    panel.show("春", 0.5, [("春眠不觉晓处处闻啼鸟", 0.5), ("春眠", 0.3), ("a春眠不觉晓处", 0.15), ("t", 0.05)])
    rows = ["".join(part for part, _ in panel._row(y, 28)) for y in (2, 3, 4, 5)]
    assert [cell_len(row) for row in rows] == [25, 25, 25, 25]
    assert [row.split()[0] for row in rows] == ["春眠不觉晓处", "春眠", "a春眠不觉晓", "t"]


def test_the_longest_predicted_token_is_the_one_in_the_text() -> None:
    assert token_at("see the fox", 3, [" t", " the", " them"]) == " the"
    assert token_at("see the fox", 3, ["x"]) == " "
    assert token_at("see", 3, ["x"]) == ""


def test_an_answer_branched_by_a_token_has_a_probability_for_each_character() -> None:
    answer = Answer(prompt="a", text="bcd", logprobs=(-1.0, -2.0, -3.0))
    branch = answer.branched(2, " the", SampleConfig(), None)
    assert (branch.full, branch.logprobs[0], len(branch.logprobs)) == ("ab the", -1.0, 5)
