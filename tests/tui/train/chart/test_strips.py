"""Only the parts of a line that differ are drawn again."""

from rich.style import Style
from textual.geometry import Region

from tui_gpt.tui.train.chart.strips import changed_regions, strip_of

STYLES = {"axis": Style(), "train": Style(bold=True)}


def lines(*texts: str, style: str = "axis"):  # type: ignore[no-untyped-def]  # a list of strips
    return [strip_of([(text, style)], 10, STYLES.__getitem__) for text in texts]


def test_equal_lines_are_not_drawn() -> None:
    assert changed_regions(lines("abc", "def"), lines("abc", "def"), 10) == []


def test_the_changed_part_of_a_line_is_drawn() -> None:
    assert changed_regions(lines("abcdef", "x"), lines("abXYef", "x"), 10) == [Region(2, 0, 2, 1)]


def test_a_change_of_colour_is_a_change() -> None:
    assert changed_regions(lines("abcdefghij"), lines("abcdefghij", style="train"), 10) == [Region(0, 0, 10, 1)]


def test_lines_that_appear_or_vanish_are_drawn() -> None:
    assert changed_regions(lines("a"), lines("a", "b"), 10) == [Region(0, 1, 10, 1)]
    assert changed_regions(lines("a", "b"), lines("a"), 10) == [Region(0, 1, 10, 1)]
