"""What every test gets: a home of its own, and nothing of the user's."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # a shell's background job ignores Ctrl+C, and so would its children
    signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("no deadline", deadline=None)  # tests must not depend on the machine's speed
settings.load_profile("no deadline")
if "PYTEST_XDIST_WORKER" in os.environ and hasattr(os, "sched_setaffinity"):  # each worker has a core of its own
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw")) % len(cores)]})
os.environ.setdefault("OMP_NUM_THREADS", "1")  # for models this small, more threads only wait for each other


@pytest.fixture(autouse=True)
def temporary_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's data directory, empty, for this test alone; settings in the environment do not reach it.

    The compiled decoder is off and charts are drawn in braille, so that tests depend neither on what was built nor on
    the terminal.
    """
    for name in [name for name in os.environ if name.startswith("TUI_GPT_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    monkeypatch.setenv("TUI_GPT_HOME", str(home))
    monkeypatch.setenv("TUI_GPT_NO_KERNEL", "1")
    monkeypatch.setenv("TUI_GPT_ASCII", "0")
    return home
