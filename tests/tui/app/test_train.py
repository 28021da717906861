"""A run in progress: chart, figures, pausing, stopping, problems."""

from textual.widgets import Input

from tests.fakes import FakeSession, estimated, evaluated, finished, progress, started, training_script
from tests.tui.driver import (
    Busy,
    ask_for_the_rate,
    chart_text,
    click,
    footer_keys,
    notices,
    phase,
    running,
    shown,
    start_and_hold,
    type_number,
)
from tests.tui.fakes import wait_until
from tui_gpt.config import RunConfig
from tui_gpt.control import Control
from tui_gpt.errors import DivergedError
from tui_gpt.escaping import escape_controls
from tui_gpt.events import ChangeRefused, Event, Initialized, ResumeDiffers, Sampled, SettingChanged, StorageProblem
from tui_gpt.requests import Estimate
from tui_gpt.storage import paths
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.dialogs import NumberScreen


async def test_one_key_trains_and_its_events_appear_in_chart_figures_and_sample() -> None:
    async with running() as (pilot, main, session):
        await pilot.press("s")
        await wait_until(pilot, lambda: phase(main) == "finished")
        request = session.requests[0]
        assert (request.config.preset, request.config.corpus) == ("quick", "tinyshakespeare")
        assert "finished" in shown(main, "#headline-text")
        assert all(word in chart_text(main) for word in ("●", "validation", "7-gram 1.51"))
        figures = str(main.query_one("#status").render())
        assert "1,000 of 1,000" in figures
        assert "100%" in figures


async def test_a_sample_is_shown_with_markup_and_control_characters_escaped() -> None:
    """Neither markup nor control characters of the model's text do anything."""
    script: list[Event] = [started(10), Sampled(step=1, prompt="", text="\x1b[2J[red]O[/red]\x07"), finished(10, None)]
    async with running(FakeSession(script)) as (pilot, main, _):
        await pilot.press("s")
        await wait_until(pilot, lambda: phase(main) == "finished")
        assert shown(main, "#sample-text") == escape_controls("\x1b[2J[red]O[/red]\x07")


async def test_a_run_is_read_with_the_arrow_keys() -> None:
    """The cursor reads the chart's values and leafs through the samples; the log axis is remembered."""
    async with running() as (pilot, main, _):
        await pilot.press("s")
        await wait_until(pilot, lambda: phase(main) == "finished")
        await pilot.press("left", "home")
        assert "step 10 " in chart_text(main)
        assert "step 100" in shown(main, "#sample-heading")
        await pilot.press("end")
        assert "step 1,000" in chart_text(main)
        await pilot.press("escape", "l")
        assert "smoothed" in chart_text(main)
        assert "step 1,000" in shown(main, "#sample-heading")
        assert "log scale" in chart_text(main)
        await pilot.press("q")
    assert AppState.load().log_y


async def test_p_pauses_and_continues() -> None:
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        await pilot.press("p")
        await wait_until(pilot, lambda: phase(main) == "paused")
        assert "paused at step 300" in shown(main, "#headline-text")
        await pilot.press("p")
        await wait_until(pilot, lambda: phase(main) == "running")
        session.gate.set()
        await wait_until(pilot, lambda: phase(main) == "finished")
        assert "‖" in chart_text(main) or "▸" in chart_text(main)


async def test_x_stops_and_the_run_can_be_resumed() -> None:
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        await pilot.press("x")
        await wait_until(pilot, lambda: main.control.training is None)
        assert "stopped" in shown(main, "#headline-text")
        await wait_until(pilot, lambda: "Resume" in footer_keys(main))


async def test_buttons_do_what_keys_do() -> None:
    async with running(FakeSession(hold_at=300)) as (pilot, main, _):
        await click(pilot, main, "#start")
        await wait_until(pilot, lambda: main.control.record is not None and main.control.record.step >= 300)
        await click(pilot, main, "#pause")
        await wait_until(pilot, lambda: phase(main) == "paused")
        await click(pilot, main, "#stop")
        await wait_until(pilot, lambda: main.control.training is None)
        assert main.control.record is not None
        assert main.control.record.finished is not None


async def test_the_learning_rate_changes_while_paused() -> None:
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        await pilot.press("p")
        await wait_until(pilot, lambda: phase(main) == "paused")
        await pilot.press("e")
        await wait_until(pilot, lambda: isinstance(main.app.screen, NumberScreen))
        main.app.screen.query_one(Input).value = "5e-4"
        await pilot.press("enter")
        await wait_until(pilot, lambda: not isinstance(main.app.screen, NumberScreen))
        assert main.control.training is not None
        assert main.control.training.control.take_changes() == {"learning_rate": 5e-4}


async def test_an_invalid_learning_rate_is_reported_in_the_dialog_which_stays_open() -> None:
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await ask_for_the_rate(pilot, main, session)
        for text in ("0,001", "50", "", "-1", "1e"):
            assert "learning_rate" in await type_number(pilot, main, text)
            assert isinstance(main.app.screen, NumberScreen)
        assert main.control.training is not None
        assert main.control.training.control.take_changes() == {}
        assert await type_number(pilot, main, "0.001") == ""
        await wait_until(pilot, lambda: main.is_current)
        assert main.control.training.control.take_changes() == {"learning_rate": 0.001}


async def test_the_dialog_begins_with_the_current_learning_rate() -> None:
    changed = SettingChanged(step=10, setting="learning_rate", value=0.005)
    script = [event for one in training_script() for event in ((one, changed) if one.step == 10 else (one,))]
    async with running(FakeSession(script, hold_at=300)) as (pilot, main, session):
        await ask_for_the_rate(pilot, main, session)
        assert main.app.screen.query_one(Input).value == "0.005"


