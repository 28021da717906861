"""Quitting, with and without a run in progress."""

import os

import pytest

from tests.fakes import FakeSession
from tests.tui.driver import Busy, notices, phase, running, start_and_hold
from tests.tui.fakes import wait_until
from tui_gpt.control import Control
from tui_gpt.errors import EXIT_DONE
from tui_gpt.storage import paths
from tui_gpt.tui.app.terminal import native_output_in_a_file
from tui_gpt.tui.dialogs import QuestionScreen


async def test_q_leaves_at_once_when_nothing_trains() -> None:
    async with running() as (pilot, main, _):
        await pilot.press("q")
        await wait_until(pilot, lambda: not main.app.is_running)
        assert main.app.return_code == EXIT_DONE


async def test_q_asks_while_training_and_escape_keeps_training() -> None:
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        await pilot.press("q")
        await wait_until(pilot, lambda: isinstance(main.app.screen, QuestionScreen))
        await pilot.press("escape")
        await wait_until(pilot, lambda: not isinstance(main.app.screen, QuestionScreen))
        assert main.control.is_training
        assert main.control.training is not None
        assert not main.control.training.control.stop_requested


@pytest.mark.parametrize(("answer", "paused"), [("s", False), ("enter", True)])
async def test_save_and_quit_waits_until_the_run_is_saved(answer: str, paused: bool) -> None:
    """A paused run is woken to save."""
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        if paused:
            await pilot.press("p")
            await wait_until(pilot, lambda: phase(main) == "paused")
        await pilot.press("q")
        await wait_until(pilot, lambda: isinstance(main.app.screen, QuestionScreen))
        await pilot.press(answer)
        await wait_until(pilot, lambda: not main.app.is_running)
        assert main.control.record is not None
        assert main.control.record.finished is not None
        assert main.control.record.finished.reason == "stopped"
        assert main.app.return_code == EXIT_DONE


async def test_ctrl_c_never_quits() -> None:
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        await pilot.press("ctrl+c")
        assert main.app.is_running
        assert main.control.is_training


async def test_a_signal_exits_with_its_code() -> None:
    """What a signal does."""
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        main.quitting.leave(143)
        await wait_until(pilot, lambda: not main.app.is_running)
        assert main.app.return_code == 143


async def test_quitting_before_the_first_step_needs_no_confirmation_and_does_not_wait() -> None:
    """The worker is never let go."""

    class Stuck(Busy):
        def _work(self, control: Control, name: str, done: float) -> None:
            self.gate.wait()

    session = Stuck()
    async with running(session) as (pilot, main, _):
        await pilot.press("s")
        await wait_until(pilot, lambda: main.control.is_training)
        await pilot.press("q")
        await wait_until(pilot, lambda: not main.app.is_running)
        assert not session.gate.is_set()
        assert main.app.return_code == EXIT_DONE
        session.gate.set()
        assert main.control.training is not None
        main.control.training.wait(10.0)
        main.control.training = None


async def test_a_state_that_cannot_be_saved_is_reported_once_and_on_exit() -> None:
    async with running() as (pilot, main, _):
        paths.state_file().parent.mkdir(parents=True, exist_ok=True)
        paths.state_file().mkdir()
        for theme in ("nord", "gruvbox", "dracula"):
            main.app.theme = theme
            await pilot.pause()
        assert notices(main).count("cannot be saved") == 1
        await pilot.press("q")
        await wait_until(pilot, lambda: not main.app.is_running)
        assert any("cannot be saved" in str(words) for words in main.app._exit_renderables)


async def test_the_theme_persists() -> None:
    async with running() as (pilot, main, _session):
        main.app.theme = "nord"
        await pilot.pause()
    async with running() as (_, main, _session):
        assert main.app.theme == "nord"


def test_output_of_native_libraries_goes_to_a_log_that_is_overwritten(capfd: pytest.CaptureFixture[str]) -> None:
    for noise in (b"first", b"second"):
        with native_output_in_a_file():
            os.write(1, noise)
    assert (paths.logs_dir() / "native.log").read_bytes() == b"second"
    os.write(1, b"after")
    assert capfd.readouterr().out == "after"
