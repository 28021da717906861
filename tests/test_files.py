import errno
import os
import sys
from pathlib import Path

import pytest

from tests.storage_helpers import killed_at
from tui_gpt import files
from tui_gpt.errors import StorageError
from tui_gpt.files import (
    atomic_write,
    candidates,
    commit_folder,
    ensure_free_space,
    read_json_object,
    read_plain_file,
    remove_tree,
    write_synced,
)

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")


def commit(target: Path, content: str) -> None:
    def fill(folder: Path) -> None:
        write_synced(folder / "a", [content.encode()])
        write_synced(folder / "b", [content.encode()])

    commit_folder(target, fill)


def newest(target: Path) -> str:
    """The content of the newest whole folder, as a reader finds it."""
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
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("earlier", ["nothing", "one"])
def test_a_process_killed_at_any_point_leaves_the_old_folder_or_the_new(tmp_path: Path, earlier: str) -> None:
    """Killed at each fault point of a commit in turn; and again at each point of the commit that tidies up after it."""
    point = 0
    while True:
        target = tmp_path / str(point) / "last"
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
def test_a_disk_that_refuses_is_named_with_a_remedy_and_the_old_folder_stays(
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


def test_a_lost_target_is_taken_back_from_the_previous_one(tmp_path: Path) -> None:
    """Nothing whole is ever tidied away while it is the only one."""
    target = tmp_path / "last"
    commit(target, "one")
    target.rename(candidates(target)[2])

    def fail(folder: Path) -> None:
        raise OSError(errno.ENOSPC, f"full at {folder}")

    with pytest.raises(StorageError):
        commit_folder(target, fail)
    assert newest(target) == "one"


def test_an_atomic_write_makes_its_folder_and_leaves_only_the_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "state.json"
    atomic_write(path, b"1")
    atomic_write(path, b"2")
    assert path.read_bytes() == b"2"
    assert [item.name for item in path.parent.iterdir()] == ["state.json"]


def test_an_atomic_write_that_fails_keeps_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    atomic_write(path, b"old")

    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError, match="the disk is full: free some space"):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["state.json"]


def test_size_and_digest_of_what_was_written_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK", 3)
    size, digest = write_synced(tmp_path / "x", [b"hello ", memoryview(b"world"), b""])
    assert (tmp_path / "x").read_bytes() == b"hello world"
    assert (size, digest) == (11, "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9")


def test_a_disk_without_room_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    ensure_free_space(tmp_path / "not" / "there" / "yet", 1)
    with pytest.raises(StorageError, match=r"MB free and [\d,]+ MB are needed: free some space"):
        ensure_free_space(tmp_path / "not" / "there" / "yet", 1 << 60)


def test_only_plain_files_of_the_expected_size_are_read(tmp_path: Path) -> None:
    plain, link, pipe = tmp_path / "plain", tmp_path / "link", tmp_path / "pipe"
    plain.write_bytes(b"12345")
    assert read_plain_file(plain, 5) == b"12345"
    with pytest.raises(ValueError, match="more than the 4 expected"):
        read_plain_file(plain, 4)
    link.symlink_to(plain)
    with pytest.raises(ValueError, match="is a link"):
        read_plain_file(link, 5)
    with pytest.raises((ValueError, OSError)):
        read_plain_file(tmp_path, 5)
    if hasattr(os, "mkfifo"):
        os.mkfifo(pipe)
        with pytest.raises(ValueError, match="not a plain file"):
            read_plain_file(pipe, 5)


@pytest.mark.parametrize(
    "text", [b"[]", b"{", b"\xff", b'{"a": NaN}', b'{"a": 1e999}', b'{"a": ' + b"9" * 5_000 + b"}", b'{"a":' * 100_000]
)
def test_json_that_is_no_object_of_finite_numbers_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "x.json").write_bytes(text)
    with pytest.raises(ValueError, match=r"\w"):
        read_json_object(tmp_path / "x.json", 1 << 20)


def test_removing_a_link_leaves_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    remove_tree(tmp_path / "link")
    remove_tree(tmp_path / "nothing")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
