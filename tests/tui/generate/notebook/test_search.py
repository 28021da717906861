"""Search in all cards: each place once, in any case, also across a branching point and in notes."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.tui.generate.notebook.helpers import CONFIG, card, written
from tui_gpt.tui.generate.notebook import Card
from tui_gpt.tui.generate.notebook.search import Found, SearchIndex, lowered, places


def test_words_are_found_in_texts_prompts_and_notes_in_any_case() -> None:
    first = card(written(" Sun and moon", prompt="The sun", id="a")).with_note("a", "a SUN\nrise")
    index = SearchIndex([first, card(written("sun", id="b"))])
    assert len(index.search("sun")) == 4
    assert [(index.found(k).answer, index.found(k).start, index.found(k).in_note) for k in range(4)] == [
        ("a", 4, False),
        ("a", 8, False),
        ("a", 2, True),
        ("b", 2, False),
    ]
    assert index.found(index.first_in(first.id)).answer == "a"
    assert index.search("no such words") == []
    assert index.search("") == []


def test_a_shared_beginning_is_found_once_and_words_across_a_branching_point_too() -> None:
    root = written(" the sun shall rise", id="root")
    branch = root.branched(7, "moon", CONFIG, None)
    card_ = Card(id="c", answers=(root, replace(branch, id="branch", text=" sets")))
    index = SearchIndex([card_])
    assert [index.found(k) for k in range(len(index.search("to the")))] == [Found("c", "root", 0, False)]
    assert [index.found(k) for k in range(len(index.search("the moon")))] == [Found("c", "branch", 3, False)]
    assert [index.found(k).answer for k in range(len(index.search("moon")))] == ["branch"]


@given(st.text(), st.text(min_size=1, max_size=3))
def test_places_are_those_of_the_text_itself(text: str, words: str) -> None:
    assert len(lowered(text)) == len(text)
    for place in places(words, text):
        assert lowered(text[place : place + len(words)]) == lowered(words)


def test_a_letter_whose_small_form_is_longer_moves_nothing() -> None:
    assert places("sun", "İİİ sun") == [4]
