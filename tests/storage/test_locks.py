import errno
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tui_gpt.storage import locks
from tui_gpt.storage.locks import FileLock, LockHeldError, lock_holder, silent_seconds
from tui_gpt.storage.plain_files import UnusableFileError


def test_a_lock_excludes_a_second_holder_and_names_the_first(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    lock.acquire()
    assert lock_holder(tmp_path / "lock") == f"process {os.getpid()}"
    with pytest.raises(LockHeldError, match=f"process {os.getpid()}"):
        FileLock(tmp_path / "lock").acquire()
    lock.release()
    assert lock_holder(tmp_path / "lock") is None
    FileLock(tmp_path / "lock").acquire()


def test_asking_for_the_holder_does_not_create_the_file(tmp_path: Path) -> None:
    assert lock_holder(tmp_path / "lock") is None
    assert not (tmp_path / "lock").exists()


def test_a_killed_process_holds_no_lock(tmp_path: Path) -> None:
    """The system releases the lock, whatever the file contains."""
    program = "import sys, time; from pathlib import Path; from tui_gpt.storage.locks import FileLock\n"
    program += "FileLock(Path(sys.argv[1])).acquire(); print('held', flush=True); time.sleep(600)"
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert lock_holder(path) == f"process {holder.pid}"
        holder.kill()
    assert path.read_text().split()[0] == str(holder.pid)
    assert lock_holder(path) is None
    FileLock(path).acquire()


def test_a_lock_file_with_other_content_has_a_nameless_holder(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    lock.acquire()
    (tmp_path / "lock").write_bytes(b"\xff\x00 nonsense")
    assert lock_holder(tmp_path / "lock") == "another process"


def test_the_lock_of_a_removed_folder_cannot_be_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run may be removed between opening and locking the file."""
    path = tmp_path / "run" / "lock"
    path.parent.mkdir()
    lock = FileLock(path)
    monkeypatch.setattr(lock, "_lock", lambda *_: path.unlink())
    with pytest.raises(FileNotFoundError):
        lock.acquire()


@pytest.mark.parametrize("kind", ["link", "dangling link", "hard link", "pipe", "folder"])
def test_a_lock_that_is_not_a_regular_file_is_refused_and_nothing_is_written(tmp_path: Path, kind: str) -> None:
    precious, path = tmp_path / "notes.txt", tmp_path / "run" / "lock"
    precious.write_text("precious")
    path.parent.mkdir()
    match kind:
        case "link":
            path.symlink_to(precious)
        case "dangling link":
            path.symlink_to(tmp_path / "not there")
        case "hard link":
            path.hardlink_to(precious)
        case "pipe":
            os.mkfifo(path)
        case _:
            path.mkdir()
    with pytest.raises(UnusableFileError):
        FileLock(path).acquire()
    assert lock_holder(path) is None
    assert precious.read_text() == "precious"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["notes.txt", "run"]


def test_a_holder_on_another_host_is_named_with_it_on_one_line_without_escapes(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    lock.acquire()
    (tmp_path / "lock").write_text(" 12 some\x1b[2Jwhere\nelse\n")
    assert lock_holder(tmp_path / "lock") == "process 12 on some␛[2Jwhere"
    (tmp_path / "lock").write_text(f" 12 {platform.node()}\n")
    assert lock_holder(tmp_path / "lock") == "process 12"


@pytest.mark.parametrize("reason", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_on_a_file_system_without_locks_a_lock_is_taken_without_excluding_anyone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    def refuse(*_: object, **__: object) -> bool:
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(locks, "_try_lock", refuse)
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    first.acquire()
    second.acquire()
    assert not first.is_exclusive
    second.release()
    assert lock_holder(tmp_path / "lock") is None


def test_on_a_file_system_without_locks_the_holder_is_known_by_its_signs_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> bool:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(locks, "_try_lock", refuse)
    lock = FileLock(tmp_path / "lock")
    lock.acquire()
    assert lock_holder(tmp_path / "lock") == f"process {os.getpid()}"
    os.utime(tmp_path / "lock", (1e9, 1e9))
    assert lock_holder(tmp_path / "lock") is None
    lock.touch()
    assert lock_holder(tmp_path / "lock") == f"process {os.getpid()}"


def test_a_holder_that_is_suspended_is_silent(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    lock.acquire()
    assert silent_seconds(tmp_path / "lock") < locks.SILENT_SECONDS
    os.utime(tmp_path / "lock", (1e9, 1e9))
    assert silent_seconds(tmp_path / "lock") > locks.SILENT_SECONDS
    lock.touch()
    assert silent_seconds(tmp_path / "lock") < locks.SILENT_SECONDS
    assert silent_seconds(tmp_path / "no lock") == 0.0


def test_another_error_of_the_file_system_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> bool:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(locks, "_try_lock", refuse)
    with pytest.raises(OSError, match="input/output"):
        FileLock(tmp_path / "lock").acquire()


def test_asking_for_the_holder_twice_at_once_names_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call takes the free lock for a moment, in which the other one fails."""
    FileLock(tmp_path / "lock").acquire()
    answers = iter([False, True])
    monkeypatch.setattr(locks, "_try_lock", lambda _: next(answers))
    assert lock_holder(tmp_path / "lock") is None
