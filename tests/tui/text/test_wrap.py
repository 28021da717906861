"""Rows of a text: nothing lost, nothing too wide, and the same whether the text came at once or in bursts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui_gpt.tui.text.wrap import Wrapped, glyphs

UGLY = st.text(alphabet=st.sampled_from("ab c  d\n,é漢字🙂\u0301\u200d\ufe0f\u200b\t\x1b[]"), max_size=120)
WIDTHS = st.integers(min_value=2, max_value=30)


def visible(row: str) -> str:
    """Return a row without the line break and the space that may extend beyond its edge."""
    return row.removesuffix("\n").removesuffix(" ")


@given(UGLY, WIDTHS)
def test_joined_rows_are_the_text(text: str, width: int) -> None:
    shown = glyphs(text)
    assert "".join(Wrapped(shown, width).rows()) == shown


@given(UGLY, WIDTHS)
def test_no_row_is_wider_than_the_width(text: str, width: int) -> None:
    assert all(cell_len(visible(row)) <= width for row in Wrapped(glyphs(text), width).rows())


@given(st.lists(UGLY, max_size=6), WIDTHS)
def test_a_text_in_bursts_wraps_as_the_whole_text_does(bursts: list[str], width: int) -> None:
    growing = Wrapped("", width)
    for burst in bursts:
        growing.append(glyphs(burst))
    assert list(growing.rows()) == list(Wrapped("".join(map(glyphs, bursts)), width).rows())


@given(UGLY, UGLY, WIDTHS)
def test_rows_before_the_first_changed_one_stand(text: str, burst: str, width: int) -> None:
    wrapped = Wrapped(glyphs(text), width)
    before = list(wrapped.rows())
    changed = wrapped.append(glyphs(burst))
    assert list(wrapped.rows())[:changed] == before[:changed]


@given(UGLY, WIDTHS, WIDTHS)
def test_another_width_wraps_the_text_anew(text: str, width: int, other: int) -> None:
    wrapped = Wrapped(glyphs(text), width)
    wrapped.set_width(other)
    assert list(wrapped.rows()) == list(Wrapped(glyphs(text), other).rows())


@given(UGLY.filter(bool), WIDTHS, st.data())
def test_every_visible_character_is_found_where_it_is_shown(text: str, width: int, data: st.DataObject) -> None:
    wrapped = Wrapped(glyphs(text), width)
    index = data.draw(st.integers(0, len(wrapped.text) - 1))
    row, column = wrapped.cell_of(index)
    start, end = wrapped.span(row)
    assert start <= index < end
    if cell_len(wrapped.text[index]) > 0 and index < start + len(visible(wrapped.row(row))):
        assert wrapped.index_at(row, column) == index


@given(UGLY)
def test_glyphs_are_one_a_character_and_as_wide_as_their_sum(text: str) -> None:
    shown = glyphs(text)
    assert len(shown) == len(text)
    for line in shown.split("\n"):
        assert cell_len(line) == sum(map(cell_len, line))


@given(UGLY)
def test_glyphs_hold_no_control_character_but_line_breaks(text: str) -> None:
    assert not set(glyphs(text)) & set(map(chr, [*range(10), *range(11, 32), *range(127, 160)]))


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", [""]),
        ("to be", ["to be"]),
        ("to be or", ["to be ", "or"]),
        ("to be\n", ["to be\n", ""]),
        ("to be \nor", ["to be \n", "or"]),
        ("abcdefgh", ["abcde", "fgh"]),
        ("a bcdefgh", ["a ", "bcdef", "gh"]),
        ("漢字漢", ["漢字", "漢"]),
    ],
)
def test_words_stay_whole_where_they_fit(text: str, rows: list[str]) -> None:
    assert list(Wrapped(text, 5).rows()) == rows
