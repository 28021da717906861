"""The Runs tab: opening, resuming, deleting."""

import threading
from unittest.mock import patch

from textual.widgets import TabbedContent

from tests.fakes import FakeSession, estimated, evaluated
from tests.tui.driver import chart_text, notices, open_runs, running, shown, start_and_hold, stored, type_number
from tests.tui.fakes import wait_until
from tui_gpt.config import resolve
from tui_gpt.requests import TrainRequest
from tui_gpt.storage.runs import RunStore
from tui_gpt.tui.dialogs import NumberScreen


async def test_without_runs_the_tab_says_how_to_train_one() -> None:
    async with running() as (pilot, main, _):
        await pilot.press("3")
        await wait_until(pilot, lambda: bool(main.query("#no-runs")) and "no runs yet" in shown(main, "#no-runs"))


async def test_enter_opens_a_run_in_the_chart_without_torch() -> None:
    stored("first")
    async with running() as (pilot, main, session):
        await open_runs(pilot, main, 1)
        await pilot.press("enter")
        await wait_until(pilot, lambda: main.train_pane.record is not None)
        assert main.active_tab == "train"
        assert "●" in chart_text(main)
        assert "first" in shown(main, "#headline-text")
        assert session.requests == []


async def test_a_best_loss_that_is_an_estimate_is_marked_in_the_list() -> None:
    for name, event in (("rough", estimated(10, 1.5)), ("exact", evaluated(10, 1.25))):
        RunStore().create(resolve("nano"), name).record(event)
    async with running() as (pilot, main, _):
        table = await open_runs(pilot, main, 2)
        best = {cells["run"]: cells["loss"] for cells in map(table.cells_at, range(2))}
        assert best == {"rough": "~1.5000", "exact": "1.2500"}


async def test_a_deleted_run_is_restored_by_undo() -> None:
    stored("first")
    stored("second")
    async with running() as (pilot, main, _):
        table = await open_runs(pilot, main, 2)
        name = table.cells_at(0)["run"]
        await pilot.press("d")
        await wait_until(pilot, lambda: table.row_count == 1)
        assert f"{name} is deleted: u restores it until you quit" in notices(main)
        assert len(RunStore().list()) == 1
        await pilot.press("u")
        await wait_until(pilot, lambda: table.row_count == 2)
        assert sorted(run.name for run in RunStore().list()) == ["first", "second"]
        await pilot.press("u")
        await wait_until(pilot, lambda: "no deleted run can be restored" in notices(main))


async def test_the_cursor_is_on_a_restored_run() -> None:
    for name in ("first", "second", "third"):
        stored(name)
    async with running() as (pilot, main, _):
        table = await open_runs(pilot, main, 3)
        await pilot.press("end")
        name = table.cells_at(2)["run"]
        await pilot.press("d")
        await wait_until(pilot, lambda: table.row_count == 2)
        await pilot.press("home", "u")
        await wait_until(pilot, lambda: table.row_count == 3)
        await wait_until(pilot, lambda: table.current is not None and table.current.name == name)


async def test_the_only_run_is_restored_by_undo() -> None:
    stored("only")
    async with running() as (pilot, main, _):
        table = await open_runs(pilot, main, 1)
        await pilot.press("d")
        await wait_until(pilot, lambda: "no runs yet" in shown(main, "#no-runs"))
        await pilot.press("u")
        await wait_until(pilot, lambda: table.row_count == 1)
        await wait_until(pilot, lambda: table.has_focus)


async def test_a_deleted_run_leaves_the_train_tab_and_the_keys_still_work() -> None:
    stored("first")
    stored("second")
    async with running() as (pilot, main, _):
        table = await open_runs(pilot, main, 2)
        await pilot.press("enter")
        await wait_until(pilot, lambda: main.train_pane.record is not None)
        await open_runs(pilot, main, 2)
        await pilot.press("home", "d")
        await wait_until(pilot, lambda: main.train_pane.record is None)
        await pilot.press("u")
        await wait_until(pilot, lambda: table.row_count == 2)


