"""Two sides without widgets: their differences, where the texts part, and the marked character."""

from rich.style import Style

from tui_gpt.config import SampleConfig
from tui_gpt.tui.generate.compare.columns import TwoTexts
from tui_gpt.tui.generate.compare.sides import Side, differences, first_difference


def test_only_what_is_not_the_same_is_listed_and_never_the_seed() -> None:
    left = Side(None, SampleConfig(temperature=0.8, seed=1))
    assert differences(left, Side(None, SampleConfig(temperature=0.8, seed=2))) == []
    right = Side("shipped", SampleConfig(temperature=1.2, top_k=5))
    assert differences(left, right) == [
        ("model", "newest model", "shipped model"),
        ("temp", "0.8", "1.2"),
        ("top-k", "all", "5"),
    ]
    assert differences(left, Side(None, SampleConfig(until="line", allow="a-z"))) == [
        ("limits", "none", "until line · only a-z")
    ]


def test_texts_differ_at_the_first_other_character_or_where_one_has_ended() -> None:
    assert first_difference(["abc", "abd"], are_complete=False) == 2
    assert first_difference(["ab", "abd"], are_complete=False) is None
    assert first_difference(["ab", "abd"], are_complete=True) == 2
    assert first_difference(["ab", "ab"], are_complete=True) is None


def test_the_first_difference_is_marked_on_both_sides() -> None:
    texts = TwoTexts("你: ")
    texts.grow(["abc", "ab"])
    assert texts.mark is None
    texts.grow(["d", "x你"])
    texts.set_mark(2)
    assert texts.height(43) == 1
    drawn = [
        (segment.text, segment.style.meta["tone"])
        for segment in texts.draw(0, 43, lambda tone: Style(meta={"tone": tone}))
        if segment.style is not None and segment.text.strip()
    ]
    assert drawn == [
        *(("你: ", "prompt"), ("ab", "same"), ("c", "different"), ("d", "written"), (" │ ", "edge")),
        *(("你: ", "prompt"), ("ab", "same"), ("x", "different"), ("你", "written")),
    ]
