"""Deleting runs so that they can be restored."""

import errno
from pathlib import Path

import pytest

from tests.fakes import progress
from tests.storage.runs.helpers import NANO, fake_checkpoint
from tui_gpt.errors import NotFoundError, RunLockedError, StorageError, UsageError
from tui_gpt.storage.runs import Run, RunStore, Trash
from tui_gpt.storage.runs import store as store_module
from tui_gpt.storage.runs import trash as trash_module


def names(store: RunStore) -> list[str]:
    return sorted(summary.name for summary in store.list())


def refuse(path: Path, target: Path) -> Path:
    """Fail to rename."""
    raise OSError(errno.EIO, "the disk failed", str(path), None, str(target))


def test_a_restored_run_is_as_it_was(store: RunStore, run: Run) -> None:
    fake_checkpoint(run.path / "last")
    run.record(progress(1))
    run.set_note("keep me")
    trash = Trash(store)
    trash.delete("plays")
    assert (names(store), trash.newest) == ([], "plays")
    restored = trash.restore()
    assert (names(store), trash.newest) == (["plays"], None)
    assert (list(restored.events()), restored.note) == ([progress(1)], "keep me")
    assert restored.require_checkpoint("last") == run.path / "last"
    assert restored.writer() is None


def test_the_run_that_was_deleted_last_is_restored_first(store: RunStore) -> None:
    trash = Trash(store)
    for name in ("one", "two"):
        store.create(NANO, name)
        trash.delete(name)
    assert [trash.restore().name, trash.restore().name] == ["two", "one"]
    with pytest.raises(NotFoundError, match="no deleted run can be restored"):
        trash.restore()


def test_only_the_newest_deleted_runs_are_kept(store: RunStore) -> None:
    trash = Trash(store, limit=2)
    for name in ("one", "two", "three"):
        store.create(NANO, name)
        trash.delete(name)
    assert len(list(store.root.iterdir())) == 2
    assert [trash.restore().name, trash.restore().name] == ["three", "two"]


def test_the_deletions_of_another_process_leave_a_restorable_run_alone(store: RunStore, run: Run) -> None:
    store.create(NANO, "other")
    trash = Trash(store)
    trash.delete("plays")
    store.delete("other")
    trash.restore()
    assert names(store) == ["plays"]


def test_emptying_removes_the_runs_for_good(store: RunStore, run: Run) -> None:
    trash = Trash(store)
    trash.delete("plays")
    trash.empty()
    assert trash.newest is None
    assert list(store.root.iterdir()) == []


def test_what_a_killed_process_could_have_restored_is_removed_by_the_next_deletion(store: RunStore, run: Run) -> None:
    """The system has released the lock, as it does here without the trash."""
    _, lock = store.discard("plays")
    assert lock is not None
    lock.release()
    store.create(NANO, "other")
    Trash(store).delete("other")
    assert [path.name[:12] for path in store.root.iterdir()] == [".trash-other"]


def test_a_run_whose_name_is_taken_stays_in_the_trash(store: RunStore, run: Run) -> None:
    trash = Trash(store)
    trash.delete("plays")
    store.create(NANO, "plays")
    with pytest.raises(UsageError, match="there is a run 'plays' again: rename it"):
        trash.restore()
    store.rename("plays", "newer")
    trash.restore()
    assert names(store) == ["newer", "plays"]


def test_a_run_that_is_gone_for_good_is_reported(store: RunStore, run: Run) -> None:
    trash = Trash(store)
    trash.delete("plays")
    [place] = store.root.iterdir()
    for path in place.iterdir():
        path.unlink()
    place.rmdir()
    with pytest.raises(NotFoundError, match="removed for good by another process"):
        trash.restore()
    assert trash.newest is None


def test_a_running_run_is_not_deleted(store: RunStore, run: Run) -> None:
    trash = Trash(store)
    with run.lock(), pytest.raises(RunLockedError):
        trash.delete("plays")
    assert (names(store), trash.newest) == (["plays"], None)


def test_of_a_link_to_a_run_the_link_is_deleted_and_restored(store: RunStore, run: Run, tmp_path: Path) -> None:
    run.path.rename(tmp_path / "elsewhere")
    run.path.symlink_to(tmp_path / "elsewhere")
    trash = Trash(store)
    trash.delete("plays")
    assert names(store) == []
    assert Run(tmp_path / "elsewhere").writer() is None
    assert trash.restore().path.is_symlink()
    assert store.get("plays").config == NANO
    trash.delete("plays")
    trash.empty()
    assert Run(tmp_path / "elsewhere").config == NANO


@pytest.mark.parametrize("renames_open_folders", [True, False])
def test_a_run_that_cannot_be_moved_back_stays_in_the_trash(
    store: RunStore, run: Run, monkeypatch: pytest.MonkeyPatch, renames_open_folders: bool
) -> None:
    monkeypatch.setattr(store_module, "RENAMES_OPEN_FOLDERS", renames_open_folders)
    monkeypatch.setattr(trash_module, "RENAMES_OPEN_FOLDERS", renames_open_folders)
    store.create(NANO, "other")
    trash = Trash(store)
    trash.delete("plays")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        with pytest.raises(StorageError, match="disk"):
            trash.restore()
    assert trash.newest == "plays"
    store.delete("other")  # of another process: removes what is not locked
    assert trash.restore().writer() is None
    assert names(store) == ["plays"]


def test_a_deleted_run_is_locked_all_the_time(store: RunStore, run: Run) -> None:
    place, lock = store.discard("plays")
    assert lock is not None
    store.purge()
    assert place.is_dir()
    lock.release()
    store.purge()
    assert not place.exists()
