"""The decoding kernel, decode.c and its headers: built once by the system's C compiler, then only loaded.

Everything works without it: where there is no compiler, or `TUI_GPT_NO_KERNEL` is set, the plain decoders go on alone.
It is built in the background while torch is being imported or a model is opened, and kept in the user's cache under a
name made of its source and its processor, so that neither an update nor another machine meets a wrong one. A library is
code: one that others could have written or may change is never loaded. This module imports no torch.
"""

import atexit
import ctypes
import functools
import hashlib
import os
import platform
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from tui_gpt.storage import paths

OFF_VARIABLE = "TUI_GPT_NO_KERNEL"
BUILD_SECONDS = 120.0
"""After which a compiler is given up."""
PATIENCE_SECONDS = 10.0
"""How long the very first stream waits for it, so that one machine writes all its texts the same way."""
_FAILURE_SECONDS = 86_400.0
_LAST_SECONDS = 2.0
"""How long a process that ends waits for a build to tidy up after its compiler was killed."""

_SOURCE = Path(__file__).with_name("decode.c")
_HEADERS = sorted(_SOURCE.parent.glob("*.h"))
_NATIVE = ["-march=native"]
_FLAGS = [
    "-O3",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-signed-zeros",
    "-fassociative-math",
    "-freciprocal-math",
    "-shared",
    "-fPIC",
]
_SIZE_LIMIT = 16 << 20
"""Bytes of a library; the real one has 0.1 MB."""
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_starting = threading.Lock()
_builders: dict[Path, threading.Thread] = {}


def kernel(wait: bool = False) -> ctypes.CDLL | None:
    """The compiled kernel, or None where there is none (yet). The first call ever begins to build it; `wait` gives the
    compiler a while to finish."""
    if os.environ.get(OFF_VARIABLE):
        return None
    library = _library_path()
    if not is_trusted(library):
        builder = _started(library)
        if wait and builder is not None:
            builder.join(PATIENCE_SECONDS)
    return _loaded(library) if is_trusted(library) else None


def status() -> tuple[bool, str]:
    """Return whether the kernel is, or will be, used to write text; and where it is, or why not, with the remedy."""
    if os.environ.get(OFF_VARIABLE):
        return False, f"it is off: unset {OFF_VARIABLE}"
    if paths.cache_dir().exists():
        library = _library_path()
        if is_trusted(library):
            return (True, str(library)) if _loaded(library) else (False, f"{library} cannot be loaded: remove it")
        if _has_failed(library):
            return False, f"the C compiler failed: mend it and remove {_failure(library)}"
    if _compiler() is None:
        return False, "there is no C compiler: install one"
    return True, "it will be built when the first text is written"


def _started(library: Path) -> threading.Thread | None:
    """The thread that builds `library`, or None where the system gives no more threads."""
    with _starting:
        if library not in _builders:
            builder = threading.Thread(target=built, args=(library,), name="kernel-build", daemon=True)
            try:
                builder.start()
            except RuntimeError:
                return None
            _builders[library] = builder
        return _builders[library]


def _library_path() -> Path:
    """Where the kernel for this source, these flags and this processor lies: in the user's cache, or in a folder of
    this process where others could put a library into the cache, or nobody can."""
    name = f"decode-{_fingerprint()}.so"
    folder = paths.cache_dir()
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
        is_usable = is_trusted(folder / name) or os.access(folder, os.W_OK)
        if stat.S_ISDIR(status.st_mode) and is_own(status) and is_usable:
            return folder / name
    return Path(_temporary_folder().name) / name


