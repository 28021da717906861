"""Build the C extension when tui-gpt is installed, also with `pip install -e .`.

Each variant is a shared library beside its source, for ctypes; the one for the processor is chosen when it is loaded.
If there is no C compiler, or it fails, the package is installed without, and NumPy generates text.
The environment variable CC names another compiler, with arguments if need be (.ci/wheels compiles for other platforms).
`python hatch_build.py` rebuilds it after a change.
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path(__file__).parent / "tui_gpt" / "generation" / "kernel"
VARIANTS = {
    "baseline": [],
    "avx2": ["-mavx2", "-mfma", "-mf16c"],
    "avx512": ["-mavx512f", "-mavx2", "-mfma", "-mf16c"],
}
"""Flags for x86-64; a compiler for another processor rejects all but the first variant."""
SOURCES = ("decoder.c", "adaptive.c")
FLAGS = [
    "-O3",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-signed-zeros",
    "-ffinite-math-only",
    "-shared",
    "-fPIC",
]
TIMEOUT_SECONDS = 300


class BuildHook(BuildHookInterface):  # type: ignore[type-arg]  # any configuration
    """Hatch's hook for wheels, including editable ones."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # hatch's signature
        """Build the libraries; a wheel that contains one is for this platform only."""
        if build_variants(FOLDER):
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{platform_tag()}"


def platform_tag() -> str:
    """Return the tag of this platform in the name of a wheel."""
    from packaging.tags import sys_tags

    tags = (tag.platform for tag in sys_tags())
    return next(tag for tag in tags if "manylinux" not in tag and "musllinux" not in tag)


def build_variants(folder: Path) -> list[Path]:
    """Compile SOURCES to `folder` for every instruction set that the compiler supports; return the libraries.

    The list is empty if even the baseline failed. Libraries of an earlier build are removed.
    """
    for old in folder.glob("decoder-*.so"):
        old.unlink()
    compiler = find_compiler()
    if compiler is None:
        return []
    built: list[Path] = []
    sources = [str(FOLDER / source) for source in SOURCES]
    for name, flags in VARIANTS.items():
        library = folder / f"decoder-{name}.so"
        if not _runs([*compiler, *FLAGS, *flags, *sources, "-o", str(library), "-lm"]):
            library.unlink(missing_ok=True)
            break
        built.append(library)
    return built


def find_compiler() -> list[str] | None:
    """Return the command of the C compiler: CC of the environment, else the one of the system, or None.

    On macOS without developer tools, /usr/bin/cc would open a dialog instead of compiling, so it is not used.
    """
    if chosen := os.environ.get("CC"):
        return shlex.split(chosen)
    if sys.platform == "darwin" and not _runs(["xcode-select", "-p"]):
        return None
    found = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    return None if found is None else [found]


def _runs(command: list[str]) -> bool:
    """Return whether a command succeeds."""
    quiet = subprocess.DEVNULL
    try:
        return subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, timeout=TIMEOUT_SECONDS).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


if __name__ == "__main__":
    print("\n".join(map(str, build_variants(FOLDER))) or "no C compiler, or it failed")
