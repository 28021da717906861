"""The README's test command is the one that continuous integration runs."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / ".ci" / "run"

pytestmark = pytest.mark.skipif(not SCRIPT.is_file(), reason="these are the tests of the repository, not of a package")


def test_the_readme_shows_the_command_that_ci_runs() -> None:
    line = next(line for line in SCRIPT.read_text().splitlines() if line.startswith("readonly test_command="))
    command = line.partition("=")[2].strip("'")
    assert command.endswith("pytest")
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_script_can_be_started() -> None:
    assert os.access(SCRIPT, os.X_OK)
