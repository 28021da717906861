"""Escaping leaves no character that a terminal would interpret."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from tui_gpt.escaping import REPLACEMENT, escape_controls


def test_plain_text_newlines_and_tabs_are_kept() -> None:
    assert escape_controls("To be,\n\tor not – é 漢 😀") == "To be,\n\tor not – é 漢 😀"


def test_escape_sequences_become_visible() -> None:
    assert escape_controls("\x1b[2J\x00\r\x7f") == "␛[2J␀␍␡"


def test_c1_controls_and_bidirectional_marks_are_replaced() -> None:
    assert (
        escape_controls("a\x9b31m\u202eb\u2066c\u200f") == f"a{REPLACEMENT}31m{REPLACEMENT}b{REPLACEMENT}c{REPLACEMENT}"
    )


def test_a_lone_surrogate_becomes_encodable() -> None:
    assert escape_controls("a\ud800b").encode() == f"a{REPLACEMENT}b".encode()


@given(st.text(st.characters(codec=None)))
def test_any_text_keeps_its_length_and_loses_its_control_characters(text: str) -> None:
    safe = escape_controls(text)
    assert len(safe) == len(text)
    assert all(unicodedata.category(character) != "Cc" for character in safe if character not in "\n\t")
    assert escape_controls(safe) == safe
