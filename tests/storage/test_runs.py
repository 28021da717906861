import dataclasses
import errno
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.storage.helpers import killed_at
from tui_gpt.config import resolve
from tui_gpt.errors import CheckpointError, NotFoundError, RunLockedError, StorageError, UsageError
from tui_gpt.events import (
    Evaluated,
    Event,
    Finished,
    Progress,
    Sampled,
    Saved,
    SettingChanged,
    SettingValue,
    Started,
    StorageProblem,
    to_json,
)
from tui_gpt.storage import locks, runs
from tui_gpt.storage.locks import FileLock
from tui_gpt.storage.manifest import MANIFEST_FILE, MODEL_FILE, CheckpointInfo, FileRecord, Manifest
from tui_gpt.storage.recorder import Recorder
from tui_gpt.storage.runs import Run, RunStore, RunSummary, find_checkpoint, read_info

NANO = resolve("nano")


@pytest.fixture
def store() -> RunStore:
    return RunStore()


@pytest.fixture
def run(store: RunStore) -> Run:
    return store.create(NANO, "plays")


def progress(step: int) -> Progress:
    return Progress(step=step, loss=2.5, learning_rate=1e-3, grad_norm=1.0, tokens_per_second=1e4, elapsed_seconds=0.5)


def estimated(step: int, loss: float) -> Evaluated:
    return dataclasses.replace(evaluated(step, loss), val_tokens=80, is_estimate=True)


def evaluated(step: int, loss: float) -> Evaluated:
    return Evaluated(
        step=step,
        train_loss=loss,
        val_loss=loss,
        bits_per_char=loss / 0.6931,
        is_best=True,
        val_tokens=1000,
        is_estimate=False,
    )


def started(max_iters: int = 100) -> Started:
    sizes = {"parameters": 1, "train_tokens": 9, "val_tokens": 1}
    return Started(step=0, max_iters=max_iters, device="cpu", preset="nano", seed=1, **sizes)


def finished(step: int) -> Finished:
    return Finished(step=step, reason="completed", best_val_loss=1.5, elapsed_seconds=1.0)


def fake_checkpoint(
    folder: Path, step: int = 5, *, model: bytes = b"weights", extra: Mapping[str, SettingValue] | None = None
) -> Path:
    """A checkpoint whose tensors nobody looks at."""
    info = CheckpointInfo(
        config=NANO,
        tokenizer={"type": "character", "characters": "ab"},
        vocab_size=2,
        step=step,
        max_iters=200,
        val_loss=1.5,
        best_val_loss=1.25,
        corpus_digest="x",
        extra=extra or {},
    )
    folder.mkdir(parents=True)
    (folder / MODEL_FILE).write_bytes(model)
    record = FileRecord(len(model), hashlib.sha256(model).hexdigest())
    (folder / MANIFEST_FILE).write_bytes(Manifest(info, {MODEL_FILE: record}).to_json())
    return folder


# Names and folders


def test_a_new_run_remembers_what_was_asked(store: RunStore) -> None:
    run = store.create(NANO, "plays")
    assert run.name == "plays"
    assert store.get("plays").config == NANO
    assert run.state == "new"
    assert [path.name for path in run.path.iterdir()] == ["run.json"]


def test_names_are_made_from_corpus_and_preset_and_counted(store: RunStore) -> None:
    names = [store.create(NANO).name for _ in range(3)]
    assert names == ["tinyshakespeare-nano", "tinyshakespeare-nano-2", "tinyshakespeare-nano-3"]
    assert store.create(resolve("quick", corpus="/books/War & Peace.txt")).name == "war-peace-quick"


def test_a_taken_name_is_refused_with_the_way_to_go_on(store: RunStore, run: Run) -> None:
    with pytest.raises(UsageError, match="go on with --resume plays, or choose another name"):
        store.create(NANO, run.name)


@pytest.mark.parametrize("name", ["../x", "/abs", ".x", "", "a/b", "live"])
def test_a_name_that_leads_elsewhere_is_refused(store: RunStore, name: str) -> None:
    with pytest.raises(UsageError):
        store.create(NANO, name)
    with pytest.raises(NotFoundError):
        store.get(name)


def test_a_missing_run_brings_near_names(store: RunStore, run: Run) -> None:
    with pytest.raises(NotFoundError, match=r"no run 'play' \(did you mean plays\?\): look at"):
        store.get("play")
    with pytest.raises(NotFoundError, match="train one with"):
        RunStore(run.path / "nothing").get("plays")


