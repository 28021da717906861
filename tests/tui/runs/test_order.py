"""Sorting and filtering the list of runs."""

import pytest

from tests.tui.runs.helpers import summary
from tui_gpt.tui.runs.columns import COLUMNS
from tui_gpt.tui.runs.order import Order, in_order, matching

RUNS = [
    summary("hamlet", best_val_loss=1.75, step=300, size=3, updated=3.0, note="too slow", preset="best"),
    summary("Faust", best_val_loss=None, step=20, size=9, updated=2.0, corpus="/books/faust.txt", preset="classic"),
    summary("romeo", best_val_loss=1.25, step=1_000, size=1, updated=1.0, state="running", writer="here", note="best"),
]


def names(order: Order) -> list[str]:
    return [run.name for run in in_order(RUNS, order)]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("run", ["Faust", "hamlet", "romeo"]),
        ("state", ["romeo", "hamlet", "Faust"]),
        ("preset", ["hamlet", "Faust", "romeo"]),
        ("text", ["Faust", "hamlet", "romeo"]),
        ("step", ["Faust", "hamlet", "romeo"]),
        ("loss", ["romeo", "hamlet", "Faust"]),
        ("size", ["romeo", "hamlet", "Faust"]),
        ("updated", ["Faust", "hamlet", "romeo"]),
        ("note", ["romeo", "hamlet", "Faust"]),
    ],
)
def test_every_column_sorts(key: str, expected: list[str]) -> None:
    assert names(Order(key, descending=False)) == expected


def test_every_column_is_reached_by_the_key() -> None:
    order, seen = Order(), []
    for _ in COLUMNS:
        order = order.next()
        seen.append(order.key)
    assert sorted(seen) == sorted(column.key for column in COLUMNS)


def test_a_run_without_a_value_is_last_in_both_directions() -> None:
    assert names(Order("loss", descending=False)) == ["romeo", "hamlet", "Faust"]
    assert names(Order("loss", descending=True)) == ["hamlet", "romeo", "Faust"]


def test_runs_in_progress_do_not_change_places_when_either_is_updated() -> None:
    def listed(one: float, other: float) -> list[str]:
        runs = [
            summary("here", updated=one, state="running", writer="here"),
            summary("there", updated=other, state="paused", writer="elsewhere"),
            summary("done", updated=9.0),
        ]
        return [run.name for run in in_order(runs, Order())]

    assert listed(1.0, 2.0) == listed(2.0, 1.0)
    assert listed(1.0, 2.0)[-1] == "done"


def test_a_second_choice_of_a_column_reverses_it() -> None:
    order = Order().by("size")
    assert (order.key, order.descending, order.arrow) == ("size", True, "▼")
    assert order.by("size").arrow == "▲"
    assert order.by("run") == Order("run", descending=False)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", ["hamlet", "Faust", "romeo"]),
        ("  FAUST ", ["Faust"]),
        ("best", ["hamlet", "romeo"]),
        ("best slow", ["hamlet"]),
        ("training here", ["romeo"]),
        ("books", ["Faust"]),
        ("juliet", []),
    ],
)
def test_a_filter_needs_every_word_somewhere_in_a_run(words: str, expected: list[str]) -> None:
    assert [run.name for run in matching(RUNS, words)] == expected
