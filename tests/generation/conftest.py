"""The C extension for all tests that use it: the libraries beside its source if they are newer, else built once.

Of an installed package, its own libraries are used in any case.
"""

import ctypes
import shutil
from pathlib import Path

import pytest

import hatch_build
from tui_gpt.generation import decoders
from tui_gpt.generation.kernel import library as kernel_library

PACKAGE = Path(kernel_library.__file__).parent


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with every variant that this compiler can build, copied if they are up to date."""
    folder = tmp_path_factory.mktemp("kernel")
    if PACKAGE != hatch_build.FOLDER or is_up_to_date():
        for library in PACKAGE.glob("decoder-*.so"):
            shutil.copy(library, folder)
    elif not hatch_build.build_variants(folder):
        pytest.skip("there is no C compiler here")
    return folder


def is_up_to_date() -> bool:
    """Whether all variants lie beside the source, and are newer than it."""
    libraries = [hatch_build.FOLDER / f"decoder-{variant}.so" for variant in hatch_build.VARIANTS]
    sources = [Path(hatch_build.__file__), *hatch_build.FOLDER.glob("*.[ch]")]
    if not all(library.exists() for library in libraries):
        return False
    newest = max(source.stat().st_mtime for source in sources)
    return all(library.stat().st_mtime > newest for library in libraries)


@pytest.fixture
def library(built: Path, monkeypatch: pytest.MonkeyPatch) -> ctypes.CDLL:
    """Return the C extension; every sampler in the test uses it."""
    found, _ = kernel_library.found_in(built)
    assert found is not None
    monkeypatch.setattr(decoders, "library", lambda: found)
    return found
