"""The app by keys, over a session that trains from a script."""

import gc
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.events import DescendantFocus
from textual.pilot import Pilot
from textual.widgets import Button, DataTable, Input, Static, TabbedContent
from textual.widgets._footer import FooterKey

from tests.tui.fakes import (
    FakeSession,
    estimated,
    evaluated,
    finished,
    progress,
    started,
    training_script,
    wait_until,
)
from tui_gpt.config import PRESETS, RunConfig, SampleConfig, resolve
from tui_gpt.control import Control
from tui_gpt.errors import EXIT_DONE, ConfigError, DivergedError
from tui_gpt.escaping import escape_controls
from tui_gpt.events import ChangeRefused, Event, Initialized, ResumeDiffers, Sampled, SettingChanged, StorageProblem
from tui_gpt.requests import Estimate, TrainRequest
from tui_gpt.storage import paths
from tui_gpt.storage.runs import RunStore
from tui_gpt.tui.app.app import TuiGptApp, native_noise_in_a_file, usable_theme
from tui_gpt.tui.app.dialogs import NumberScreen, QuestionScreen
from tui_gpt.tui.app.help_screen import HelpScreen
from tui_gpt.tui.app.main_screen import MainScreen
from tui_gpt.tui.app.state import DEFAULT_THEME, AppState
from tui_gpt.tui.train.form import FIELDS
from tui_gpt.tui.train.loss_chart import LossChart
from tui_gpt.tui.train.settings_form import SettingInput, SettingsForm

AppPilot = Pilot[None]
NARROW, WIDE = (80, 24), (160, 48)
TABS = {"f2": "train", "f3": "generate", "f4": "runs-tab"}


@asynccontextmanager
async def running(
    session: FakeSession | None = None, size: tuple[int, int] = NARROW, request: TrainRequest | None = None
) -> AsyncIterator[tuple[AppPilot, MainScreen, FakeSession]]:
    """The app on a screen, past its first picture."""
    session = session or FakeSession()
    app = TuiGptApp(request, session=session)
    async with app.run_test(size=size) as pilot:
        await wait_until(pilot, lambda: app.main is not None and app.main.waker.is_done)
        main = app.main
        assert main is not None
        try:
            yield pilot, main, session
        finally:
            session.gate.set()
            if main.training:
                main.training.control.stop()
                await wait_until(pilot, lambda: main.training is None)


def phase(main: MainScreen) -> str:
    return main.record.phase if main.record else ""


def shown(main: MainScreen, selector: str) -> str:
    """What a Static says."""
    return str(main.query_one(selector, Static).content)


def chart_text(main: MainScreen) -> str:
    chart = main.query_one(LossChart)
    return "\n".join(chart.render_line(y).text for y in range(chart.size.height))


def footer_keys(main: MainScreen) -> list[str]:
    return [key.description for key in main.query(FooterKey) if key.display]


def notices(main: MainScreen) -> str:
    """What passed by."""
    return "\n".join(notice.message for notice in main.app._notifications)


async def start_and_hold(pilot: AppPilot, main: MainScreen, session: FakeSession) -> None:
    """Press s, and wait until the script has come to where it holds."""
    await pilot.press("s")
    await wait_until(pilot, lambda: main.record is not None and main.record.step >= (session.hold_at or 0))


async def test_the_form_offers_the_default_preset_and_says_how_long_it_takes() -> None:
    async with running() as (pilot, main, _):
        await wait_until(pilot, lambda: "about" in shown(main, "#estimate"))
        assert shown(main, "#estimate") == "about 1 min 02 s · 1,200 steps · 810 k parameters · 1.00 M characters"
        assert main.query_one("#setting-corpus", Input).value == "tinyshakespeare"


