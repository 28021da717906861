"""The columns of the list of runs."""

import pytest

from tests.tui.runs.helpers import summary
from tui_gpt.keys import DEFAULT_KEYMAP, Keymap
from tui_gpt.storage.runs import RunSummary
from tui_gpt.tui.runs.columns import COLUMNS, PADDING, column_of, fitting, state_sentence, state_words


@pytest.mark.parametrize("width", range(10, 220))
def test_the_columns_fit_into_every_width(width: int) -> None:
    chosen = fitting(width)
    assert chosen[0][0].key == "run"
    assert all(given >= column.width for column, given in chosen)
    assert len(chosen) == 1 or sum(given + PADDING for _, given in chosen) <= width


def test_wider_lists_show_more_columns_in_the_same_order() -> None:
    keys = {width: [column.key for column, _ in fitting(width)] for width in (30, 40, 74, 160)}
    assert keys[30] == ["run"]
    assert keys[40] == ["run", "state"]
    assert keys[74] == ["run", "state", "step", "loss", "updated"]
    assert keys[160] == [column.key for column in COLUMNS]


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (summary("a", state="running", writer="here"), "training here"),
        (summary("a", state="paused", writer="here"), "paused here"),
        (summary("a", state="running", writer="elsewhere"), "elsewhere"),
        (summary("a", state="paused", writer="elsewhere"), "elsewhere ‖"),
        (summary("a", state="running", writer="elsewhere", writer_is_silent=True), "elsewhere ?"),
        (summary("a", state="interrupted"), "crashed"),
        (summary("a", state="stopped"), "stopped"),
        (summary("a", state="finished"), "finished"),
        (summary("a", state="damaged"), "damaged"),
    ],
)
def test_a_state_names_the_process_that_trains_the_run(run: RunSummary, words: str) -> None:
    assert state_words(run) == words
    assert len(words) <= column_of("state").width
    assert bool(state_sentence(run, DEFAULT_KEYMAP)) == words.startswith(("elsewhere", "crashed", "damaged"))


def test_the_cells_of_a_run() -> None:
    run = summary("plays", best_is_estimate=True, note="a \x1b[2J note", corpus="/books/faust.txt")
    words = {column.key: column.words(run, 1e9 + 7_200) for column in COLUMNS}
    assert words == {
        "run": "plays", "state": "finished", "preset": "nano", "text": "faust.txt", "step": "100/200",
        "loss": "~1.5000", "bits": "~2.164", "size": "2.50 MB", "updated": "2 h ago", "note": "a ␛[2J note",
    }  # fmt: skip


def test_what_is_unknown_is_shown_as_such() -> None:
    run = summary("plays", best_val_loss=None, max_iters=0, step=0)
    assert [column_of(key).words(run, 0.0) for key in ("loss", "step")] == ["–", "0"]


def test_a_crashed_run_names_the_key_in_use() -> None:
    keymap = Keymap({"runs.resume": "y"})
    assert state_sentence(summary("a", state="interrupted"), keymap) == "its process has died; y resumes it"
