"""Texts that end at a condition, whatever their division into pieces."""

import itertools
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tui_gpt.config import SampleConfig, Until
from tui_gpt.generation.steering.stops import StoppedText, end_piece, stopped, within_time
from tui_gpt.generation.steering.until import conditions
from tui_gpt.generation.text_model import NO_PIECE, Piece

STOPS = st.lists(st.text("ab\n", min_size=1, max_size=4), min_size=1, max_size=3)


@st.composite
def divided(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> list[str]:
    """Draw a text in pieces, some of them empty."""
    text = draw(texts)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))
    return [text[begin:end] for begin, end in pairwise([0, *cuts, len(text)])]


def cut_at_stops(text: str, stops: Sequence[str]) -> str:
    """Return the text before the stop string that is complete first, of two the longer one."""
    for end in range(1, len(text) + 1):
        lengths = [len(stop) for stop in stops if text[:end].endswith(stop)]
        if lengths:
            return text[: end - max(lengths)]
    return text


def shown(pieces: Sequence[str], config: SampleConfig) -> Iterator[str]:
    """Yield the text that is shown after each piece, and at the end."""
    text, so_far = StoppedText(conditions(config)), ""
    for piece in pieces:
        so_far += "".join(each.text for each in text.take(Piece(piece, -1.0)))
        yield so_far
    yield so_far + "".join(each.text for each in text.finish())


@given(divided(st.text("ab\n", max_size=30)), STOPS)
@example(["aab"], ["ab", "aab"])
def test_the_text_is_cut_at_the_first_stop_string(pieces: list[str], stops: list[str]) -> None:
    *partial, whole = shown(pieces, SampleConfig(stop=tuple(stops)))
    assert whole == cut_at_stops("".join(pieces), stops)
    assert all(whole.startswith(part) for part in partial)


@given(divided(st.text("ab\n", max_size=30)), STOPS)
def test_only_the_beginning_of_a_stop_string_is_held_back(pieces: list[str], stops: list[str]) -> None:
    config = SampleConfig(stop=tuple(stops))
    read = ""
    for piece, so_far in zip(pieces, shown(pieces, config), strict=False):
        read += piece
        if cut_at_stops(read, stops) != read:
            break
        held = read[len(so_far) :]
        begins = any(stop.startswith(held[k:]) for stop in stops for k in range(len(held)))
        assert not held or begins


@settings(max_examples=40)
@pytest.mark.parametrize("until", ["line", "sentence", "blank-line", "speaker"])
@given(data=st.data())
def test_the_division_into_pieces_does_not_matter(until: Until, data: st.DataObject) -> None:
    pieces = data.draw(divided(st.text("aB.?\n\r :”。", max_size=40)))
    config = SampleConfig(until=until)
    *partial, whole = shown(pieces, config)
    assert whole == list(shown(list("".join(pieces)), config))[-1]
    assert all(whole.startswith(part) for part in partial)
    assert "".join(pieces).startswith(whole)


@given(divided(st.text("a\n ", max_size=40)))
def test_a_blank_line_ends_a_text_where_a_regular_expression_finds_it(pieces: list[str]) -> None:
    text = "".join(pieces)
    found = re.match(r"\s*\S(.|\n)*?(?=\n *\n)", text)
    assert list(shown(pieces, SampleConfig(until="blank-line")))[-1] == (found[0] if found else text)


