"""Words in a given number of cells."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui_gpt.tui.text.cells import fitted


def test_words_are_aligned_or_cut_off_with_an_ellipsis() -> None:
    assert fitted("loss", 6) == "loss  "
    assert fitted("loss", 6, to_the_right=True) == "  loss"
    assert fitted("best loss", 6) == "best …"
    assert fitted("红楼梦", 8, to_the_right=True) == "  红楼梦"
    assert fitted("红楼梦", 5) == "红楼…"
    assert fitted("红楼梦", 4) == "红 …"


@given(st.text(st.sampled_from("ab 红é\n")), st.integers(1, 20), st.booleans())
def test_words_take_exactly_their_cells(words: str, width: int, to_the_right: bool) -> None:
    assert cell_len(fitted(words, width, to_the_right=to_the_right)) == width
