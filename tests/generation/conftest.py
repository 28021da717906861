"""The compiled decoder, built once from the source for all tests that mean it."""

import ctypes
from pathlib import Path

import pytest

import hatch_build
from tui_gpt.generation import decoders
from tui_gpt.generation.kernel import library as kernel_library


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every variant that the compiler here can make."""
    folder = tmp_path_factory.mktemp("kernel")
    if not hatch_build.build_variants(folder):
        pytest.skip("there is no C compiler here")
    return folder


@pytest.fixture
def library(built: Path, monkeypatch: pytest.MonkeyPatch) -> ctypes.CDLL:
    """The compiled decoder; every sampler in this test uses it."""
    found, _ = kernel_library.found_in(built)
    assert found is not None
    monkeypatch.setattr(decoders, "library", lambda: found)
    return found
