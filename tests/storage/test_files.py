import errno
import os
import sys
from pathlib import Path

import pytest

from tests.storage.helpers import killed_at
from tui_gpt.errors import StorageError
from tui_gpt.storage import files
from tui_gpt.storage.files import (
    UnusableFileError,
    atomic_write,
    candidates,
    commit_folder,
    ensure_folder,
    ensure_free_space,
    make_folder,
    open_plain,
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


def test_the_names_of_new_folders_are_forced_to_the_disk_from_the_top(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(files, "sync_folder", synced.append)
    ensure_folder(tmp_path / "a" / "b" / "c")
    assert synced == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    ensure_folder(tmp_path / "a" / "b" / "c")
    assert len(synced) == 3
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        ensure_folder(tmp_path / "file" / "x")


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
    with pytest.raises(UnusableFileError, match="more than the 4 expected"):
        read_plain_file(plain, 4)
    link.symlink_to(plain)
    with pytest.raises(UnusableFileError, match="is a link"):
        read_plain_file(link, 5)
    with pytest.raises(UnusableFileError, match="not a plain file"):
        read_plain_file(tmp_path, 5)
    if hasattr(os, "mkfifo"):
        os.mkfifo(pipe)
        with pytest.raises(UnusableFileError, match="not a plain file"):
            read_plain_file(pipe, 5)


def test_a_file_that_is_exchanged_after_the_first_look_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look before the opening is not relied on."""
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    os.mkfifo(tmp_path / "pipe")
    regular = (tmp_path / "precious").lstat()
    monkeypatch.setattr(Path, "lstat", lambda _: regular)
    for flags in (os.O_RDONLY, os.O_RDWR):
        with pytest.raises(OSError, match=r"Too many levels of symbolic links|loop"):
            open_plain(tmp_path / "link", flags)
        with pytest.raises(UnusableFileError):
            open_plain(tmp_path / "pipe", flags)


def test_a_file_with_a_second_name_may_be_read_but_not_written_in_place(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"12345")
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    assert read_plain_file(tmp_path / "two", 5) == b"12345"
    for flags in (os.O_RDWR, os.O_WRONLY | os.O_APPEND, os.O_RDWR | os.O_CREAT):
        with pytest.raises(UnusableFileError, match="a second name"):
            open_plain(tmp_path / "two", flags)
    atomic_write(tmp_path / "two", b"new")
    assert (tmp_path / "one").read_bytes() == b"12345"


def test_a_device_is_refused_before_it_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a tape rewinds it."""
    opened: list[object] = []
    monkeypatch.setattr(os, "open", lambda *arguments: opened.append(arguments))
    with pytest.raises(UnusableFileError, match="not a plain file"):
        open_plain(Path(os.devnull), os.O_RDONLY)
    assert opened == []


def test_a_file_is_written_only_where_none_is(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("precious", "link"):
        with pytest.raises(OSError, match=r"exists|link"):
            write_synced(tmp_path / name, [b"new"])
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (tmp_path / "elsewhere").exists()


def test_a_new_folder_takes_no_place_that_is_taken(tmp_path: Path) -> None:
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


def test_a_folder_that_another_process_makes_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    def slow(folder: Path) -> None:
        write_synced(folder / "a", [b"mine"])
        assert make_folder(tmp_path / "run", {"a"}, lambda draft: write_synced(draft / "a", [b"theirs"]) and None)

    assert not make_folder(tmp_path / "run", {"a"}, slow)
    assert (tmp_path / "run" / "a").read_bytes() == b"theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_only_old_drafts_of_ones_own_are_tidied_up(tmp_path: Path) -> None:
    """A run may be made in any folder of the user's."""
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
