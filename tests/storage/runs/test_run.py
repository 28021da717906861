"""One run: its state, its lock, and its checkpoints after a crash."""

import errno
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.fakes import progress, started
from tests.storage.helpers import killed_at
from tests.storage.runs.helpers import NANO, fake_checkpoint
from tui_gpt.errors import CheckpointError, NotFoundError, RunLockedError
from tui_gpt.events import Saved, StorageProblem
from tui_gpt.storage import locks
from tui_gpt.storage.manifest import MANIFEST_FILE, MODEL_FILE
from tui_gpt.storage.recorder import Recorder
from tui_gpt.storage.runs import Run, RunStore


def test_the_state_is_replaced_and_the_configuration_kept(run: Run) -> None:
    run.set_state("stopped")
    assert (run.state, run.config) == ("stopped", NANO)


def test_a_running_run_whose_process_is_gone_is_interrupted(run: Run) -> None:
    for state in ("running", "paused"):
        run.set_state(state)
        assert run.state == "interrupted"
        with run.lock():
            assert run.state == state


def test_a_second_writer_is_refused_and_the_first_one_named(run: Run) -> None:
    with (
        run.lock(),
        pytest.raises(RunLockedError, match=rf"process {os.getpid()} is writing .*: stop it there") as caught,
    ):
        Run(run.path).lock().__enter__()
    assert "\n" not in str(caught.value)
    with Run(run.path).lock():
        assert run.writer() == f"process {os.getpid()}"
    assert run.writer() is None


def test_the_lock_of_a_killed_writer_is_free(store: RunStore, run: Run) -> None:
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


def test_locking_removes_the_drafts_of_a_process_that_died_while_writing(run: Run) -> None:
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
            run.log.truncate(1)
            run.set_state("finished")
        store.delete(run.name)

    point = 0
    while killed_at(point, partial(work, RunStore(tmp_path / str(point)))):
        for summary in RunStore(tmp_path / str(point)).list():
            assert summary.state in ("new", "interrupted", "finished")
            assert list(Run(summary.path).events()) in ([], [progress(1)], [progress(1), Saved(step=1, path="x")])
        point += 1
    assert point > 20


def test_a_file_system_without_locks_causes_a_warning(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_checkpoint_folder_that_is_a_link_is_damaged_and_not_missing(run: Run, tmp_path: Path) -> None:
    """A run whose `last` seems to be missing would start from scratch."""
    elsewhere = fake_checkpoint(tmp_path / "elsewhere")
    for target in (elsewhere, tmp_path / "nothing"):
        (run.path / "last").unlink(missing_ok=True)
        (run.path / "last").symlink_to(target)
        assert run.checkpoint_dir("last") is None
        assert run.ever_saved("last")
        with pytest.raises(CheckpointError, match="is damaged: it is a link, not a folder"):
            run.require_checkpoint("last")


def test_the_newest_complete_checkpoint_is_found_after_a_crash_in_a_commit(run: Run) -> None:
    assert run.checkpoint_dir("last") is None
    fake_checkpoint(run.path / ".last.old", 1)
    assert run.checkpoint_dir("last") == run.path / ".last.old"
    fake_checkpoint(run.path / ".last.new", 2)
    assert run.checkpoint_dir("last") == run.path / ".last.new"


def test_a_damaged_checkpoint_is_not_taken_for_a_missing_one(run: Run) -> None:
    """The run would start from scratch and overwrite what could be repaired."""
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


def test_a_damaged_run_file_is_replaced_by_the_checkpoints_config(run: Run) -> None:
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