@functools.cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for one process alone, removed at its end."""
    return tempfile.TemporaryDirectory(prefix="tui-gpt-", ignore_cleanup_errors=True)


def is_trusted(library: Path) -> bool:
    """Whether nobody but this user can have written that library."""
    try:
        status = library.lstat()
    except OSError:
        return False
    is_plain = stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and 0 < status.st_size <= _SIZE_LIMIT
    return is_plain and is_own(status)


def is_own(status: os.stat_result) -> bool:
    """Whether a file or folder belongs to this user, and nobody else may write it."""
    if not hasattr(os, "geteuid"):
        return True  # on Windows, a user's cache is closed to others
    return status.st_uid == os.geteuid() and not status.st_mode & _WRITABLE_BY_OTHERS


@functools.cache
def _fingerprint() -> str:
    sources = [path.read_bytes() for path in (_SOURCE, *_HEADERS)]
    parts = [*sources, " ".join(_FLAGS).encode(), platform.platform().encode(), _processor()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _processor() -> bytes:
    """What tells processors with different instructions apart: a home may be shared between machines."""
    try:
        lines = Path("/proc/cpuinfo").read_bytes().splitlines()
    except OSError:
        return platform.processor().encode()
    return next((line for line in lines if line.startswith((b"flags", b"Features"))), platform.machine().encode())


def built(library: Path) -> ctypes.CDLL | None:
    """The kernel compiled to `library`, whole or not at all; None, without a word, where that cannot be done.

    That a compiler failed is remembered beside the library, and it is not asked again for a day.
    """
    compiler = _compiler()
    if compiler is None or _has_failed(library):
        return None
    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent, prefix="build-", ignore_cleanup_errors=True) as folder:
            made = Path(folder) / library.name
            if not any(_compiler_run.does([compiler, *flags], made) for flags in ([*_NATIVE, *_FLAGS], _FLAGS)):
                if not _compiler_run.ended:
                    _failure(library).touch()
                return None
            made.chmod(0o700)
            with made.open("r+b") as file:
                os.fsync(file.fileno())
            made.replace(library)
    except OSError:
        return None
    return _loaded(library)


def _failure(library: Path) -> Path:
    """The file that says that the compiler has failed; another compiler is another failure."""
    compiler = hashlib.sha256(str(_compiler()).encode()).hexdigest()[:8]
    return library.with_name(f"{library.stem}-{compiler}.failed")


def _has_failed(library: Path) -> bool:
    try:
        return time.time() - _failure(library).lstat().st_mtime < _FAILURE_SECONDS
    except OSError:
        return False


def _compiler() -> str | None:
    """The system's C compiler. macOS has one that only asks, in a window, to be installed: it does not count."""
    if sys.platform == "darwin" and not _has_developer_tools():
        return None
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


@functools.cache
def _has_developer_tools() -> bool:
    try:
        command = ["xcode-select", "-p"]
        return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=5).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


class _CompilerRun:
    """The compiler that is running, if any: it is killed when the process ends."""

    def __init__(self) -> None:
        self.ended = False
        """Whether the process is ending: nothing is compiled any more."""
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def does(self, compiler: list[str], made: Path) -> bool:
        """Compile to `made`; whether it worked. Raises OSError."""
        quiet = subprocess.DEVNULL
        with self._lock:
            if self.ended:
                return False
            self._process = process = subprocess.Popen(
                [*compiler, str(_SOURCE), "-o", str(made), "-lm"],
                stdin=quiet,
                stdout=quiet,
                stderr=quiet,
                start_new_session=True,
            )
        try:
            return process.wait(BUILD_SECONDS) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            self._kill(process)

    def end(self) -> None:
        """Kill the compiler, and give the threads that wait for it a moment to remove what it left."""
        with self._lock:
            self.ended = True
            if self._process is not None:
                self._kill(self._process)
        for builder in list(_builders.values()):
            builder.join(_LAST_SECONDS)

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a compiler that has not ended, with the processes that it has started."""
        if process.poll() is None:
            with suppress(OSError):
                if hasattr(os, "killpg"):
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()
            process.wait()


_compiler_run = _CompilerRun()
atexit.register(_compiler_run.end)


@functools.cache
def _loaded(library: Path) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(str(library))
    except OSError:
        return None
