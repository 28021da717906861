"""A run of another process in the Train tab: shown and controlled like one of this app, and not stopped by leaving."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.fakes import FakeSession, finished, started, training_script
from tests.tui.driver import (
    AppPilot,
    chart_text,
    click,
    footer_keys,
    notices,
    open_runs,
    running,
    shown,
    start_and_hold,
    stored,
    type_number,
)
from tests.tui.fakes import wait_until
from tui_gpt.control import Control
from tui_gpt.errors import RunDiedError
from tui_gpt.events import ChangeRefused, Event, RequestRefused
from tui_gpt.storage.runs import Run, RunStore
from tui_gpt.storage.runs.live.attach import READING_LOG
from tui_gpt.tui.app.main_screen import MainScreen
from tui_gpt.tui.dialogs import NumberScreen
from tui_gpt.tui.train.record import RunView
from tui_gpt.tui.train.run_actions import RunAction, is_available
from tui_gpt.tui.train.run_control import RunControl


@contextmanager
def trained_elsewhere(name: str = "far") -> Iterator[Run]:
    """Hold the lock of a run, which no session of the app trains."""
    stored(name)
    run = RunStore().get(name)
    with run.lock():
        run.set_state("running")
        yield run


async def attached(pilot: AppPilot, main: MainScreen, session: FakeSession) -> RunView:
    """Open the run in the Runs tab, and wait until the script is held."""
    await open_runs(pilot, main, 1)
    await pilot.press("enter")
    await wait_until(pilot, lambda: main.train_pane.record is not None)
    record = main.train_pane.record
    assert record is not None
    await wait_until(pilot, lambda: record.step >= (session.hold_at or 0))
    return record


async def test_opening_a_run_that_trains_elsewhere_follows_it() -> None:
    with trained_elsewhere():
        async with running(FakeSession(hold_at=300)) as (pilot, main, session):
            record = await attached(pilot, main, session)
            assert (session.attached, session.requests) == (["far"], [])
            assert main.active_tab == "train"
            assert "following far" in shown(main, "#headline-text")
            await wait_until(pilot, lambda: shown(main, "#top-status").startswith("process "))
            assert "●" in chart_text(main)
            await wait_until(pilot, lambda: {"Pause", "Stop", "Detach"} <= set(footer_keys(main)))
            assert not {"Resume", "New run"} & set(footer_keys(main))
            session.gate.set()
            await wait_until(pilot, lambda: record.phase == "finished")
            await wait_until(pilot, lambda: main.control.attachment is None)
            await wait_until(pilot, lambda: {"Resume", "New run"} <= set(footer_keys(main)))


async def test_the_keys_pause_continue_change_and_stop_the_other_process() -> None:
    with trained_elsewhere():
        async with running(FakeSession(hold_at=300)) as (pilot, main, session):
            record = await attached(pilot, main, session)
            await pilot.press("p")
            await wait_until(pilot, lambda: record.phase == "paused")
            await pilot.press("e")
            await wait_until(pilot, lambda: isinstance(main.app.screen, NumberScreen))
            await type_number(pilot, main, "0.005")
            await wait_until(pilot, lambda: main.is_current)
            assert session.control.take_changes() == {"learning_rate": 0.005}
            await pilot.press("p")
            await wait_until(pilot, lambda: record.phase == "running")
            await click(pilot, main, "#stop")
            await wait_until(pilot, lambda: record.phase == "finished")
            assert record.finished is not None
            assert record.finished.reason == "stopped"


async def test_detaching_leaves_the_run_alone_and_returns_to_the_form() -> None:
    with trained_elsewhere():
        async with running(FakeSession(hold_at=300)) as (pilot, main, session):
            await attached(pilot, main, session)
            await pilot.press("d")
            await wait_until(pilot, lambda: main.train_pane.record is None)
            assert session.control.detach_requested
            assert not session.control.stop_requested
            assert main.control.attachment is None


async def test_leaving_the_app_does_not_ask_and_does_not_stop_the_run() -> None:
    with trained_elsewhere():
        async with running(FakeSession(hold_at=300)) as (pilot, main, session):
            await attached(pilot, main, session)
            await pilot.press("q")
            await wait_until(pilot, lambda: main.quitting.has_left)
            assert session.control.detach_requested
            assert not session.control.stop_requested


async def test_a_process_that_dies_leaves_a_sentence_and_a_run_to_resume() -> None:
    script: list[Event | Exception] = [*training_script()[:20], RunDiedError("process 7 died: resume it")]
    with trained_elsewhere():
        async with running(FakeSession(script)) as (pilot, main, session):
            record = await attached(pilot, main, session)
            await wait_until(pilot, lambda: record.phase == "failed")
            assert shown(main, "#failure") == "process 7 died: resume it"
            await wait_until(pilot, lambda: "Resume" in footer_keys(main))


async def test_a_request_without_effect_is_announced_and_the_run_shown_as_it_was() -> None:
    refused = RequestRefused(step=300, request="pause", reason="process 7 does not answer")

    class Silent(FakeSession):
        def _held(self, step: int, control: Control) -> Iterator[Event]:
            for event in super()._held(step, control):
                control.resume()
                yield refused
                del event

    with trained_elsewhere():
        async with running(Silent(hold_at=300)) as (pilot, main, session):
            record = await attached(pilot, main, session)
            await pilot.press("p")
            await wait_until(pilot, lambda: "process 7 does not answer" in notices(main))
            assert record.phase == "running"


async def test_what_was_announced_before_is_not_announced_again() -> None:
    old = ChangeRefused(step=1, setting="seed", reason="an old refusal")
    new = ChangeRefused(step=2, setting="seed", reason="a new refusal")

    class Past(FakeSession):
        def attach(self, name: str, control: Control) -> Iterator[Event]:
            control.report(READING_LOG)
            yield started()
            yield old
            control.report_idle()
            yield new
            yield finished()

    with trained_elsewhere():
        async with running(Past()) as (pilot, main, session):
            await attached(pilot, main, session)
            await wait_until(pilot, lambda: "a new refusal" in notices(main))
            assert "an old refusal" not in notices(main)


async def test_a_run_of_this_app_and_one_of_another_process_are_controlled_by_themselves() -> None:
    with trained_elsewhere():
        async with running(FakeSession(hold_at=300)) as (pilot, main, session):
            await start_and_hold(pilot, main, session)
            own = session.control
            far = await attached(pilot, main, session)
            await pilot.press("p")
            await wait_until(pilot, lambda: far.phase == "paused")
            assert not own.pause_requested
            assert main.control.record is not None
            assert main.control.record.phase == "running"


def test_a_long_log_is_applied_a_part_at_a_time() -> None:
    """The screen stays responsive while it catches up."""
    with trained_elsewhere():
        control = RunControl(FakeSession(training_script(30_000)), RunStore())
        record = control.follow(control.open("far"))
        assert control.attachment is not None
        control.attachment._following.wait(60.0)
        updates = []
        while control.attachment is not None:
            updates.append(control.poll_attached())
        sizes = [len(update.events) for update in updates if update is not None]
        assert max(sizes) == 2_000
        assert sum(sizes) == len(training_script(30_000))
        assert record.phase == "finished"


def test_opening_the_run_again_shows_the_same_record() -> None:
    with trained_elsewhere():
        control = RunControl(FakeSession(hold_at=300), RunStore())
        record = control.follow(control.open("far"))
        assert control.follow(control.open("far")) is record
        assert control.is_live(record)
        control.detach()
        assert not control.is_live(record)
        assert record.phase == "replayed"


@pytest.mark.parametrize(("writer", "expected"), [("process 7", True), ("", False)])
def test_only_a_run_of_another_process_can_be_detached_from(writer: str, expected: bool) -> None:
    record = RunView(name="far", phase="running", writer=writer)
    assert is_available(RunAction.DETACH, record, is_live=True) == expected


def test_reading_a_run_leaves_the_followed_one_alone() -> None:
    """It is done in a thread, while the event loop uses the attachment."""
    with trained_elsewhere("far"), trained_elsewhere("near"):
        control = RunControl(FakeSession(hold_at=300), RunStore())
        assert not control.is_live(control.open("far"))
        far = control.follow(control.open("far"))
        near = control.open("near")
        assert control.live_record is far
        assert control.follow(near) is near
        assert [control.is_live(record) for record in (far, near)] == [False, True]
        assert far.phase == "replayed"
        control.detach()
