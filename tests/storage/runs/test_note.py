"""The note of a run."""

import json
import os
from pathlib import Path

import pytest

from tui_gpt.errors import UsageError
from tui_gpt.storage.runs import Run, RunStore
from tui_gpt.storage.runs.note import MAX_NOTE_LENGTH, NOTE_FILE


def test_a_note_is_kept_on_one_line(run: Run) -> None:
    assert run.note == ""
    assert run.set_note("  a higher rate,\n\tno dropout ") == "a higher rate, no dropout"
    assert run.note == run.summary().note == "a higher rate, no dropout"


def test_an_empty_note_removes_the_file(run: Run) -> None:
    run.set_note("first")
    run.set_note(" ")
    assert run.note == ""
    assert not (run.path / NOTE_FILE).exists()
    run.set_note("")


def test_a_note_can_be_written_while_the_run_is_training(run: Run) -> None:
    with run.lock():
        run.set_note("still falling")
    assert run.note == "still falling"


def test_a_note_does_not_make_a_run_newer(run: Run) -> None:
    for path in (run.path / "run.json", run.path):
        os.utime(path, (1e9, 1e9))
    run.set_note("old, but good")
    assert run.updated() == 1e9
    run.set_note("")
    assert run.updated() == 1e9


def test_a_note_that_is_too_long_is_refused_with_its_length(run: Run) -> None:
    run.set_note("x" * MAX_NOTE_LENGTH)
    with pytest.raises(UsageError, match="has 201 characters: shorten it to 200"):
        run.set_note("x" * 201)
    assert run.note == "x" * MAX_NOTE_LENGTH


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"[]", b"\xff", b'{"note": 1}', b'{"note": "a", "more": 1}', b"{}"),
        json.dumps({"note": "x" * 201}).encode(),
        b'{"note": "' + b" " * (1 << 14) + b'"}',
    ],
)
def test_a_note_that_is_not_ours_is_no_note(run: Run, content: bytes) -> None:
    (run.path / NOTE_FILE).write_bytes(content)
    assert run.note == ""
    assert run.summary().note == ""


def test_a_note_that_is_a_link_is_neither_read_nor_followed(run: Run, tmp_path: Path) -> None:
    outside = tmp_path / "outside.json"
    outside.write_text('{"note": "a secret"}')
    (run.path / NOTE_FILE).symlink_to(outside)
    assert run.note == ""
    run.set_note("mine")
    assert run.note == "mine"
    assert outside.read_text() == '{"note": "a secret"}'


def test_a_renamed_run_keeps_its_note(store: RunStore, run: Run) -> None:
    run.set_note("the best")
    assert store.rename("plays", "dramas").note == "the best"


def test_an_escape_sequence_in_a_strangers_note_is_made_visible(run: Run) -> None:
    (run.path / NOTE_FILE).write_text(json.dumps({"note": "a\x1b]0;title\x07 \x9b2J\u202e\x7f"}))
    assert run.note == run.summary().note == "a␛]0;title␇ \ufffd2J\ufffd␡"
    run.set_note("mine\x1b[2J")
    assert "\\u001b" not in (run.path / NOTE_FILE).read_text()