@pytest.mark.parametrize(
    ("until", "text", "expected"),
    [
        ("line", "\nTo be,\nor not", "\nTo be,"),
        ("line", "To be,\r\nor not", "To be,"),
        ("blank-line", "\n\nTo be,\nor \n \nnot", "\n\nTo be,\nor "),
        ("blank-line", "a\n b\n c", "a\n b\n c"),
        ("sentence", "Is it 3.14? Yes. No", "Is it 3.14?"),
        ("sentence", 'He said "Go." Then', 'He said "Go."'),
        ("sentence", "Ask Mr. Smith and J. S. Bach. Then", "Ask Mr. Smith and J. S. Bach."),
        ("sentence", "你好。再见。", "你好。"),
        ("sentence", "「你好。」再见", "「你好。」"),
        ("sentence", "a title\n\nA text.", "a title"),
        ("sentence", "Wait... what", "Wait..."),
        ("speaker", "\nTo be.\n\nROMEO:\nNo.", "\nTo be."),
        ("speaker", "\nTo be.\n\nGhost of LADY ANNE:\nNo.", "\nTo be."),
        ("speaker", "ROMEO:\nTo be.\n\n\nFirst Citizen:", "ROMEO:\nTo be."),
        ("speaker", "To be,\nI know him well:\nNo.\n\nAnd then he said to all of them: no", None),
        ("speaker", "To be,\n\nand so: no", None),
        ("speaker", "hello\nBob: hi", "hello"),
        ("speaker", "你好\n王五：你好", "你好"),
        ("speaker", "a list\n\nof 3 things: b", None),
    ],
)
def test_what_ends_a_text(until: Until, text: str, expected: str | None) -> None:
    assert list(shown([text], SampleConfig(until=until)))[-1] == (text if expected is None else expected)


def test_a_line_is_not_held_back_longer_than_a_name_could_be() -> None:
    *partial, whole = shown(list("Hi\nI go home now, and"), SampleConfig(until="speaker"))
    assert partial[4:6] == ["Hi", "Hi\nI g"]
    assert whole == partial[-1]


def test_a_piece_that_holds_the_stop_string_is_cut_within() -> None:
    text = StoppedText(conditions(SampleConfig(stop=("\n\n",))))
    assert text.take(Piece("a\n", -1.0)) == []
    assert text.take(Piece("\nb", -2.0)) == [Piece("a", -1.0), end_piece("stop")]
    assert text.take(Piece("c", -3.0)) == []
    assert text.has_ended


def test_each_of_several_texts_ends_by_itself() -> None:
    items = ((Piece(first, -1.0), Piece(second, -2.0)) for first, second in zip("abcdef", "xbyzyx", strict=True))
    shown_items = list(stopped(items, conditions(SampleConfig(stop=("cd", "yx"))), 2))
    assert "".join(first.text for first, _ in shown_items) == "ab"
    assert "".join(second.text for _, second in shown_items) == "xbyz"
    assert [tuple(piece.end for piece in item) for item in shown_items if any(piece.end for piece in item)] == [
        ("stop", None),
        (None, "stop"),
    ]
    assert all(piece == NO_PIECE for piece, _ in shown_items[3:])


def test_generation_ends_when_all_texts_have_ended() -> None:
    def endless() -> Iterator[tuple[Piece, ...]]:
        while True:
            yield Piece("a", -1.0), Piece("a", -1.0)

    assert len(list(stopped(endless(), conditions(SampleConfig(stop=("aaaa",))), 2))) == 1


def test_the_time_limit_ends_all_texts_and_shows_what_was_held_back() -> None:
    clock = iter([10.0, 11.0, 12.0, 13.0])
    items = iter([(Piece("a", -1.0),)] * 9)
    limited = within_time(items, 2.0, 1, lambda: next(clock))
    assert list(stopped(limited, conditions(SampleConfig(stop=("aaaa",))), 1)) == [
        *[(Piece("a", -1.0),)] * 2,
        (end_piece("time"),),
    ]


def test_the_time_limit_is_no_second_reason_of_a_text_that_has_ended() -> None:
    written, matched = Piece("a", -1.0), end_piece("match")
    items = [(written, written), (matched, written), (NO_PIECE, written)]
    assert list(within_time(iter(items), 2.0, 2, itertools.count().__next__)) == [
        *items[:2],
        (NO_PIECE, end_piece("time")),
    ]
    all_ended = [(matched, written), (NO_PIECE, matched)]
    assert list(within_time(iter(all_ended), 2.0, 2, itertools.count().__next__)) == all_ended
