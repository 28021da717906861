"""The ends that the form offers for a run."""

import pytest

from tui_gpt.config import resolve
from tui_gpt.tui.train.end_choices import EndChoice, end_choices
from tui_gpt.tui.train.form import texts


@pytest.mark.parametrize(
    ("preset", "labels", "selected"),
    [
        ("quick", ["1 min", "3 min", "15 min", "60 min"], 0),
        ("best", ["1 min", "3 min", "15 min", "60 min", "650 steps or 60 min"], 4),
        ("classic", ["1 min", "3 min", "15 min", "60 min", "5,000 steps"], 4),
    ],
)
def test_a_preset_offers_four_budgets_and_its_own_end(preset: str, labels: list[str], selected: int) -> None:
    choices, index = end_choices(preset, texts(resolve(preset)))
    assert ([choice.label for choice in choices], index) == (labels, selected)


def test_another_end_that_was_typed_is_offered_too() -> None:
    choices, index = end_choices("quick", {"max_seconds": "90", "max_iters": ""})
    assert index == 4
    assert choices[4].label == "1 min 30 s"


@pytest.mark.parametrize(("seconds", "iters"), [("", ""), ("abc", ""), ("60", "1.5")])
def test_an_invalid_end_is_not_offered(seconds: str, iters: str) -> None:
    choices, index = end_choices("quick", {"max_seconds": seconds, "max_iters": iters})
    assert (len(choices), index) == (4, None)


def test_a_choice_fills_both_fields() -> None:
    assert EndChoice(180.0, None).texts() == {"max_seconds": "180", "max_iters": ""}
    assert EndChoice(None, 1).texts() == {"max_seconds": "", "max_iters": "1"}
    assert EndChoice(None, 1).label == "1 step"
