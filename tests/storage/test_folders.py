"""Folders that are replaced or created atomically, whatever happens to the process or the disk."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.storage.helpers import killed_at
from tui_gpt.errors import StorageError
from tui_gpt.storage.files import write_synced
from tui_gpt.storage.folders import candidates, commit_folder, make_folder, remove_tree

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")


def commit(target: Path, content: str) -> None:
    def fill(folder: Path) -> None:
        write_synced(folder / "a", [content.encode()])
        write_synced(folder / "b", [content.encode()])

    commit_folder(target, fill)


def newest(target: Path) -> str:
    """Return the content of the newest complete folder, as a reader finds it."""
    for folder in candidates(target):
        if (folder / "a").exists() and (folder / "b").exists():
            contents = {(folder / "a").read_text(), (folder / "b").read_text()}
            assert len(contents) == 1
            return contents.pop()
    return "nothing"


def test_a_commit_replaces_the_folder_and_leaves_nothing_else(tmp_path: Path) -> None:
    commit(tmp_path / "last", "one")
    commit(tmp_path / "last", "two")
    assert newest(tmp_path / "last") == "two"
    assert [path.name for path in tmp_path.iterdir()] == ["last"]


@needs_fork
@pytest.mark.parametrize("earlier", ["nothing", "one"])
def test_a_process_killed_at_any_point_leaves_the_old_folder_or_the_new(tmp_path: Path, earlier: str) -> None:
    """In a process of its own, which has not imported torch and so is forked at little cost."""
    program = "import sys, pathlib; from tests.storage.test_folders import kill_commits; "
    program += "kill_commits(pathlib.Path(sys.argv[1]), sys.argv[2])"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", program, str(tmp_path), earlier], env=environment, check=True)


def kill_commits(folder: Path, earlier: str) -> None:
    """Kill a process at each fault point of a commit, and again at some points of the commit that repairs it."""
    point = 0
    while True:
        target = folder / str(point) / "last"
        if earlier == "one":
            commit(target, "one")
        if not killed_at(point, lambda target=target: commit(target, "two")):  # type: ignore[misc]  # bound at once
            break
        found = newest(target)
        assert found in (earlier, "two")
        again = 0
        while killed_at(again, lambda target=target: commit(target, "three")):  # type: ignore[misc]  # bound at once
            assert newest(target) in (found, "three")
            found = newest(target)
            again += 7
        assert newest(target) == "three"
        assert [path.name for path in target.parent.iterdir()] == ["last"]
        point += 1
    assert point > 10


@pytest.mark.parametrize("call", ["write", "fsync", "open", "mkdir"])
@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EFBIG, errno.EIO])
def test_a_disk_error_names_a_remedy_and_the_old_folder_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, reason: int
) -> None:
    target = tmp_path / "last"
    commit(target, "one")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(reason, os.strerror(reason))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        with pytest.raises(StorageError, match=r"could not save .*: .*: ") as caught:
            commit(target, "two")
    assert "\n" not in str(caught.value)
    assert newest(target) == "one"
    commit(target, "three")
    assert [path.name for path in tmp_path.iterdir()] == ["last"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a size limit on files and fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_real_limit_on_file_sizes_is_a_storage_error(tmp_path: Path) -> None:
    import resource

    commit(tmp_path / "last", "one")

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))
        with pytest.raises(StorageError, match="larger than allowed"):
            commit(tmp_path / "last", "x" * 10_000)

    assert not killed_at(1_000_000, work)
    assert newest(tmp_path / "last") == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["last"]


def test_the_previous_folder_is_kept_while_it_is_the_only_whole_one(tmp_path: Path) -> None:
    """A complete folder is not removed while it is the only one."""
    target = tmp_path / "last"
    commit(target, "one")
    target.rename(candidates(target)[2])

    def fail(folder: Path) -> None:
        raise OSError(errno.ENOSPC, f"full at {folder}")

    with pytest.raises(StorageError):
        commit_folder(target, fail)
    assert newest(target) == "one"


def test_a_new_folder_does_not_replace_anything(tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        write_synced(folder / "a", [b"new"])

    assert make_folder(tmp_path / "deep" / "new", {"a"}, fill)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["new"]
    (tmp_path / "empty").mkdir()
    assert make_folder(tmp_path / "empty", {"a"}, fill)
    (tmp_path / "file").write_text("a file")
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    for taken in ("deep", "file", "link", "empty"):
        assert not make_folder(tmp_path / taken, {"a"}, fill)
    assert not (tmp_path / "nothing").exists()


def test_a_folder_that_another_process_has_just_created_is_not_replaced(tmp_path: Path) -> None:
    def slow(folder: Path) -> None:
        write_synced(folder / "a", [b"mine"])
        assert make_folder(tmp_path / "run", {"a"}, lambda draft: write_synced(draft / "a", [b"theirs"]) and None)

    assert not make_folder(tmp_path / "run", {"a"}, slow)
    assert (tmp_path / "run" / "a").read_bytes() == b"theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_only_old_drafts_of_this_program_are_removed(tmp_path: Path) -> None:
    """A run can be created in any folder of the user."""
    for name, content in ((".draft-run-0a1b2c3d", "a"), (".draft-novel", "a"), (".draft-novel-0a1b2c3d", "chapter")):
        (tmp_path / name).mkdir()
        (tmp_path / name / content).write_text("x")
        os.utime(tmp_path / name, (1e9, 1e9))
    (tmp_path / ".draft-young-0a1b2c3d").mkdir()
    make_folder(tmp_path / "run", {"a"}, lambda draft: None)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".draft-novel",
        ".draft-novel-0a1b2c3d",
        ".draft-young-0a1b2c3d",
        "run",
    ]


def test_removing_a_link_leaves_its_target(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    remove_tree(tmp_path / "link")
    remove_tree(tmp_path / "nothing")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
