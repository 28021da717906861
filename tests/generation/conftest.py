"""The C extension, built once from its source for all tests that use it."""

import ctypes
from pathlib import Path

import pytest

import hatch_build
from tui_gpt.generation import decoders
from tui_gpt.generation.kernel import library as kernel_library


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with every variant that this compiler can build."""
    folder = tmp_path_factory.mktemp("kernel")
    if not hatch_build.build_variants(folder):
        pytest.skip("there is no C compiler here")
    return folder


@pytest.fixture
def library(built: Path, monkeypatch: pytest.MonkeyPatch) -> ctypes.CDLL:
    """Return the C extension; every sampler in the test uses it."""
    found, _ = kernel_library.found_in(built)
    assert found is not None
    monkeypatch.setattr(decoders, "library", lambda: found)
    return found
