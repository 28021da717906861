"""Sets of characters and stop strings as a user writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_gpt.character_sets import CharacterSet, escaped, parse_stops, spell_stops, unescaped
from tui_gpt.config import SampleConfig
from tui_gpt.errors import ConfigError

PRINTABLE = "".join(map(chr, range(32, 127)))
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def members(text: str) -> str:
    chosen = CharacterSet.parse("allow", text)
    return "".join(character for character in PRINTABLE + "\n\té" if character in chosen)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("a-ex", "abcdex"),
        ("-ab", "-ab"),
        ("ab-", "-ab"),
        (r"a\-c", "-ac"),
        (r"\n\t\x41\u00e9", "A\n\té"),
        ("[:digit:]a", "0123456789a"),
        ("[:upper:]", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        (r"\[:digit:]", ":[]dgit"),
        ("[:digit:]-z", "-0123456789z"),
        ("é", "é"),
    ],
)
def test_a_set_has_characters_ranges_escapes_and_classes(text: str, expected: str) -> None:
    assert members(text) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("z-a", "allow has the range z-a: write it as in a-z"),
        ("a-[:digit:]", "allow has the range a-[:digit:]: write it as in a-z"),
        ("[:vowel:]", "allow has the unknown class [:vowel:]: choose from [:alpha:] [:alnum:] [:digit:]"),
        (r"\d", r"allow has \d, which is no escape: use \n, \t, \r, \\, \xHH or \uHHHH"),
        ("a\\", r"allow has \, which is no escape: use \n, \t, \r, \\, \xHH or \uHHHH"),
        (r"\ud800", r"allow has \ud800, which is no escape"),
    ],
)
def test_what_is_no_set_is_refused_by_name(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SampleConfig(allow=text)
    assert str(caught.value).startswith(sentence)
    assert caught.value.setting == "allow"


@given(TEXT)
def test_escapes_can_be_undone(text: str) -> None:
    assert unescaped("stop", escaped(text)) == text
    assert "\n" not in escaped(text)


@given(st.lists(TEXT.filter(bool)))
def test_stop_strings_fit_on_one_line(stops: list[str]) -> None:
    assert parse_stops(spell_stops(tuple(stops))) == tuple(stops)


def test_a_stop_string_has_at_least_one_character_and_not_too_many() -> None:
    for stop in (("",), ("x" * 1_001,), ("x",) * 101):
        with pytest.raises(ConfigError, match="stop has"):
            SampleConfig(stop=stop)
