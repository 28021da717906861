"""Requests to a run: they are answered, have an effect at most once, and hostile files have none."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.fakes import progress
from tests.storage.hostile import KINDS, NotPossibleHereError, Outside, put, watchdog
from tests.storage.runs.live.helpers import request_files
from tui_gpt.control import Control
from tui_gpt.errors import StorageError
from tui_gpt.events import SettingValue
from tui_gpt.storage.locks import FileLock
from tui_gpt.storage.runs import Run
from tui_gpt.storage.runs.live import requests
from tui_gpt.storage.runs.live.requests import MAX_REQUESTS, SIZE_LIMIT, Action, Answer, RunRequest, SentRequest
from tui_gpt.storage.runs.live.service import RequestService


@pytest.fixture
def control() -> Control:
    return Control()


@pytest.fixture
def service(run: Run, control: Control) -> Iterator[RequestService]:
    with run.lock() as lock:
        yield RequestService(run, lock, control)


def asked(run: Run, service: RequestService, action: Action, **changes: SettingValue) -> str:
    """Send a request, have it handled, and return the problem in the answer."""
    sent = SentRequest(run.path, RunRequest(action=action, changes=changes))
    assert sent.answer() is None
    service.poll()
    answer = sent.answer()
    assert answer is not None
    assert sent.answer() is None
    assert request_files(run) == []
    return answer.problem


def test_every_request_reaches_the_control_and_is_answered(run: Run, service: RequestService, control: Control) -> None:
    assert asked(run, service, "pause") == ""
    assert control.pause_requested
    assert asked(run, service, "resume") == ""
    assert not control.pause_requested
    assert asked(run, service, "save") == ""
    assert control.take_save_request()
    assert asked(run, service, "change", learning_rate=0.01, max_iters=500) == ""
    assert control.take_changes() == {"learning_rate": 0.01, "max_iters": 500}
    assert asked(run, service, "stop") == ""
    assert control.stop_requested


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"seed": 1}, "seed cannot change during a run"),
        ({"learning_rate": 1e9}, "choose a number from"),
        ({"learning_rate": "fast"}, "it takes a number"),
        ({"no_such_setting": 1}, "cannot change during a run"),
        ({"learning_rate": 0.1, "batch_size": 4}, "batch_size cannot change"),
        ({"max_iters": 0}, "choose a whole number"),
    ],
)
def test_an_impossible_change_is_refused_and_nothing_changes(
    run: Run, service: RequestService, control: Control, changes: Mapping[str, SettingValue], problem: str
) -> None:
    assert problem in asked(run, service, "change", **changes)
    assert control.take_changes() == {}


def test_fewer_steps_than_are_done_are_refused(run: Run, service: RequestService, control: Control) -> None:
    run.record(progress(40))
    assert "40 steps are done" in asked(run, service, "change", max_iters=20)
    assert control.take_changes() == {}


def test_a_run_that_is_ending_refuses_everything_but_to_stop(
    run: Run, service: RequestService, control: Control
) -> None:
    control.stop()
    for action in ("pause", "resume", "save"):
        assert asked(run, service, action) == "the run is ending"
    assert asked(run, service, "change", learning_rate=0.1) == "the run is ending"
    assert asked(run, service, "stop") == ""


def test_requests_that_come_too_late_are_answered_and_no_folder_is_left(run: Run, service: RequestService) -> None:
    late = SentRequest(run.path, RunRequest(action="pause"))
    service.end()
    answer = late.answer()
    assert answer is not None
    assert answer.problem == "the run is ending"
    service.end()
    assert not (run.path / "requests").exists()


def test_what_an_earlier_process_left_is_removed(run: Run, control: Control) -> None:
    SentRequest(run.path, RunRequest(action="stop"))
    (run.path / "requests" / ".0123456789abcdef.json.00000000.tmp").write_text("{")
    (run.path / "requests" / "folder").mkdir()
    with run.lock() as lock:
        RequestService(run, lock, control).poll()
    assert not (run.path / "requests").exists()
    assert not control.stop_requested


def test_a_withdrawn_request_has_no_effect_and_a_claimed_one_cannot_be_withdrawn(
    run: Run, service: RequestService, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert SentRequest(run.path, RunRequest(action="stop")).withdraw()
    service.poll()
    sent = SentRequest(run.path, RunRequest(action="stop"))
    read = requests._read_request

    def withdrawn_meanwhile(path: Path) -> RunRequest | str:
        content = read(path)
        assert sent.withdraw()
        return content

    with monkeypatch.context() as patch:
        patch.setattr(requests, "_read_request", withdrawn_meanwhile)
        service.poll()
    assert not control.stop_requested
    claimed = SentRequest(run.path, RunRequest(action="stop"))
    service.poll()
    assert not claimed.withdraw()
    assert control.stop_requested


def test_two_senders_get_their_own_answers(run: Run, service: RequestService) -> None:
    good = SentRequest(run.path, RunRequest(action="pause"))
    bad = SentRequest(run.path, RunRequest(action="change", changes={"seed": 1}))
    service.poll()
    assert good.answer() == Answer(problem="")
    refusal = bad.answer()
    assert refusal is not None
    assert "seed" in refusal.problem


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"null", b"[]", b"\xff\xfe", b"[" * SIZE_LIMIT, b" " * (SIZE_LIMIT + 1),
        json.dumps({"action": "explode", "changes": {}}).encode(),
        json.dumps({"action": "stop"}).encode(),
        json.dumps({"action": "stop", "changes": {}, "more": 1}).encode(),
        json.dumps({"action": "stop", "changes": {"learning_rate": 1}}).encode(),
        json.dumps({"action": "change", "changes": {}}).encode(),
        json.dumps({"action": "change", "changes": {"learning_rate": [1]}}).encode(),
        b'{"action": "change", "changes": {"learning_rate": NaN}}',
    ],
)  # fmt: skip
def test_a_request_of_another_shape_is_refused(
    run: Run, service: RequestService, control: Control, content: bytes
) -> None:
    folder = run.path / "requests"
    folder.mkdir()
    (folder / "0123456789abcdef.json").write_bytes(content)
    service.poll()
    assert [path.name for path in request_files(run)] == ["0123456789abcdef.answer.json"]
    answer = json.loads((folder / "0123456789abcdef.answer.json").read_text())
    assert "not a request" in answer["problem"]
    assert not control.stop_requested
    assert control.take_changes() == {}


def test_files_with_other_names_are_not_read(run: Run, service: RequestService, control: Control) -> None:
    folder = run.path / "requests"
    folder.mkdir()
    request = json.dumps({"action": "stop", "changes": {}})
    for name in ("stop.json", "0123456789ABCDEF.json", "0123456789abcdef.answer.json", ".0123456789abcdef.json", "a"):
        (folder / name).write_text(request)
    service.poll()
    assert not control.stop_requested
    assert len(request_files(run)) == 5


@pytest.mark.skipif(os.name == "nt", reason="pipes, sockets and devices are files of POSIX systems")
@pytest.mark.parametrize("place", ["requests", "requests/0123456789abcdef.json"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_file_has_no_effect_and_nothing_outside_the_folder_changes(
    run: Run, service: RequestService, control: Control, tmp_path: Path, kind: str, place: str
) -> None:
    outside = Outside(tmp_path / "outside")
    before = outside.state()
    try:
        put(kind, run.path / place, outside)
    except NotPossibleHereError:
        pytest.skip("cannot be made here")
    with watchdog():
        service.poll()
        service.end()
    assert outside.state() == before
    assert not control.stop_requested


@pytest.mark.parametrize("kind", ["link to a folder", "link to nothing", "pipe"])
def test_nothing_is_sent_through_a_link(run: Run, tmp_path: Path, kind: str) -> None:
    outside = Outside(tmp_path / "outside")
    before = outside.state()
    put(kind, run.path / "requests", outside)
    with pytest.raises(StorageError, match="not a folder"):
        SentRequest(run.path, RunRequest(action="stop"))
    assert outside.state() == before


def test_a_flood_of_requests_is_handled_a_part_at_a_time_and_few_answers_are_kept(
    run: Run, service: RequestService
) -> None:
    for _ in range(2 * MAX_REQUESTS + 1):
        SentRequest(run.path, RunRequest(action="pause"))
    for left in (MAX_REQUESTS + 1, 1, 0):
        service.poll()
        names = [path.name for path in request_files(run)]
        assert sum(not name.endswith(".answer.json") for name in names) == left
        assert sum(name.endswith(".answer.json") for name in names) <= MAX_REQUESTS


def test_an_answer_that_is_no_answer_is_a_problem(run: Run) -> None:
    sent = SentRequest(run.path, RunRequest(action="stop"))
    request = request_files(run)[0]
    request.with_name(request.stem + ".answer.json").write_text("[]")
    answer = sent.answer()
    assert answer is not None
    assert "cannot be read" in answer.problem


def test_the_lock_is_touched_every_other_second(run: Run, control: Control) -> None:
    now = [100.0]
    with run.lock() as lock:
        service = RequestService(run, lock, control, clock=lambda: now[0])
        for later, is_touched in ((1.0, False), (2.5, True)):
            os.utime(run.path / "lock", (1e9, 1e9))
            now[0] = 100.0 + later
            service.poll()
            assert (run.silent_seconds() < 1e6) == is_touched


def test_a_disk_that_refuses_the_answer_does_not_keep_a_run_from_stopping(
    run: Run, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run.lock() as lock:
        service = RequestService(run, lock, control)
        SentRequest(run.path, RunRequest(action="stop"))
        monkeypatch.setattr(requests, "atomic_write", _full_disk)
        service.poll()
    assert control.stop_requested


def _full_disk(path: Path, data: bytes) -> None:
    raise StorageError(f"could not write {path}: the disk is full")


def test_a_lock_that_cannot_be_touched_is_no_problem(tmp_path: Path) -> None:
    FileLock(tmp_path / "lock").touch()
    assert not (tmp_path / "lock").exists()
