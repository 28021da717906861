"""The decoding kernel, decode.c: built once by the system's C compiler, then only loaded.

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

_SOURCE = Path(__file__).with_name("decode.c")
_FLAGS = [
    "-O3",
    "-march=native",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-signed-zeros",
    "-fassociative-math",
    "-freciprocal-math",
    "-shared",
    "-fPIC",
]
_starting = threading.Lock()
_builder: threading.Thread | None = None


def kernel(wait: bool = False) -> ctypes.CDLL | None:
    """The compiled kernel, or None where there is none (yet); the first call begins to build it, `wait` until built."""
    global _builder
    if os.environ.get(OFF_VARIABLE):
        return None
    library = _library_path()
    if not library.exists():
        with _starting:
            if _builder is None:
                _builder = threading.Thread(target=built, args=(library,), name="kernel-build")
                _builder.start()
        if wait:
            _builder.join()
    return _loaded(library) if library.exists() else None


def _library_path() -> Path:
    """Where the kernel for this source, these flags and this processor lies."""
    return paths.home() / "cache" / f"decode-{_fingerprint()}.so"


@functools.cache
def _fingerprint() -> str:
    parts = [_SOURCE.read_bytes(), " ".join(_FLAGS).encode(), platform.platform().encode(), _processor()]
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
            command = [compiler, *_FLAGS, str(_SOURCE), "-o", str(made), "-lm"]
            subprocess.run(command, check=True, capture_output=True, timeout=BUILD_SECONDS, stdin=subprocess.DEVNULL)
            made.replace(library)
    except (OSError, subprocess.SubprocessError):
        return None
    return _loaded(library)


@functools.cache
def _loaded(library: Path) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(str(library))
    except OSError:
        return None
