"""The styles of the marked runs."""

from tui_gpt.tui.runs.marks import MAX_MARKS, Marks
from tui_gpt.tui.train.chart.overlay import MAX_RUNS


def test_a_run_keeps_its_style_while_others_come_and_leave() -> None:
    marks = Marks()
    for name in "abc":
        assert marks.toggle(name)
    marks.toggle("a")
    assert marks.styles == {"b": 1, "c": 2}
    marks.toggle("d")
    assert marks.styles == {"b": 1, "c": 2, "d": 0}
    marks.rename("c", "new")
    marks.keep({"new", "d"})
    assert marks.styles == {"new": 2, "d": 0}
    marks.clear()
    assert marks.styles == {}


def test_no_more_runs_are_marked_than_the_chart_shows() -> None:
    marks = Marks()
    assert [marks.toggle(name) for name in "abcdefg"] == [True] * 6 + [False]
    assert sorted(marks.styles.values()) == list(range(MAX_MARKS))
    assert MAX_MARKS == MAX_RUNS
