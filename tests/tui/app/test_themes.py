"""The app's own themes: legible, and the two losses told apart without telling red from green."""

import math

import pytest
from textual.color import Color
from textual.theme import Theme

from tui_gpt.tui.app.themes import THEMES

TEXTS = ("text-muted", "text-disabled", "text-primary", "text-accent", "text-error", "text-warning")
GROUNDS = ("background", "surface", "panel")
AAA = 7.0
"""The contrast of level AAA of WCAG 2."""
DEFICIENCIES = {
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
}
"""Linear RGB as seen without red or green cones (Machado, Oliveira and Fernandes 2009, severity 1)."""


def linear(color: Color) -> tuple[float, ...]:
    return tuple(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color.normalized)


def luminance(color: Color) -> float:
    red, green, blue = linear(color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Color, other: Color) -> float:
    """Return the contrast ratio of WCAG 2, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def colors_of(theme: Theme) -> dict[str, str]:
    return theme.to_color_system().generate()


@pytest.mark.parametrize("theme", [one for one in THEMES if "contrast" in one.name], ids=lambda theme: theme.name)
def test_every_text_of_a_high_contrast_theme_reaches_level_aaa(theme: Theme) -> None:
    colors = colors_of(theme)
    low = {
        (text, ground): ratio
        for text in TEXTS
        for ground in GROUNDS
        if (ratio := contrast(Color.parse(colors[text]), Color.parse(colors[ground]))) < AAA
    }
    assert low == {}


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
@pytest.mark.parametrize("theme", [one for one in THEMES if "blind" in one.name], ids=lambda theme: theme.name)
def test_training_and_validation_loss_are_told_apart_without_red_or_green_cones(theme: Theme, deficiency: str) -> None:
    colors = colors_of(theme)
    seen = [
        [sum(factor * c for factor, c in zip(row, linear(Color.parse(colors[name])), strict=True)) for row in matrix]
        for name in ("text-primary", "text-accent")
        for matrix in (DEFICIENCIES[deficiency],)
    ]
    assert math.dist(*seen) > 0.2
