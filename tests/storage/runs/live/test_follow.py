"""The log of a run is read while it grows: whole lines, each once, also after a resume has replaced the log."""

from pathlib import Path

import pytest

from tests.fakes import evaluated, finished, progress, started
from tui_gpt.events import Event, to_json
from tui_gpt.storage.runs import Run
from tui_gpt.storage.runs.live import follow
from tui_gpt.storage.runs.live.follow import LogFollower


def read(follower: LogFollower) -> list[Event]:
    return list(follower.read())


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_each_event_is_yielded_once(run: Run) -> None:
    follower = LogFollower(run.log)
    assert read(follower) == []
    run.record(started())
    run.record(progress(1))
    assert read(follower) == [started(), progress(1)]
    assert read(follower) == []
    run.record(progress(2))
    assert read(follower) == [progress(2)]


@pytest.mark.parametrize("chunk", [1, 7, 1 << 18])
def test_a_line_is_read_when_it_is_whole(run: Run, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(follow, "_CHUNK", chunk)
    follower, line = LogFollower(run.log), to_json(progress(1)).encode() + b"\n"
    for place in range(len(line)):
        append(run.log.path, line[place : place + 1])
        assert read(follower) == ([progress(1)] if place == len(line) - 1 else [])


def test_torn_and_foreign_lines_are_skipped(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that dies within a line leaves it torn, and the next one starts a new line."""
    monkeypatch.setattr(follow, "LINE_LIMIT", 1_000)
    follower = LogFollower(run.log)
    append(run.log.path, b'{"type": "progr')
    assert read(follower) == []
    run.record(progress(1))
    append(run.log.path, b"\xff\n{}\n" + b"x" * 2_000)
    assert read(follower) == [progress(1)]
    append(run.log.path, b"y" * 2_000 + b"\n")
    run.record(progress(2))
    assert read(follower) == [progress(2)]


def test_a_run_that_is_resumed_from_an_earlier_step_goes_on_from_there(run: Run) -> None:
    follower = LogFollower(run.log)
    for event in (started(), progress(10), evaluated(10, 2.0), progress(20), progress(30)):
        run.record(event)
    assert len(read(follower)) == 5
    run.log.truncate(10)
    assert read(follower) == []
    run.record(started(step=10))
    run.record(progress(20, 1.9))
    assert read(follower) == [started(step=10), progress(20, 1.9)]
    run.log.truncate(10)
    run.record(started(step=10))
    run.record(progress(20, 1.8))
    assert read(follower) == [started(step=10), progress(20, 1.8)]


@pytest.mark.parametrize("looks_between", [True, False])
def test_a_run_that_begins_again_from_scratch_yields_its_start_again(run: Run, looks_between: bool) -> None:
    """Its first events equal those of the log that was removed."""
    follower = LogFollower(run.log)
    for event in (started(), evaluated(0, 4.2), progress(10), progress(20)):
        run.record(event)
    assert len(read(follower)) == 4
    run.log.truncate(-1)
    again = []
    for event in (started(), evaluated(0, 4.2), progress(10, 1.9)):
        run.record(event)
        again += read(follower) if looks_between else []
    assert again + read(follower) == [started(), evaluated(0, 4.2), progress(10, 1.9)]
    run.record(progress(20, 1.8))
    assert read(follower) == [progress(20, 1.8)]


def test_a_log_that_was_cut_is_read_to_its_end_when_it_was_not_read_before(run: Run) -> None:
    follower = LogFollower(run.log)
    for event in (started(), progress(10), progress(20), finished(20)):
        run.record(event)
    run.log.truncate(10)
    run.record(started(step=10))
    assert read(follower) == [started(), progress(10), started(step=10)]


def test_another_log_in_its_place_is_read_from_its_beginning(run: Run) -> None:
    follower = LogFollower(run.log)
    run.record(started())
    run.record(progress(10))
    assert len(read(follower)) == 2
    other = run.path / "other"
    other.write_text(to_json(started(99)) + "\n" + to_json(progress(1)) + "\n")
    other.replace(run.log.path)
    assert read(follower) == [started(99), progress(1)]


def test_a_log_that_is_a_link_or_a_folder_has_no_events(run: Run, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text(to_json(started()) + "\n")
    run.log.path.symlink_to(tmp_path / "elsewhere")
    assert read(LogFollower(run.log)) == []
    run.log.path.unlink()
    run.log.path.mkdir()
    assert read(LogFollower(run.log)) == []
