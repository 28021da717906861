"""The colours of a text under several runs."""

from array import array

from tui_gpt.generation.authorship import AuthorScore, Authorship
from tui_gpt.tui.generate.who_wrote.author_colours import author_tone, best_tones, compared_tones, rival_of

FOUND = Authorship(
    (
        AuthorScore(source="a", bits_per_char=2.0),
        AuthorScore(source="b", problem="it is damaged"),
        AuthorScore(source="c", bits_per_char=1.0),
        AuthorScore(source="d", bits_per_char=3.0),
    ),
    "xyz",
    "",
    0,
    (array("f", [-1.0, -2.0, -3.0]), None, array("f", [-2.0, -1.75, -1.0]), array("f", [-4.0, -4.0, -4.0])),
)


def test_a_character_has_the_colour_of_the_run_that_predicts_it_best() -> None:
    assert best_tones(FOUND) == ["author-0", "author-2", "author-2"]
    assert FOUND.best == 2
    assert author_tone(17) == "author-5"


def test_two_runs_are_compared_where_they_differ_noticeably() -> None:
    assert (rival_of(FOUND, 0), rival_of(FOUND, 2)) == (2, 0)
    assert compared_tones(FOUND, 0, 2) == ["better", "same", "worse"]
    assert compared_tones(FOUND, 0, 1) == ["same"] * 3


def test_before_the_first_score_there_is_no_colour() -> None:
    unscored = Authorship((AuthorScore(source="a"),), "xy", "", 0, (None,))
    assert (best_tones(unscored), unscored.best, rival_of(unscored, 0)) == (["same"] * 2, None, None)
    assert unscored.scores[0].perplexity is None
