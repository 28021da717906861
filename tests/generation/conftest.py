"""The decoding kernel, built once for all tests that mean it."""

import ctypes
from pathlib import Path

import pytest

from tui_gpt.gpt.kernel import kernel


@pytest.fixture(scope="session")
def kernel_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which the kernel lies."""
    home = tmp_path_factory.mktemp("kernel-home")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TUI_GPT_NO_KERNEL", raising=False)
        patch.setenv("XDG_CACHE_HOME", str(home))
        if kernel(wait=True) is None:
            pytest.skip("there is no C compiler here")
    return home


@pytest.fixture
def library(kernel_home: Path, monkeypatch: pytest.MonkeyPatch) -> ctypes.CDLL:
    """The kernel; everything in this test that decodes uses it."""
    monkeypatch.delenv("TUI_GPT_NO_KERNEL", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(kernel_home))
    made = kernel()
    assert made is not None
    return made