async def test_a_failed_run_is_shown_and_the_app_carries_on() -> None:
    error = DivergedError("the loss became infinite: lower the learning rate")
    async with running(FakeSession([*training_script()[:50], error])) as (pilot, main, _):
        await pilot.press("s")
        await wait_until(pilot, lambda: phase(main) == "failed")
        assert shown(main, "#failure") == str(error)
        await pilot.press("n")
        assert main.train_pane.record is None


async def test_a_full_disk_is_reported_on_screen_while_training_continues() -> None:
    full = "could not save: the disk is full: free some space"
    problem = StorageProblem(step=300, problem=full)
    script = [event for one in training_script() for event in ((one, problem) if one.step == 300 else (one,))]
    async with running(FakeSession(script, hold_at=400)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        assert full in shown(main, "#failure")
        assert phase(main) == "running"


async def test_an_unexpected_error_leaves_a_report_and_shows_its_path() -> None:
    async with running(FakeSession([*training_script(), ZeroDivisionError("oops")])) as (pilot, main, _):
        await pilot.press("s")
        await wait_until(pilot, lambda: phase(main) == "failed")
        reports = list(paths.logs_dir().glob("crash-*.txt"))
        assert len(reports) == 1, [report.read_text() for report in reports]
        assert str(reports[0]) in shown(main, "#failure")
        assert "ZeroDivisionError" in reports[0].read_text()


async def test_estimates_and_losses_of_record_are_distinguished() -> None:
    """While it is trained, figures come from a part of the text; the best model is measured on the whole at the end."""
    script: list[Event] = [started(200)]
    for step in (50, 100, 150, 200):
        script += [progress(step, 2.0), estimated(step, 2.0 - step / 1_000, is_best=step < 200)]
    script += [evaluated(150, 1.7), finished(200, 1.7)]
    async with running(FakeSession(script, hold_at=150), size=(120, 36)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        await wait_until(pilot, lambda: "○" in chart_text(main))
        assert "○ estimate on 8,192 of 111,540 characters" in chart_text(main)
        assert "● validation" not in chart_text(main)
        assert "~1.900" in str(main.query_one("#status").render())
        session.gate.set()
        await wait_until(pilot, lambda: phase(main) == "finished")
        assert "● validation  ○ estimate on 8,192 of 111,540 characters" in chart_text(main)
        figures = str(main.query_one("#status").render())
        assert "1.700" in figures
        assert "~1.700" not in figures


async def test_events_that_need_attention_are_notifications() -> None:
    warnings: list[Event] = [
        Initialized(step=0, source="shipped", new_characters="äß"),
        ChangeRefused(step=5, setting="max_iters", reason="the run has made 9 steps"),
        ResumeDiffers(step=5, expected_loss=2.5, loss=2.75),
    ]
    async with running(FakeSession([started(10), *warnings, finished(10, None)])) as (pilot, main, _):
        await pilot.press("s")
        await wait_until(pilot, lambda: phase(main) == "finished")
        assert "initialized from shipped; new characters: äß" in notices(main)
        assert "max_iters was not changed: the run has made 9 steps" in notices(main)
        assert "2.750000" in notices(main)


async def test_the_activity_of_a_worker_is_on_screen_while_no_event_arrives() -> None:
    async with running(Busy()) as (pilot, main, session):
        await wait_until(pilot, lambda: "estimating: timing steps 30 %" in shown(main, "#estimate"))
        await pilot.press("s")
        await wait_until(pilot, lambda: "counting n-grams 40 %, 1 s" in shown(main, "#headline-text"))
        await wait_until(pilot, lambda: "counting n-grams 40 %, 1 s" in shown(main, "#top-status"))
        session.gate.set()
        await wait_until(pilot, lambda: phase(main) == "finished")
        assert "n-grams" not in shown(main, "#headline-text")


async def test_short_steps_do_not_flicker_in_the_top_line() -> None:
    """The trainer reports each step as an activity."""
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        assert main.control.training is not None
        for step in range(301, 305):
            main.control.training.control.report(f"step {step}")
            main.show_status()
            assert shown(main, "#top-status") == "running 30%"


async def test_stopping_is_shown_at_once_even_before_the_first_step() -> None:
    class Deaf(Busy):
        """Cannot be stopped while it works, as an import cannot."""

        def _work(self, control: Control, name: str, done: float) -> None:
            control.report("loading PyTorch")
            self.gate.wait()

    async with running(Deaf()) as (pilot, main, session):
        await pilot.press("s")
        await wait_until(pilot, lambda: main.control.is_training)
        await pilot.press("x")
        assert "stopping" in shown(main, "#headline-text")
        assert "stopping" in shown(main, "#top-status")
        await wait_until(pilot, lambda: "stopping: loading PyTorch" in shown(main, "#headline-text"))
        session.gate.set()
        await wait_until(pilot, lambda: main.train_pane.record is None)


async def test_time_spent_suspended_does_not_count_as_the_runs_time() -> None:
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        main.was_suspended(5.0)
        assert main.control.training is not None
        assert main.control.training.control.suspended_seconds == 5.0


async def test_an_unexpected_error_in_the_background_leaves_a_report_and_the_app_carries_on() -> None:
    class Broken(FakeSession):
        def estimate(self, config: RunConfig, control: Control) -> Estimate:
            raise ZeroDivisionError("oops")

    async with running(Broken()) as (pilot, main, _):
        await wait_until(pilot, lambda: any(paths.logs_dir().glob("crash-*.txt")))
        await pilot.press("s")
        await wait_until(pilot, lambda: phase(main) == "finished")