async def test_the_form_offers_what_the_users_settings_file_says() -> None:
    """Also once the menu of presets has told of everything that it highlighted on its way."""
    paths.config_file().parent.mkdir(parents=True, exist_ok=True)
    paths.config_file().write_text('[train]\npreset = "nano"\nmax_iters = 150\nn_layer = 2\n')
    async with running() as (pilot, main, session):
        await wait_until(pilot, lambda: "about" in shown(main, "#estimate"))
        await pilot.press("s")
        await wait_until(pilot, lambda: phase(main) == "finished")
        config = session.requests[0].config
        assert (config.preset, config.train.max_iters, config.model.n_layer) == ("nano", 150, 2)


async def test_keys_that_have_left_the_footer_are_let_go_of() -> None:
    """Each tab has keys of its own; those of the tabs before must not pile up over an afternoon."""
    async with running() as (pilot, main, _):
        for tab in ("f4", "f3", "f2") * 5:
            await pilot.press(tab)
            await wait_until(pilot, lambda tab=tab: main.tabs.active == TABS[tab])  # type: ignore[misc]  # a default
        gc.collect()
        keys = [one for one in gc.get_objects() if type(one) is FooterKey and one.app is main.app]
        assert len(keys) < 40


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


async def test_a_sample_is_shown_as_it_is_and_inert() -> None:
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


async def test_a_request_from_the_command_line_starts_at_once() -> None:
    request = TrainRequest(config=resolve("nano"), name="mine", began=5.0)
    async with running(request=request) as (pilot, main, session):
        await wait_until(pilot, lambda: phase(main) == "finished")
        assert session.requests == [request]


async def test_p_pauses_and_goes_on() -> None:
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


async def test_x_stops_and_the_run_can_go_on() -> None:
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        await pilot.press("x")
        await wait_until(pilot, lambda: main.training is None)
        assert "stopped" in shown(main, "#headline-text")
        await wait_until(pilot, lambda: "Go on" in footer_keys(main))


def is_in_sight(main: MainScreen, selector: str) -> bool:
    """Whether a click on the widget would reach it: it is laid out, and nothing lies above it."""
    widget = main.query_one(selector)
    x, y = widget.region.center
    return widget.region.area > 0 and main.get_widget_at(int(x), int(y))[0] is widget


async def click(pilot: AppPilot, main: MainScreen, selector: str) -> None:
    await wait_until(pilot, lambda: is_in_sight(main, selector))
    await pilot.click(selector)


async def test_buttons_do_what_keys_do() -> None:
    async with running(FakeSession(hold_at=300)) as (pilot, main, _):
        await click(pilot, main, "#start")
        await wait_until(pilot, lambda: main.record is not None and main.record.step >= 300)
        await click(pilot, main, "#pause")
        await wait_until(pilot, lambda: phase(main) == "paused")
        await click(pilot, main, "#stop")
        await wait_until(pilot, lambda: main.training is None)
        assert main.record is not None
        assert main.record.finished is not None


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
        assert main.training is not None
        assert main.training.control.take_changes() == {"learning_rate": 5e-4}


async def ask_for_the_rate(pilot: AppPilot, main: MainScreen, session: FakeSession) -> None:
    """Pause, and open the dialog."""
    await start_and_hold(pilot, main, session)
    await pilot.press("p")
    await wait_until(pilot, lambda: phase(main) == "paused")
    await pilot.press("e")
    await wait_until(pilot, lambda: isinstance(main.app.screen, NumberScreen))


async def type_number(pilot: AppPilot, main: MainScreen, text: str) -> str:
    """Type a number into the dialog and press Enter; what the dialog then says is wrong."""
    dialog = main.app.screen
    await wait_until(pilot, lambda: bool(dialog.query("#refusal")))
    refusal = dialog.query_one("#refusal", Static)
    dialog.query_one(Input).value = text
    await pilot.pause()
    await pilot.press("enter")
    await pilot.pause()
    return str(refusal.content)