async def test_the_run_in_progress_is_not_deleted_and_stays_on_screen() -> None:
    stored("first")
    RunStore().get("first").set_state("stopped")
    async with running(FakeSession(hold_at=300)) as (pilot, main, _):
        await open_runs(pilot, main, 1)
        await pilot.press("r")
        await wait_until(pilot, lambda: main.control.is_training and main.train_pane.record is main.control.record)
        await wait_until(pilot, lambda: main.control.record is not None and main.control.record.name == "first")
        await open_runs(pilot, main, 1)
        await pilot.press("d")
        await wait_until(pilot, lambda: "first is training: stop it first" in notices(main))
        assert main.is_current
        assert main.train_pane.record is main.control.record
        assert len(RunStore().list()) == 1


async def test_a_run_in_progress_elsewhere_is_not_deleted_and_stays_on_screen() -> None:
    stored("first")
    async with running() as (pilot, main, _):
        await open_runs(pilot, main, 1)
        await pilot.press("enter")
        await wait_until(pilot, lambda: main.train_pane.record is not None)
        await open_runs(pilot, main, 1)
        with RunStore().get("first").lock():
            await pilot.press("d")
            await wait_until(pilot, lambda: "is writing the run" in notices(main))
        assert main.train_pane.record is not None
        assert len(RunStore().list()) == 1


async def test_a_finished_run_resumes_up_to_the_chosen_step() -> None:
    stored("first")
    async with running() as (pilot, main, session):
        await open_runs(pilot, main, 1)
        await pilot.press("r")
        await wait_until(pilot, lambda: isinstance(main.app.screen, NumberScreen))
        await pilot.press("enter")
        await wait_until(pilot, lambda: len(session.requests) == 1)
        assert session.requests[0].resume == "first"
        assert session.requests[0].changes == {"max_iters": 200, "max_seconds": None}
        assert main.active_tab == "train"


async def test_a_finished_run_resumes_only_to_a_later_step() -> None:
    stored("first")
    async with running() as (pilot, main, session):
        await open_runs(pilot, main, 1)
        await pilot.press("r")
        await wait_until(pilot, lambda: isinstance(main.app.screen, NumberScreen))
        for text in ("", "100", "1e3", "1,5"):
            assert "not a step after 100" in await type_number(pilot, main, text)
        assert "100,000,000" in await type_number(pilot, main, "200000000")
        assert session.requests == []
        await type_number(pilot, main, "1,000")
        await wait_until(pilot, lambda: len(session.requests) == 1)
        assert session.requests[0].changes == {"max_iters": 1_000, "max_seconds": None}


async def test_a_stopped_run_resumes_at_once_with_its_past_in_the_chart() -> None:
    stored("first")
    RunStore().get("first").set_state("stopped")
    async with running(FakeSession([])) as (pilot, main, session):
        await open_runs(pilot, main, 1)
        await pilot.press("r")
        await wait_until(pilot, lambda: len(session.requests) == 1)
        [request] = session.requests
        assert request == TrainRequest(resume="first", began=request.began)
        assert main.control.record is not None
        assert main.control.record.step == 100


async def test_g_opens_a_run_in_the_generate_tab() -> None:
    stored("first")
    async with running() as (pilot, main, _):
        await open_runs(pilot, main, 1)
        await pilot.press("g")
        await wait_until(pilot, lambda: main.query_one(TabbedContent).active == "generate")
        assert main.state.source == "first"


async def test_a_second_run_is_refused_while_one_trains() -> None:
    stored("first")
    RunStore().get("first").set_state("stopped")
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        await open_runs(pilot, main, 1)
        await pilot.press("r")
        await pilot.pause()
        assert len(session.requests) == 1


async def test_a_key_that_is_pressed_twice_deletes_one_run() -> None:
    for name in ("a", "b", "c"):
        stored(name)
    gate = threading.Event()
    async with running() as (pilot, main, _):
        table = await open_runs(pilot, main, 3)
        name, delete = table.cells_at(0)["run"], main.control.trash.delete

        def held(name: str) -> None:
            delete(name)
            gate.wait(20)

        with patch.object(main.control.trash, "delete", held):
            await pilot.press("d")
            await wait_until(pilot, lambda: len(RunStore().list()) == 2)
            await pilot.press("d", "m", "w", "u")
            gate.set()
            await wait_until(pilot, lambda: table.row_count == 2)
        assert main.is_current
        assert notices(main) == f"{name} is deleted: u restores it until you quit"
        await pilot.press("u")
        await wait_until(pilot, lambda: table.row_count == 3)
