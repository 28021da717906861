import os
import subprocess
import sys
from pathlib import Path

import pytest

from tui_gpt.locks import FileLock, LockHeldError, lock_holder


def test_a_lock_excludes_a_second_holder_and_names_the_first(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    lock.acquire()
    assert lock_holder(tmp_path / "lock") == f"process {os.getpid()}"
    with pytest.raises(LockHeldError, match=f"process {os.getpid()}"):
        FileLock(tmp_path / "lock").acquire()
    lock.release()
    assert lock_holder(tmp_path / "lock") is None
    FileLock(tmp_path / "lock").acquire()


def test_looking_at_a_lock_does_not_take_it(tmp_path: Path) -> None:
    assert lock_holder(tmp_path / "lock") is None
    assert not (tmp_path / "lock").exists()


def test_a_killed_process_holds_no_lock(tmp_path: Path) -> None:
    """The system takes the lock back, whatever the file still says."""
    program = "import sys, time; from pathlib import Path; from tui_gpt.locks import FileLock\n"
    program += "FileLock(Path(sys.argv[1])).acquire(); print('held', flush=True); time.sleep(600)"
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert lock_holder(path) == f"process {holder.pid}"
        holder.kill()
    assert path.read_text().startswith(str(holder.pid))
    assert lock_holder(path) is None
    FileLock(path).acquire()


def test_a_lock_file_that_holds_nonsense_is_only_a_name_less(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    lock.acquire()
    (tmp_path / "lock").write_bytes(b"\xff\x00 nonsense")
    assert lock_holder(tmp_path / "lock") == "another process"


def test_the_lock_of_a_removed_folder_cannot_be_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Someone may remove the run between the opening of the lock file and the locking."""
    path = tmp_path / "run" / "lock"
    path.parent.mkdir()
    lock = FileLock(path)
    monkeypatch.setattr(lock, "_lock", lambda _: path.unlink())
    with pytest.raises(FileNotFoundError):
        lock.acquire()
