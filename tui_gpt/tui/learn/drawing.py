"""What the pictures of the lesson are made of: visible characters, bars, shades, and lines of a given width."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from textual.content import Content

from tui_gpt.formatting import bar
from tui_gpt.metrics import perplexity
from tui_gpt.tui.glyphs import is_ascii_only
from tui_gpt.tui.text.wrap import Wrapped, glyphs

Part = str | tuple[str, str] | Content

_VISIBLE = {ord(" "): "␣", ord("\n"): "↵", ord("\t"): "⇥"}
_ASCII = {ord(" "): "_", ord("\n"): "|", ord("\t"): ">"}
_SHADES, _ASCII_SHADES = " ░▒▓█", " .:*#"
_FAINTEST = 0.004
"""Probabilities below it have no shade."""


def visible(text: str) -> str:
    """Return a text with white space made visible, of the same length."""
    return glyphs(text.translate(_ASCII if is_ascii_only() else _VISIBLE))


def padded(text: str, width: int, *, to_the_right: bool = False) -> str:
    """Return a text filled up to `width` cells."""
    space = " " * max(0, width - cell_len(text))
    return space + text if to_the_right else text + space


def bar_of(fraction: float, cells: int) -> str:
    """Return a bar, `fraction` of which is filled."""
    if is_ascii_only():
        return ("#" * round(max(0.0, min(1.0, fraction)) * cells)).ljust(cells)
    return bar(fraction, cells, empty=" ")


def shade(probability: float) -> str:
    """Return a character that is the darker, the higher a probability is."""
    shades = _ASCII_SHADES if is_ascii_only() else _SHADES
    if probability < _FAINTEST:
        return shades[0]
    return shades[1 + sum(probability >= least for least in (0.03, 0.1, 0.3))]


_FEW_LINES = 5


def lines_of(text: str, width: int, most: int) -> list[str]:
    """Return the first `most` lines of a text that is wrapped to `width` cells and safe for a terminal.

    Where there is space for a few lines only, the ends of its lines are signs in it.
    """
    ending = "\n" if most > _FEW_LINES else visible("\n")
    wrapped = Wrapped(glyphs(text.replace("\n", ending)), max(2, width))
    return [wrapped.text[slice(*wrapped.span(row))].rstrip() for row in range(min(most, len(wrapped)))]


def joined(lines: Iterable[Sequence[Part]]) -> Content:
    """Return lines, each of several parts, as one content."""
    return Content("\n").join(Content.assemble(*line) for line in lines)


def choices(loss: float) -> str:
    """Return among how many equally likely characters one would be as unsure as with a loss, in nats."""
    number = perplexity(loss)
    return f"{number:.0f}" if number >= 9.95 else f"{number:.1f}"
