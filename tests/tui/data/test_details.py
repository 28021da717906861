"""What the Data tab writes about a text."""

import dataclasses

import pytest

from tui_gpt.text.report import TextReport
from tui_gpt.tui.data.details import NgramLosses, details

REPORT = TextReport(
    name="poem",
    size=100,
    is_sample=False,
    characters=100,
    lines=5,
    frequencies=(("e", 60), (" ", 30), ("\x1b", 5), ("漢", 3), ("\u0301", 2)),
    train=90,
    preview="e \x1b[31m漢",
    encoding="UTF-8: every byte sequence in it is valid",
    notes=("left out 1 binary file: x\x1b[0m.png",),
)


def words(report: TextReport = REPORT, losses: NgramLosses | None = None, width: int = 60) -> str:
    return details("poem", report, losses or NgramLosses(), width).plain


def test_characters_that_cannot_be_seen_have_names() -> None:
    assert "e        60.00%" in words()
    assert "space    30.00%" in words()
    assert "U+001B    5.00%" in words()
    assert "漢        3.00%" in words()
    assert "U+0301    2.00%" in words()


def test_control_characters_never_reach_the_terminal() -> None:
    assert "\x1b" not in words()


def test_a_sample_is_marked_as_one() -> None:
    assert "sample" not in words()
    assert "only the beginning of this file was read" in words(dataclasses.replace(REPORT, is_sample=True))
    assert "at most 1,000,000 characters counted, 30,000 predicted" in words(losses=NgramLosses(is_sample=True))


def test_losses_are_compared_with_guessing() -> None:
    text = words(losses=NgramLosses({1: 1.2, 2: 0.6}, "counting n-grams…"))
    assert "guessing  1.609" in text
    assert "order 2   0.600" in text
    assert "counting n-grams…" in text


def test_a_text_of_one_character_has_nothing_to_guess() -> None:
    assert "guessing  0.000" in words(dataclasses.replace(REPORT, frequencies=(("e", 100),)))


@pytest.mark.parametrize("width", [1, 10, 40, 160])
def test_bars_fit_the_width(width: int) -> None:
    lines = words(losses=NgramLosses({1: 1.609}), width=width).splitlines()
    bars = [line for line in lines if "█" in line]
    assert bars
    assert all(len(line) <= max(width, 18) for line in bars)
