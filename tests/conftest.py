"""What every test gets: a home of its own, and nothing of the user's."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("no deadline", deadline=None)  # tests must not depend on the machine's speed
settings.load_profile("no deadline")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # for models this small, more threads only wait for each other


@pytest.fixture(autouse=True)
def temporary_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's data directory, empty, for this test alone; settings in the environment do not reach it.

    The compiled decoder is off, so that tests do not depend on whether it was built.
    """
    for name in [name for name in os.environ if name.startswith("TUI_GPT_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    monkeypatch.setenv("TUI_GPT_HOME", str(home))
    monkeypatch.setenv("TUI_GPT_NO_KERNEL", "1")
    return home
