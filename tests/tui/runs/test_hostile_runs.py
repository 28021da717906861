"""The Runs tab over folders from a stranger: each is a row, and none holds up the others or the app."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from tests.storage.hostile import KINDS, NotPossibleHereError, Outside, put
from tests.tui.driver import open_runs, running, stored
from tests.tui.fakes import wait_until
from tui_gpt.storage import paths
from tui_gpt.storage.runs import RunStore

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes, sockets and devices are files of POSIX systems")


def gifts(places: Sequence[str], kinds: Sequence[str], outside: Outside) -> int:
    """Create runs that seem to be in progress, each with one hostile file; return their number."""
    for number, (place, kind) in enumerate((place, kind) for place in places for kind in kinds):
        stored(f"gift-{number}", steps=20)
        RunStore().get(f"gift-{number}").set_state("running")
        with suppress(NotPossibleHereError):
            put(kind, paths.runs_dir() / f"gift-{number}" / place, outside)
    return len(places) * len(kinds)


async def test_the_runs_tab_lists_whatever_a_stranger_made(tmp_path: Path) -> None:
    outside = Outside(tmp_path / "outside")
    count = gifts(["run.json", "events.jsonl", "lock", "last", "best"], list(KINDS), outside)
    before = outside.state()
    async with running() as (pilot, main, _):
        await open_runs(pilot, main, count)
    assert outside.state() == before
    assert not list(paths.logs_dir().glob("crash-*.txt"))


async def test_a_run_whose_log_is_no_file_opens_without_a_chart(tmp_path: Path) -> None:
    outside = Outside(tmp_path / "outside")
    gifts(["events.jsonl"], ["pipe"], outside)
    async with running() as (pilot, main, session):
        await open_runs(pilot, main, 1)
        await pilot.press("enter")
        await wait_until(pilot, lambda: main.train_pane.record is not None)
        assert session.requests == []
