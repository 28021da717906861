"""The decoding kernel, decode.c and its headers: built once by the system's C compiler, then only loaded.

Everything works without it: where there is no compiler, or `TUI_GPT_NO_KERNEL` is set, the plain decoders go on alone.
It is built in the background while torch is being imported or a model is opened, and kept below the user's home under a
name made of its source and its processor, so that neither an update nor another machine meets a wrong one. This module
imports no torch.
"""

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

from tui_gpt import paths

OFF_VARIABLE = "TUI_GPT_NO_KERNEL"
BUILD_SECONDS = 120.0
"""After which a compiler is given up."""
PATIENCE_SECONDS = 10.0
"""How long the very first stream waits for it, so that one machine writes all its texts the same way."""

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
_starting = threading.Lock()
_builders: dict[Path, threading.Thread] = {}


def kernel(wait: bool = False) -> ctypes.CDLL | None:
    """The compiled kernel, or None where there is none (yet). The first call ever begins to build it; `wait` gives the
    compiler a while to finish."""
    if os.environ.get(OFF_VARIABLE):
        return None
    library = _library_path()
    if not library.exists():
        with _starting:
            if library not in _builders:
                _builders[library] = threading.Thread(target=built, args=(library,), name="kernel-build")
                _builders[library].start()
        if wait:
            _builders[library].join(PATIENCE_SECONDS)
    return _loaded(library) if library.exists() else None


def _library_path() -> Path:
    """Where the kernel for this source, these flags and this processor lies."""
    return paths.home() / "cache" / f"decode-{_fingerprint()}.so"


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
    """The kernel compiled to `library`, whole or not at all; None, without a word, where that cannot be done."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:
            made = Path(folder) / library.name
            if not any(_compiles([compiler, *flags], made) for flags in ([*_NATIVE, *_FLAGS], _FLAGS)):
                return None
            with made.open("r+b") as file:
                os.fsync(file.fileno())
            made.replace(library)
    except (OSError, subprocess.SubprocessError):
        return None
    return _loaded(library)


def _compiles(compiler: list[str], made: Path) -> bool:
    command = [*compiler, str(_SOURCE), "-o", str(made), "-lm"]
    return subprocess.run(command, capture_output=True, timeout=BUILD_SECONDS, stdin=subprocess.DEVNULL).returncode == 0


@functools.cache
def _loaded(library: Path) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(str(library))
    except OSError:
        return None