async def test_a_rate_that_cannot_be_is_said_in_the_dialog_which_stays() -> None:
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await ask_for_the_rate(pilot, main, session)
        for text in ("0,001", "50", "", "-1", "1e"):
            assert "learning_rate" in await type_number(pilot, main, text)
            assert isinstance(main.app.screen, NumberScreen)
        assert main.training is not None
        assert main.training.control.take_changes() == {}
        assert await type_number(pilot, main, "0.001") == ""
        await wait_until(pilot, lambda: main.is_current)
        assert main.training.control.take_changes() == {"learning_rate": 0.001}


async def test_the_dialog_begins_with_the_rate_that_holds_now() -> None:
    changed = SettingChanged(step=10, setting="learning_rate", value=0.005)
    script = [event for one in training_script() for event in ((one, changed) if one.step == 10 else (one,))]
    async with running(FakeSession(script, hold_at=300)) as (pilot, main, session):
        await ask_for_the_rate(pilot, main, session)
        assert main.app.screen.query_one(Input).value == "0.005"


async def test_an_invalid_setting_shows_its_sentence_and_cannot_start() -> None:
    async with running() as (pilot, main, session):
        heads = main.query_one("#setting-n_head", SettingInput)
        heads.focus()
        heads.value = "7"
        await pilot.pause()
        sentence = main.query_one("#sentence", Static)
        assert "multiple of n_head" in str(sentence.content)
        assert sentence.region.y == heads.region.y + 1
        assert main.query_one("#start", Button).disabled
        await pilot.press("s")
        await pilot.pause()
        assert session.requests == []
        heads.value = "4"
        await pilot.pause()
        assert not sentence.display
        await pilot.press("s")
        await wait_until(pilot, lambda: len(session.requests) == 1)


async def test_a_text_that_is_not_there_is_said_under_its_field_and_makes_no_run() -> None:
    async with running() as (pilot, main, session):
        main.query_one("#setting-corpus", Input).value = "/no/such/file.txt"
        main.query_one("#presets").focus()
        await pilot.press("s")
        await wait_until(pilot, lambda: "file" in shown(main, "#sentence"))
        assert session.requests == []


async def test_a_validation_text_that_is_not_there_is_said_under_its_own_field() -> None:
    async with running() as (pilot, main, session):
        main.query_one("#setting-val_file", Input).value = "/no/such/file.txt"
        main.query_one("#presets").focus()
        await pilot.press("s")
        await wait_until(pilot, lambda: "no file" in shown(main, "#sentence"))
        assert main.query_one("#setting-val_file").has_class("wrong")
        assert session.requests == []


async def test_how_the_text_is_split_stays_when_another_preset_is_chosen(tmp_path: Path) -> None:
    (tmp_path / "poems.txt").write_text("a poem\nof two lines\n\n" * 100)
    async with running() as (pilot, main, session):
        main.query_one("#setting-corpus", Input).value = str(tmp_path / "poems.txt")
        main.query_one("#setting-val_share", Input).value = "0.2"
        main.query_one("#setting-shuffle_documents", Input).value = "yes"
        main.query_one("#presets").focus()
        await pilot.press(*["down"] * list(PRESETS).index("bigram"))
        assert main.query_one("#setting-val_share", Input).value == "0.2"
        await pilot.press("s")
        await wait_until(pilot, lambda: len(session.requests) == 1)
        train = session.requests[0].config.train
        assert (session.requests[0].config.preset, train.val_share, train.shuffle_documents) == ("bigram", 0.2, True)
        assert "validates on 20 of 100 documents" in notices(main)


@pytest.mark.parametrize("size", [(80, 24), (80, 31), (100, 35), (100, 36)])
async def test_every_field_of_the_form_is_on_screen(size: tuple[int, int]) -> None:
    async with running(size=size) as (_, main, _):
        for field in FIELDS:
            row = main.query_one(f"#setting-{field.name}").region
            assert main.query_one("#setup").region.contains_region(row), field.name
        form = main.query_one(SettingsForm)
        assert form.max_scroll_y == 0


