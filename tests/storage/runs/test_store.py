"""The store: names, folders outside it, deletion and export."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes import progress
from tests.storage.runs.helpers import NANO, fake_checkpoint
from tui_gpt.config import resolve
from tui_gpt.errors import CheckpointError, NotFoundError, RunLockedError, StorageError, UsageError
from tui_gpt.storage.locks import FileLock
from tui_gpt.storage.manifest import MANIFEST_FILE, MODEL_FILE, read_info
from tui_gpt.storage.runs import Run, RunStore
from tui_gpt.storage.runs import store as store_module


def test_a_new_run_has_its_configuration(store: RunStore) -> None:
    run = store.create(NANO, "plays")
    assert run.name == "plays"
    assert store.get("plays").config == NANO
    assert run.state == "new"
    assert [path.name for path in run.path.iterdir()] == ["run.json"]


def test_names_are_made_from_corpus_and_preset_and_counted(store: RunStore) -> None:
    names = [store.create(NANO).name for _ in range(3)]
    assert names == ["tinyshakespeare-nano", "tinyshakespeare-nano-2", "tinyshakespeare-nano-3"]
    assert store.create(resolve("quick", corpus="/books/War & Peace.txt")).name == "war-peace-quick"


def test_a_taken_name_is_refused_with_the_way_to_resume(store: RunStore, run: Run) -> None:
    with pytest.raises(UsageError, match="resume it with --resume plays, or choose another name"):
        store.create(NANO, run.name)


@pytest.mark.parametrize("name", ["../x", "/abs", ".x", "", "a/b", "live"])
def test_a_name_that_leads_elsewhere_is_refused(store: RunStore, name: str) -> None:
    with pytest.raises(UsageError):
        store.create(NANO, name)
    with pytest.raises(NotFoundError):
        store.get(name)


def test_the_error_for_a_missing_run_suggests_similar_names(store: RunStore, run: Run) -> None:
    with pytest.raises(NotFoundError, match=r"no run 'play' \(did you mean plays\?\): see"):
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
    with pytest.raises(UsageError, match="holds a run already: add --resume to continue it"):
        store.create_at(tmp_path / "model", resolve("quick"))
    assert store.open_at(tmp_path / "model").config == NANO


def test_a_link_given_by_the_user_is_followed(store: RunStore, tmp_path: Path) -> None:
    """A user may move runs to another disk and leave a link."""
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


def test_a_folder_that_holds_something_else_is_refused(store: RunStore, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"x")
    with pytest.raises(UsageError, match="holds something else than a run"):
        store.create_at(tmp_path / "photos", NANO)
    (tmp_path / "empty").mkdir()
    assert store.create_at(tmp_path / "empty", NANO).state == "new"


def test_a_store_that_cannot_be_written_is_a_one_line_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="a file is where a folder is needed"):
        RunStore(tmp_path / "file" / "runs").create(NANO)


@pytest.mark.parametrize("renames_open_folders", [True, False])
def test_a_run_is_locked_while_it_is_removed(
    store: RunStore, run: Run, monkeypatch: pytest.MonkeyPatch, renames_open_folders: bool
) -> None:
    """Windows renames no folder in which a file is open, so there the lock is released just before."""
    monkeypatch.setattr(store_module, "RENAMES_OPEN_FOLDERS", renames_open_folders)
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
        ["acquire", "rename", "release", "release"]  # of the run, then of the deletion, which has taken it over
        if renames_open_folders
        else ["acquire", "release", "rename", "release"]
    )
    assert list(store.root.iterdir()) == []


def test_an_exported_checkpoint_is_complete_in_itself(store: RunStore, run: Run, tmp_path: Path) -> None:
    folder = fake_checkpoint(run.path / "best")
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    manifest["files"]["training.safetensors"] = {"size": 3, "sha256": "0" * 64}
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest))
    (folder / "training.safetensors").write_bytes(b"xyz")
    place = store.export("plays", "best", tmp_path / "out")
    assert read_info(place) == read_info(folder)
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


def test_a_renamed_run_keeps_its_files(store: RunStore, run: Run) -> None:
    fake_checkpoint(run.path / "last")
    run.record(progress(1))
    renamed = store.rename("plays", "dramas")
    assert [summary.name for summary in store.list()] == ["dramas"]
    assert (renamed.name, renamed.config, list(renamed.events())) == ("dramas", NANO, [progress(1)])
    assert renamed.require_checkpoint("last") == store.root / "dramas" / "last"


@pytest.mark.parametrize(
    ("name", "problem"), [("taken", "there is a run 'taken' already"), ("../x", "cannot be a name")]
)
def test_a_run_cannot_get_a_name_that_is_taken_or_invalid(store: RunStore, run: Run, name: str, problem: str) -> None:
    store.create(NANO, "taken")
    with pytest.raises(UsageError, match=problem):
        store.rename("plays", name)
    assert sorted(summary.name for summary in store.list()) == ["plays", "taken"]


def test_a_name_that_another_process_has_just_taken_is_refused(
    store: RunStore, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create(NANO, "taken")
    monkeypatch.setattr(RunStore, "require_free", lambda *_: None)
    with pytest.raises(UsageError, match="there is a run 'taken' already"):
        store.rename("plays", "taken")


def test_a_running_run_is_not_renamed(store: RunStore, run: Run) -> None:
    with run.lock(), pytest.raises(RunLockedError, match="stop it there first"):
        store.rename("plays", "dramas")
    assert store.get("plays").config == NANO


def test_of_a_link_to_a_run_the_link_is_renamed(store: RunStore, run: Run, tmp_path: Path) -> None:
    run.path.rename(tmp_path / "elsewhere")
    run.path.symlink_to(tmp_path / "elsewhere")
    assert store.rename("plays", "dramas").config == NANO
    assert (store.root / "dramas").is_symlink()
    assert (tmp_path / "elsewhere" / "run.json").exists()
