"""The event log: torn and foreign lines, truncation, and disk errors."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import finished, progress, started
from tui_gpt.errors import StorageError
from tui_gpt.events import Event, Sampled, Saved, to_json
from tui_gpt.storage.runs import Run, log


def test_what_is_recorded_is_replayed(run: Run) -> None:
    events: list[Event] = [started(), progress(1), Sampled(step=1, prompt="\n", text="Grüße\u2028\n{}"), finished(2)]
    for event in events:
        run.record(event)
    assert list(run.events()) == events
    assert list(Run(run.path).events()) == events


def test_a_run_without_a_log_has_no_events(run: Run) -> None:
    assert list(run.events()) == []


def test_a_torn_last_line_is_skipped_and_the_next_event_starts_a_line_of_its_own(run: Run) -> None:
    run.record(progress(1))
    with run.log.path.open("ab") as log:
        log.write(b'{"type": "progress", "st')
    assert list(run.events()) == [progress(1)]
    Run(run.path).record(progress(2))
    assert list(run.events()) == [progress(1), progress(2)]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"[" * 50_000,
        b"x" * 3_000_000,
        b"\0" * 100,
        b'{"type": "new_in_2030", "step": 1}',
        b'{"type": "paused", "step": 1e9}',
        b'{"type": "sampled", "step": 1, "prompt": "", "text": "\\ud800"}',
        to_json(progress(1)).replace("0.5", "9" * 400).encode(),
    ],
)
def test_a_foreign_line_is_skipped(run: Run, line: bytes) -> None:
    run.record(progress(1))
    with run.log.path.open("ab") as log:
        log.write(line + b"\n")
    run.record(progress(2))
    assert list(run.events()) == [progress(1), progress(2)]


def test_the_log_is_read_as_it_is_consumed(run: Run) -> None:
    run.record(progress(1))
    events = run.events()
    assert next(events) == progress(1)
    run.record(progress(2))
    assert next(events) == progress(2)


def test_truncating_removes_later_events_and_the_end(run: Run) -> None:
    for event in (started(), progress(10), Saved(step=10, path="x"), finished(10), progress(20)):
        run.record(event)
    lines = run.log.path.read_bytes().splitlines()
    run.log.truncate(10)
    assert list(run.events()) == [started(), progress(10), Saved(step=10, path="x")]
    assert run.log.path.read_bytes().splitlines() == lines[:3]
    run.record(progress(11))
    assert list(run.events())[-1] == progress(11)


def test_a_full_disk_is_an_error_and_the_log_stays_readable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.record(progress(1))
    write = os.write

    def half(descriptor: int, data: Any) -> int:
        write(descriptor, bytes(data)[:10])
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        with pytest.raises(StorageError, match="could not write the log of the run 'plays': the disk is full"):
            run.record(progress(2))
    run.record(progress(3))
    assert list(run.events()) == [progress(1), progress(3)]


def test_an_event_is_never_written_through_a_link(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("precious\n")
    run.log.path.symlink_to(tmp_path / "notes.txt")
    steps: list[Callable[[], object]] = [lambda: run.record(progress(1)), run.log.sync, lambda: run.log.truncate(5)]
    for step in steps:
        with pytest.raises(StorageError, match=r"events\.jsonl: it is a link, not a plain file: move it away"):
            step()
    assert (tmp_path / "notes.txt").read_text() == "precious\n"
    assert list(run.events()) == []
    assert run.summary().state == "new"


def test_the_name_of_a_new_log_is_on_the_disk_before_a_checkpoint(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(log, "sync_folder", synced.append)
    for step in (1, 2):
        run.record(progress(step))
        assert synced == [run.path]


def test_a_log_that_cannot_be_read_is_not_replaced_by_an_empty_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.record(progress(1))
    monkeypatch.setattr(log, "LOG_LIMIT", 10)
    with pytest.raises(StorageError, match=r"could not read the log of the run 'plays': .*more than the 10 expected"):
        run.log.truncate(5)
    monkeypatch.undo()
    assert list(Run(run.path).events()) == [progress(1)]