async def test_choosing_a_preset_fills_the_form() -> None:
    async with running() as (pilot, main, session):
        main.query_one("#presets").focus()
        steps = list(PRESETS).index("bigram")
        await pilot.press(*["down"] * steps)
        assert main.query_one("#setting-n_layer", Input).value == "0"
        await pilot.press("s")
        await wait_until(pilot, lambda: len(session.requests) == 1)
        assert session.requests[0].config.preset == "bigram"


async def test_letters_in_a_field_for_text_are_text() -> None:
    async with running() as (pilot, main, session):
        corpus = main.query_one("#setting-corpus", Input)
        corpus.focus()
        corpus.value = ""
        await pilot.press("s", "q")
        assert corpus.value == "sq"
        assert session.requests == []


async def test_a_failing_worker_is_shown_and_the_app_lives_on() -> None:
    error = DivergedError("the loss became infinite: lower the learning rate")
    async with running(FakeSession(training_script()[:50], fail_with=error)) as (pilot, main, _):
        await pilot.press("s")
        await wait_until(pilot, lambda: phase(main) == "failed")
        assert shown(main, "#failure") == str(error)
        await pilot.press("n")
        assert main.train_pane.record is None


async def test_a_disk_that_refuses_is_said_on_screen_while_training_goes_on() -> None:
    full = "could not save: the disk is full: free some space"
    problem = StorageProblem(step=300, problem=full)
    script = [event for one in training_script() for event in ((one, problem) if one.step == 300 else (one,))]
    async with running(FakeSession(script, hold_at=400)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        assert full in shown(main, "#failure")
        assert phase(main) == "running"


async def test_an_unexpected_error_leaves_a_report_and_names_it() -> None:
    async with running(FakeSession(fail_with=ZeroDivisionError("oops"))) as (pilot, main, _):
        await pilot.press("s")
        await wait_until(pilot, lambda: phase(main) == "failed")
        reports = list(paths.logs_dir().glob("crash-*.txt"))
        assert len(reports) == 1, [report.read_text() for report in reports]
        assert str(reports[0]) in shown(main, "#failure")
        assert "ZeroDivisionError" in reports[0].read_text()


async def test_a_torch_that_cannot_be_imported_is_said() -> None:
    class NoTorch(FakeSession):
        def load_torch(self) -> None:
            raise ImportError("libtorch is missing")

    async with running(NoTorch()) as (pilot, main, _):
        await pilot.press("s")
        await wait_until(pilot, lambda: phase(main) == "failed")
        assert "doctor" in shown(main, "#failure")


async def test_what_only_training_needs_is_imported_after_the_rest() -> None:
    async with running() as (pilot, main, session):
        await wait_until(pilot, lambda: not main.waker.is_busy)
        assert session.woken
        assert session.settled
        assert gc.isenabled()


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
        assert main.is_training
        assert main.training is not None
        assert not main.training.control.stop_requested


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
        assert main.record is not None
        assert main.record.finished is not None
        assert main.record.finished.reason == "stopped"
        assert main.app.return_code == EXIT_DONE


async def test_ctrl_c_never_quits() -> None:
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        await pilot.press("ctrl+c")
        assert main.app.is_running
        assert main.is_training


async def test_leaving_with_a_code_exits_with_it() -> None:
    """What a signal does."""
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        main.leave(143)
        await wait_until(pilot, lambda: not main.app.is_running)
        assert main.app.return_code == 143


async def test_the_theme_persists() -> None:
    async with running() as (pilot, main, _session):
        main.app.theme = "nord"
        await pilot.pause()
    async with running() as (_, main, _session):
        assert main.app.theme == "nord"


def test_a_theme_that_cannot_be_seen_is_not_used() -> None:
    """ANSI colours without colour are black on black."""
    themes = {"nord", "ansi-dark", DEFAULT_THEME}
    assert usable_theme("nord", themes, no_color=True) == "nord"
    assert usable_theme("ansi-dark", themes, no_color=False) == "ansi-dark"
    assert usable_theme("ansi-dark", themes, no_color=True) == DEFAULT_THEME
    assert usable_theme("no-such-theme", themes, no_color=False) == DEFAULT_THEME


async def test_help_and_palette_say_what_can_be_done() -> None:
    async with running() as (pilot, main, _):
        titles = [command.title for command in main.app.get_system_commands(main)]
        assert {"Start training", "Theme", *(f"Preset {name}" for name in PRESETS)} <= set(titles)
        assert "Stop training" not in titles
        await pilot.press("f1")
        assert isinstance(main.app.screen, HelpScreen)
        await pilot.press("escape")
        assert main.is_current


@pytest.mark.parametrize("size", [(60, 20), NARROW, WIDE])
async def test_the_form_can_be_started_at_every_size(size: tuple[int, int]) -> None:
    async with running(size=size) as (pilot, main, _):
        await pilot.pause()
        start = main.query_one("#start")
        assert main.region.contains_region(start.region)
        assert start.region.height == 1
        assert ("press s to train" in chart_text(main)) == (size == WIDE)


async def test_tabs_change_by_number_and_by_function_key() -> None:
    async with running() as (pilot, main, _):
        for key, name in (("3", "runs"), ("f2", "train"), ("f3", "generate"), ("f4", "runs"), ("1", "train")):
            await pilot.press(key)
            assert main.active_tab == name


async def test_a_tab_that_took_the_keyboard_late_does_not_come_back() -> None:
    """Two tabs asked for at once: the first one's list is given the keyboard when the second is shown already."""
    async with running() as (pilot, main, _):
        await pilot.press("f4")
        await wait_until(pilot, lambda: main.runs_pane.has_focus_within)
        main.tabs.active = "train"
        main.runs_pane.post_message(DescendantFocus(main.runs_pane.query_one(DataTable)))
        await pilot.pause()
        await pilot.pause()
        assert main.active_tab == "train"


def test_what_native_libraries_print_goes_to_a_file_that_begins_anew(capfd: pytest.CaptureFixture[str]) -> None:
    for noise in (b"first", b"second"):
        with native_noise_in_a_file():
            os.write(1, noise)
    assert (paths.logs_dir() / "native.log").read_bytes() == b"second"
    os.write(1, b"after")
    assert capfd.readouterr().out == "after"


async def test_at_80_by_24_a_run_shows_everything() -> None:
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        await pilot.pause()
        for selector in ("#headline-text", "#pause", "#stop", "#status", "#chart", "#sample-text"):
            widget = main.query_one(selector)
            assert widget.region.area > 0
            assert main.app.screen.region.contains_region(widget.region)
        await wait_until(pilot, lambda: set(footer_keys(main)) >= {"Pause", "Stop", "Help", "Quit"})


def stored(name: str, preset: str = "nano", steps: int = 100) -> None:
    """A finished run on disk."""
    run = RunStore().create(resolve(preset), name)
    for event in training_script(steps, 10):
        run.record(event)
    run.set_state("finished")


async def open_runs(pilot: AppPilot, main: MainScreen, count: int) -> DataTable[object]:
    await pilot.press("3")
    table: DataTable[object] = main.query_one("#runs", DataTable)
    await wait_until(pilot, lambda: table.row_count == count)
    return table


async def test_without_runs_the_tab_says_how_to_make_one() -> None:
    async with running() as (pilot, main, _):
        await pilot.press("3")
        await wait_until(pilot, lambda: "no runs yet" in shown(main, "#no-runs"))


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
        best = {str(row[0]): str(row[4]) for row in map(table.get_row_at, range(2))}
        assert best == {"rough": "~1.5000", "exact": "1.2500"}


async def test_deleting_a_run_is_asked_first() -> None:
    stored("first")
    stored("second")
    async with running() as (pilot, main, _):
        table = await open_runs(pilot, main, 2)
        await pilot.press("d")
        await wait_until(pilot, lambda: isinstance(main.app.screen, QuestionScreen))
        await pilot.press("enter")
        await wait_until(pilot, lambda: not isinstance(main.app.screen, QuestionScreen))
        assert len(RunStore().list()) == 2
        await pilot.press("d")
        await wait_until(pilot, lambda: isinstance(main.app.screen, QuestionScreen))
        await pilot.press("d")
        await wait_until(pilot, lambda: table.row_count == 1)
        assert len(RunStore().list()) == 1


async def test_the_run_under_way_is_not_deleted_and_stays_on_screen() -> None:
    stored("first")
    RunStore().get("first").set_state("stopped")
    async with running(FakeSession(hold_at=300)) as (pilot, main, _):
        await open_runs(pilot, main, 1)
        await pilot.press("r")
        await wait_until(pilot, lambda: main.is_training and main.train_pane.record is main.record)
        await wait_until(pilot, lambda: main.record is not None and main.record.name == "first")
        await open_runs(pilot, main, 1)
        await pilot.press("d")
        await wait_until(pilot, lambda: "first is training: stop it first" in notices(main))
        assert main.is_current
        assert main.train_pane.record is main.record
        assert len(RunStore().list()) == 1


async def test_a_run_that_another_process_writes_is_not_deleted_and_stays_on_screen() -> None:
    stored("first")
    async with running() as (pilot, main, _):
        await open_runs(pilot, main, 1)
        await pilot.press("enter")
        await wait_until(pilot, lambda: main.train_pane.record is not None)
        await open_runs(pilot, main, 1)
        with RunStore().get("first").lock():
            await pilot.press("d")
            await wait_until(pilot, lambda: isinstance(main.app.screen, QuestionScreen))
            await pilot.press("d")
            await wait_until(pilot, lambda: "is writing the run" in notices(main))
        assert main.train_pane.record is not None
        assert len(RunStore().list()) == 1


async def test_a_finished_run_goes_on_to_the_step_that_is_asked_for() -> None:
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


async def test_a_finished_run_goes_on_only_to_a_later_step() -> None:
    stored("first")
    async with running() as (pilot, main, session):
        await open_runs(pilot, main, 1)
        await pilot.press("r")
        await wait_until(pilot, lambda: isinstance(main.app.screen, NumberScreen))
        for text in ("", "100", "1e3", "1,5"):
            assert "no step above 100" in await type_number(pilot, main, text)
        assert "100,000,000" in await type_number(pilot, main, "200000000")
        assert session.requests == []
        await type_number(pilot, main, "1,000")
        await wait_until(pilot, lambda: len(session.requests) == 1)
        assert session.requests[0].changes == {"max_iters": 1_000, "max_seconds": None}


async def test_waiting_for_pytorch_counts_as_the_runs_time() -> None:
    class Slow(FakeSession):
        def load_torch(self) -> None:
            assert awake.wait(20)

    awake = threading.Event()
    session = Slow([])
    app = TuiGptApp(session=session)
    async with app.run_test(size=(120, 36)) as pilot:
        await wait_until(pilot, lambda: app.main is not None and app.main.active_tab == "train")
        main = app.main
        assert main is not None
        pressed = time.monotonic()
        await pilot.press("s")
        await wait_until(pilot, lambda: main.is_training)
        started = time.monotonic()
        awake.set()
        await wait_until(pilot, lambda: len(session.requests) == 1)
        assert pressed <= (session.requests[0].began or 0.0) <= started


async def test_a_stopped_run_goes_on_at_once_with_its_past_in_the_chart() -> None:
    stored("first")
    RunStore().get("first").set_state("stopped")
    async with running(FakeSession([])) as (pilot, main, session):
        await open_runs(pilot, main, 1)
        await pilot.press("r")
        await wait_until(pilot, lambda: len(session.requests) == 1)
        [request] = session.requests
        assert request == TrainRequest(resume="first", began=request.began)
        assert main.record is not None
        assert main.record.step == 100


async def test_g_takes_a_run_to_the_generate_tab() -> None:
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


async def test_an_estimate_is_told_from_a_loss_of_record() -> None:
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


async def test_what_the_trainer_announces_is_said() -> None:
    news: list[Event] = [
        Initialized(step=0, source="shipped", new_characters="äß"),
        ChangeRefused(step=5, setting="max_iters", reason="the run has made 9 steps"),
        ResumeDiffers(step=5, expected_loss=2.5, loss=2.75),
    ]
    async with running(FakeSession([started(10), *news, finished(10, None)])) as (pilot, main, _):
        await pilot.press("s")
        await wait_until(pilot, lambda: phase(main) == "finished")
        assert "started from shipped; new characters: äß" in notices(main)
        assert "max_iters stays as it is: the run has made 9 steps" in notices(main)
        assert "2.750000" in notices(main)


class Busy(FakeSession):
    """Says what it does before its first event and before its estimate, and does so until the gate opens."""

    def train(self, request: TrainRequest, control: Control) -> Iterator[Event]:
        self._work(control, "counting n-grams", 0.4)
        if not control.stop_requested:
            yield from super().train(request, control)

    def estimate(self, config: RunConfig, control: Control) -> Estimate:
        self._work(control, "timing steps", 0.3)
        return super().estimate(config, control)

    def _work(self, control: Control, name: str, done: float) -> None:
        control.report(name, done)
        while not self.gate.wait(0.005) and not control.stop_requested:
            pass
        control.report_idle()


async def test_what_a_worker_is_busy_with_is_on_screen_while_no_event_comes() -> None:
    async with running(Busy()) as (pilot, main, session):
        await wait_until(pilot, lambda: "how long? timing steps 30 %" in shown(main, "#estimate"))
        await pilot.press("s")
        await wait_until(pilot, lambda: "counting n-grams 40 %, 1 s" in shown(main, "#headline-text"))
        await wait_until(pilot, lambda: "counting n-grams 40 %, 1 s" in shown(main, "#top-status"))
        session.gate.set()
        await wait_until(pilot, lambda: phase(main) == "finished")
        assert "n-grams" not in shown(main, "#headline-text")


async def test_steps_that_are_over_at_once_do_not_flicker_in_the_top_line() -> None:
    """The trainer says of each step that it makes it."""
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        assert main.training is not None
        for step in range(301, 305):
            main.training.control.report(f"step {step}")
            main.show_status()
            assert shown(main, "#top-status") == "running 30%"


async def test_stopping_is_said_at_once_also_before_the_first_step() -> None:
    class Deaf(Busy):
        """Cannot be stopped while it works, as an import cannot."""

        def _work(self, control: Control, name: str, done: float) -> None:
            control.report("loading PyTorch")
            self.gate.wait()

    async with running(Deaf()) as (pilot, main, session):
        await pilot.press("s")
        await wait_until(pilot, lambda: main.is_training)
        await pilot.press("x")
        assert "stopping" in shown(main, "#headline-text")
        assert "stopping" in shown(main, "#top-status")
        await wait_until(pilot, lambda: "stopping: loading PyTorch" in shown(main, "#headline-text"))
        session.gate.set()
        await wait_until(pilot, lambda: main.train_pane.record is None)


async def test_quitting_before_the_first_step_asks_nothing_and_does_not_wait() -> None:
    """The worker is never let go."""

    class Stuck(Busy):
        def _work(self, control: Control, name: str, done: float) -> None:
            self.gate.wait()

    session = Stuck()
    async with running(session) as (pilot, main, _):
        await pilot.press("s")
        await wait_until(pilot, lambda: main.is_training)
        await pilot.press("q")
        await wait_until(pilot, lambda: not main.app.is_running)
        assert not session.gate.is_set()
        assert main.app.return_code == EXIT_DONE
        session.gate.set()
        assert main.training is not None
        main.training.wait(10.0)
        main.training = None


async def test_what_was_left_out_of_a_text_is_said(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("to be or not to be\n")
    (tmp_path / "picture.bin").write_bytes(bytes(range(256)))
    request = TrainRequest(config=resolve("nano", str(tmp_path)))
    async with running(request=request) as (pilot, main, _):
        await wait_until(pilot, lambda: phase(main) == "finished")
        assert "picture.bin" in notices(main)


@pytest.mark.parametrize("sentence", ["batch_size is 64: that takes 40 GB", "this takes 40 GB of memory: train a nano"])
async def test_settings_that_only_the_session_can_judge_are_refused_in_the_form(sentence: str) -> None:
    """Under the field that the sentence names, else where the time is told; and the form is as it was."""
    session = FakeSession([], fail_with=ConfigError(sentence))
    async with running(session) as (pilot, main, _):
        await wait_until(pilot, lambda: "about" in shown(main, "#estimate"))
        main.query_one("#setting-seed", Input).value = "77"
        await pilot.press("s")
        await wait_until(pilot, lambda: sentence in shown(main, "#sentence") + shown(main, "#estimate"))
        assert main.train_pane.record is None
        assert main.query_one("#setting-seed", Input).value == "77"
        await wait_until(pilot, lambda: not main.is_training)
        await pilot.pause()
        assert not any(worker.group == "estimate" for worker in main.workers if worker.is_running)
        assert sentence in shown(main, "#sentence") + shown(main, "#estimate")


async def test_an_estimate_that_is_refused_says_why_under_its_field() -> None:
    refusal = ConfigError("max_seconds is 1: the evaluation alone takes 20 s")
    async with running(FakeSession(refuse_estimate=refusal)) as (pilot, main, _):
        await wait_until(pilot, lambda: str(refusal) in shown(main, "#sentence"))
        assert main.query_one("#setting-max_seconds").has_class("wrong")


async def test_a_disk_that_does_not_take_the_app_s_state_is_said_once_and_when_leaving() -> None:
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


async def test_the_generate_tab_begins_with_what_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment, then the file, then what is remembered; `config show` reports the first two."""
    AppState(sampling=SampleConfig(temperature=0.1, top_k=3, max_new_tokens=50), source="remembered").save()
    paths.config_file().write_text('[generate]\nmax_new_tokens = 77\ntop_k = 5\nrun = "shipped"\n')
    monkeypatch.setenv("TUI_GPT_GENERATE_TOP_K", "7")
    async with running() as (pilot, main, _):
        await pilot.press("2")
        await wait_until(pilot, lambda: main.generate_pane is not None and main.generate_pane.is_mounted)
        assert main.generate_pane is not None
        config = main.generate_pane.controls.config
        assert (config.max_new_tokens, config.top_k, config.temperature) == (77, 7, 0.1)
        assert main.state.source == "shipped"


async def test_settings_for_writing_that_cannot_be_are_said() -> None:
    paths.config_file().parent.mkdir(parents=True, exist_ok=True)
    paths.config_file().write_text("[generate]\ntemperature = -1\n")
    async with running() as (pilot, main, _):
        await pilot.press("2")
        await wait_until(pilot, lambda: "temperature is -1" in notices(main))
        assert main.state.sampling == SampleConfig()


async def test_the_time_in_which_the_app_was_suspended_is_not_the_run_s() -> None:
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        main.was_suspended(5.0)
        assert main.training is not None
        assert main.training.control.suspended_seconds == 5.0


async def test_an_unexpected_error_in_the_background_is_said_and_the_app_lives_on() -> None:
    class Broken(FakeSession):
        def estimate(self, config: RunConfig, control: Control) -> Estimate:
            raise ZeroDivisionError("oops")

    async with running(Broken()) as (pilot, main, _):
        await wait_until(pilot, lambda: any(paths.logs_dir().glob("crash-*.txt")))
        await pilot.press("s")
        await wait_until(pilot, lambda: phase(main) == "finished")