def test_a_folder_outside_the_store_is_opened_or_made(store: RunStore, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no run in"):
        store.open_at(tmp_path / "model")
    made = store.create_at(tmp_path / "model", NANO)
    assert store.open_at(tmp_path / "model").config == made.config == NANO


def test_two_starts_on_one_folder_do_not_train_into_one_run(store: RunStore, tmp_path: Path) -> None:
    store.create_at(tmp_path / "model", NANO)
    with pytest.raises(UsageError, match="holds a run already: add --resume to go on with it"):
        store.create_at(tmp_path / "model", resolve("quick"))
    assert store.open_at(tmp_path / "model").config == NANO


def test_a_link_that_the_user_names_is_followed(store: RunStore, tmp_path: Path) -> None:
    """Whoever moves runs to another disk may leave a link."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    run = store.create_at(tmp_path / "link", NANO)
    fake_checkpoint(run.path / "last")
    assert store.open_at(tmp_path / "link").path == tmp_path / "disk"
    store.root.mkdir(parents=True)
    (store.root / "moved").symlink_to(tmp_path / "disk")
    assert store.get("moved").require_checkpoint("last") == store.root / "moved" / "last"
    assert [summary.name for summary in store.list()] == ["moved"]
    with run.lock(), pytest.raises(RunLockedError):
        store.delete("moved")
    (run.path / "lock").unlink()
    store.delete("moved")
    assert list(store.root.iterdir()) == []
    assert sorted(path.name for path in run.path.iterdir()) == ["last", "run.json"]
    assert run.require_checkpoint("last") == tmp_path / "disk" / "last"


def test_a_folder_that_holds_something_else_is_not_taken_over(store: RunStore, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"x")
    with pytest.raises(UsageError, match="holds something else than a run"):
        store.create_at(tmp_path / "photos", NANO)
    (tmp_path / "empty").mkdir()
    assert store.create_at(tmp_path / "empty", NANO).state == "new"


def test_a_store_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="a file stands where a folder is needed"):
        RunStore(tmp_path / "file" / "runs").create(NANO)


# State and log


def test_the_configuration_and_the_state_are_replaced_apart(run: Run) -> None:
    run.set_state("stopped")
    run.update_config(resolve("quick"))
    assert (run.state, run.config) == ("stopped", resolve("quick"))


def test_a_running_run_whose_process_is_gone_was_interrupted(run: Run) -> None:
    for state in ("running", "paused"):
        run.set_state(state)
        assert run.state == "interrupted"
        with run.lock():
            assert run.state == state


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
    with run.log_path.open("ab") as log:
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
        to_json(progress(1)).replace("2.5", "9" * 400).encode(),
    ],
)
def test_a_foreign_line_is_passed_over(run: Run, line: bytes) -> None:
    run.record(progress(1))
    with run.log_path.open("ab") as log:
        log.write(line + b"\n")
    run.record(progress(2))
    assert list(run.events()) == [progress(1), progress(2)]


def test_the_log_is_read_as_it_is_consumed(run: Run) -> None:
    run.record(progress(1))
    events = run.events()
    assert next(events) == progress(1)
    run.record(progress(2))
    assert next(events) == progress(2)


def test_truncating_forgets_what_came_after_and_the_end(run: Run) -> None:
    for event in (started(), progress(10), Saved(step=10, path="x"), finished(10), progress(20)):
        run.record(event)
    lines = run.log_path.read_bytes().splitlines()
    run.truncate_log(10)
    assert list(run.events()) == [started(), progress(10), Saved(step=10, path="x")]
    assert run.log_path.read_bytes().splitlines() == lines[:3]
    run.record(progress(11))
    assert list(run.events())[-1] == progress(11)


def test_a_full_disk_is_said_and_the_log_stays_readable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
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


# Locks


def test_a_second_writer_is_refused_with_the_first_ones_process_and_a_way_out(run: Run) -> None:
    with (
        run.lock(),
        pytest.raises(RunLockedError, match=rf"process {os.getpid()} is writing .*: stop it there") as caught,
    ):
        Run(run.path).lock().__enter__()
    assert "\n" not in str(caught.value)
    with Run(run.path).lock():
        assert run.writer() == f"process {os.getpid()}"
    assert run.writer() is None


def test_a_killed_writers_lock_is_recognised(store: RunStore, run: Run) -> None:
    program = "import time; from tui_gpt.storage.runs import RunStore\nrun = RunStore().get('plays')\n"
    program += "with run.lock():\n    run.set_state('running'); print('ready', flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        assert store.list()[0].state == "running"
        with pytest.raises(RunLockedError, match=f"process {writer.pid}"), run.lock():
            pass
        with pytest.raises(RunLockedError):
            store.delete("plays")
        writer.kill()
    assert store.list()[0].state == "interrupted"
    with run.lock():
        pass


def test_locking_tidies_up_after_a_process_that_died_while_writing(run: Run) -> None:
    (run.path / ".run.json.0a1b2c3d.tmp").write_text("{")
    with run.lock():
        assert sorted(path.name for path in run.path.iterdir()) == ["lock", "run.json"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_process_killed_at_any_point_of_its_bookkeeping_leaves_a_healthy_run(tmp_path: Path) -> None:
    def work(store: RunStore) -> None:
        run = store.create(NANO)
        with run.lock():
            run.set_state("running")
            run.record(progress(1))
            run.record(Saved(step=1, path="x"))
            run.truncate_log(1)
            run.set_state("finished")
        store.delete(run.name)

    point = 0
    while killed_at(point, partial(work, RunStore(tmp_path / str(point)))):
        for summary in RunStore(tmp_path / str(point)).list():
            assert summary.state in ("new", "interrupted", "finished")
            assert list(Run(summary.path).events()) in ([], [progress(1)], [progress(1), Saved(step=1, path="x")])
        point += 1
    assert point > 20


def test_a_file_system_without_locks_is_warned_of_and_trained_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> bool:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(locks, "_try_lock", refuse)
    with run.lock():
        recorder = Recorder(run)
        shown = [event for one in (started(), progress(1)) for event in recorder.take(one)]
        recorder.require_all()
    warnings = [event for event in shown if isinstance(event, StorageProblem)]
    assert len(warnings) == 1
    assert "has no locks" in warnings[0].problem
    assert shown == [started(), warnings[0], progress(1)]
    assert list(run.events()) == shown


@pytest.mark.parametrize("renames_open_folders", [True, False])
def test_a_run_is_removed_while_nobody_else_can_write_it(
    store: RunStore, run: Run, monkeypatch: pytest.MonkeyPatch, renames_open_folders: bool
) -> None:
    """Windows renames no folder in which a file is open, so there the lock is given back just before."""
    monkeypatch.setattr(runs, "_RENAMES_OPEN_FOLDERS", renames_open_folders)
    calls: list[str] = []
    acquire, release, rename = FileLock.acquire, FileLock.release, Path.rename

    def noted(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def note(*arguments: object) -> object:
            calls.append(name)
            return call(*arguments)

        return note

    monkeypatch.setattr(FileLock, "acquire", noted("acquire", acquire))
    monkeypatch.setattr(FileLock, "release", noted("release", release))
    monkeypatch.setattr(Path, "rename", noted("rename", rename))
    store.delete(run.name)
    assert calls == (
        ["acquire", "rename", "release"] if renames_open_folders else ["acquire", "release", "rename", "release"]
    )
    assert list(store.root.iterdir()) == []


# Files of strangers


def test_an_event_is_never_written_through_a_link(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("precious\n")
    run.log_path.symlink_to(tmp_path / "notes.txt")
    steps: list[Callable[[], object]] = [lambda: run.record(progress(1)), run.sync_log, lambda: run.truncate_log(5)]
    for step in steps:
        with pytest.raises(StorageError, match=r"events\.jsonl: it is a link, not a plain file: move it away"):
            step()
    assert (tmp_path / "notes.txt").read_text() == "precious\n"
    assert list(run.events()) == []
    assert run.summary().state == "new"


def test_the_name_of_a_new_log_is_on_the_disk_before_a_checkpoint(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(runs, "sync_folder", synced.append)
    for step in (1, 2):
        run.record(progress(step))
        assert synced == [run.path]


def test_a_log_that_cannot_be_read_is_not_replaced_by_an_empty_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.record(progress(1))
    monkeypatch.setattr(runs, "_LOG_LIMIT", 10)
    with pytest.raises(StorageError, match=r"could not read the log of the run 'plays': .*more than the 10 expected"):
        run.truncate_log(5)
    monkeypatch.undo()
    assert list(Run(run.path).events()) == [progress(1)]


def test_a_checkpoint_folder_that_is_a_link_is_damaged_and_not_taken_for_none(run: Run, tmp_path: Path) -> None:
    """A run whose `last` is taken for none would begin again from nothing."""
    elsewhere = fake_checkpoint(tmp_path / "elsewhere")
    for target in (elsewhere, tmp_path / "nothing"):
        (run.path / "last").unlink(missing_ok=True)
        (run.path / "last").symlink_to(target)
        assert run.checkpoint_dir("last") is None
        assert run.ever_saved("last")
        with pytest.raises(CheckpointError, match="is damaged: it is a link, not a folder"):
            run.require_checkpoint("last")


# Checkpoints


def test_the_newest_whole_checkpoint_is_found_after_a_crash_in_a_commit(run: Run) -> None:
    assert run.checkpoint_dir("last") is None
    fake_checkpoint(run.path / ".last.old", 1)
    assert run.checkpoint_dir("last") == run.path / ".last.old"
    fake_checkpoint(run.path / ".last.new", 2)
    assert run.checkpoint_dir("last") == run.path / ".last.new"


def test_a_missing_checkpoint_and_a_damaged_one_are_told_apart(run: Run) -> None:
    """Taking a damaged checkpoint for none would begin the run anew, over what could be mended."""
    assert not run.ever_saved("last")
    with pytest.raises(NotFoundError, match="has no last checkpoint yet"):
        run.require_checkpoint("last")
    folder = fake_checkpoint(run.path / "last")
    assert run.require_checkpoint("last") == folder
    (folder / MODEL_FILE).write_bytes(b"we")
    assert run.ever_saved("last")
    with pytest.raises(CheckpointError, match="is damaged: a file is missing or cut short"):
        run.require_checkpoint("last")
    (folder / MANIFEST_FILE).write_bytes(b"{")
    with pytest.raises(CheckpointError, match=r"is damaged: checkpoint\.json"):
        run.require_checkpoint("last")


def test_a_folder_is_searched_for_the_checkpoint_it_is_or_holds(run: Run, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="has no best checkpoint"):
        find_checkpoint(run.path)
    last = fake_checkpoint(run.path / "last")
    assert find_checkpoint(run.path) == find_checkpoint(last) == last
    best = fake_checkpoint(run.path / "best")
    assert find_checkpoint(run.path) == best
    assert find_checkpoint(run.path, "last") == last
    with pytest.raises(NotFoundError, match="there is no folder"):
        find_checkpoint(tmp_path / "nothing")


def test_an_exported_checkpoint_stands_alone(store: RunStore, run: Run, tmp_path: Path) -> None:
    folder = fake_checkpoint(run.path / "best")
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    manifest["files"]["training.safetensors"] = {"size": 3, "sha256": "0" * 64}
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest))
    (folder / "training.safetensors").write_bytes(b"xyz")
    place = store.export("plays", "best", tmp_path / "out")
    assert find_checkpoint(place) == place
    assert sorted(path.name for path in place.iterdir()) == [MANIFEST_FILE, MODEL_FILE]
    with pytest.raises(UsageError, match="exists already: name a new folder"):
        store.export("plays", "best", tmp_path / "out")
    with pytest.raises(NotFoundError):
        store.export("plays", "last", tmp_path / "other")


def test_a_damaged_checkpoint_is_not_exported(store: RunStore, run: Run, tmp_path: Path) -> None:
    folder = fake_checkpoint(run.path / "best")
    (folder / MODEL_FILE).write_bytes(b"WEIGHTS")
    with pytest.raises(CheckpointError, match="SHA-256 differs"):
        store.export("plays", "best", tmp_path / "out")
    assert not (tmp_path / "out").exists()


# Lists


def test_a_summary_tells_the_runs_figures(run: Run) -> None:
    run.record(started(100))
    for step in range(1, 3_000):
        run.record(progress(step))
    run.record(evaluated(3_000, 1.75))
    run.record(SettingChanged(step=3_000, setting="max_iters", value=5_000))
    run.set_state("stopped")
    summary = run.summary()
    assert summary == RunSummary(
        name="plays",
        state="stopped",
        preset="nano",
        corpus="tinyshakespeare",
        step=3_000,
        max_iters=5_000,
        best_val_loss=1.75,
        updated=summary.updated,
        path=run.path,
        has_checkpoint=False,
        best_is_estimate=False,
        best_val_tokens=1000,
    )
    fake_checkpoint(run.path / "best")
    assert (run.summary().best_val_loss, run.summary().has_checkpoint) == (1.75, True)


def best_of(run: Run) -> tuple[float | None, bool, int]:
    summary = run.summary()
    return summary.best_val_loss, summary.best_is_estimate, summary.best_val_tokens


def test_a_summary_says_whether_the_best_loss_is_an_estimate(run: Run) -> None:
    """The log knows it as soon as the model is measured; the end of a run repeats it without the number."""
    run.record(started())
    run.record(estimated(10, 1.75))
    assert best_of(run) == (1.75, True, 80)
    run.record(dataclasses.replace(finished(10), best_val_loss=1.75, best_is_estimate=True))
    assert best_of(run) == (1.75, True, 80)
    run.record(evaluated(10, 1.8))
    assert best_of(run) == (1.8, False, 1000)
    run.record(dataclasses.replace(finished(20), best_val_loss=1.7, best_is_estimate=True))
    assert best_of(run) == (1.7, True, 0)


def test_a_summary_without_a_log_says_what_the_checkpoint_knows(run: Run) -> None:
    standing: dict[str, SettingValue] = {"best_tokens": 80, "val_tokens": 1000, "record_tokens": 1000}
    folder = fake_checkpoint(run.path / "best", extra=standing)
    assert best_of(run) == (1.25, True, 80)
    info = read_info(folder)
    assert (info.best_is_estimate, info.val_is_estimate, info.val_tokens) == (True, False, 1000)


@pytest.mark.parametrize("extra", [{}, {"record_tokens": "many", "best_tokens": None}, {"val_tokens": 3}])
def test_a_checkpoint_that_does_not_say_how_it_was_measured_holds_no_estimate(
    extra: dict[str, SettingValue], run: Run
) -> None:
    info = read_info(fake_checkpoint(run.path / "best", extra=extra))
    assert not info.best_is_estimate
    assert not info.val_is_estimate


def test_the_list_is_newest_first_and_shows_damaged_runs(store: RunStore, run: Run) -> None:
    other = store.create(NANO, "newer")
    broken = store.create(NANO, "broken")
    (broken.path / "run.json").write_bytes(b'{"format_version": 1, "state"')
    (store.root / "a-file").write_text("not a run")
    (store.root / ".hidden").mkdir()
    for age, one in enumerate((broken, other, run)):
        for path in (one.path / "run.json", one.path):
            os.utime(path, (1e9 - age, 1e9 - age))
    assert [(summary.name, summary.state) for summary in store.list()] == [
        ("broken", "damaged"),
        ("newer", "new"),
        ("plays", "new"),
    ]
    newest = store.newest(with_checkpoint=False)
    assert newest is not None
    assert newest.name == "broken"
    assert store.newest() is None
    fake_checkpoint(run.path / "last")
    found = store.newest()
    assert found is not None
    assert found.name == "plays"


def test_an_empty_store_is_an_empty_list(store: RunStore) -> None:
    assert store.list() == []
    assert store.newest() is None


def test_a_damaged_run_file_is_made_good_from_the_checkpoint(run: Run) -> None:
    (run.path / "run.json").write_bytes(b"\xff")
    with pytest.raises(
        CheckpointError, match=r"the run 'plays' is damaged: run\.json is cut short or altered"
    ) as caught:
        _ = run.config
    assert "\n" not in str(caught.value)
    fake_checkpoint(run.path / "last")
    assert run.config == NANO
    assert run.state == "interrupted"
    run.set_state("stopped")
    assert json.loads((run.path / "run.json").read_text())["state"] == "stopped"


def test_a_deleted_run_is_gone_with_all_its_files(store: RunStore, run: Run) -> None:
    fake_checkpoint(run.path / "last")
    run.record(progress(1))
    store.delete("plays")
    assert store.list() == []
    assert list(store.root.iterdir()) == []


def test_a_running_run_is_not_deleted(store: RunStore, run: Run) -> None:
    with run.lock(), pytest.raises(RunLockedError):
        store.delete("plays")
    assert store.get("plays").config == NANO


def test_listing_needs_no_torch() -> None:
    modules = "tui_gpt.storage.runs, tui_gpt.text.corpora"
    program = f"import sys, {modules}; sys.exit('torch' in sys.modules or 'textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
