"""Tabs, sizes, footer, help."""

import gc
from functools import partial

import pytest
from textual.events import DescendantFocus
from textual.widget import Widget
from textual.widgets._footer import FooterKey

from tests.fakes import FakeSession
from tests.tui.driver import NARROW, WIDE, chart_text, footer_keys, open_settings, running, start_and_hold
from tests.tui.fakes import wait_until
from tui_gpt.config import PRESETS
from tui_gpt.tui.app.app import usable_theme
from tui_gpt.tui.app.help_screen import HelpScreen
from tui_gpt.tui.app.state import DEFAULT_THEME
from tui_gpt.tui.runs.runs_pane import RunsPane
from tui_gpt.tui.train.chart.loss_chart import LossChart
from tui_gpt.tui.train.form import FIELDS
from tui_gpt.tui.train.setting_row import EXPLANATION_COLUMN, SettingRow

TABS = {"f2": "train", "f3": "generate", "f4": "runs-tab"}


async def test_text_time_start_and_presets_are_on_screen_at_once() -> None:
    async with running() as (pilot, main, _):
        for size in ((80, 24), (80, 31), (100, 35), (100, 36)):
            await pilot.resize_terminal(*size)
            for selector in ("#setting-corpus", "#end", "#start-from", "#presets", "#start", "#all"):
                region = main.query_one(selector).region
                assert region.area > 0, (size, selector)
                assert main.query_one("#setup").region.contains_region(region), (size, selector)


def is_inside(widget: Widget, container: Widget) -> bool:
    return container.region.contains_region(widget.region)


async def test_every_setting_can_be_scrolled_to_with_its_whole_meaning() -> None:
    async with running() as (pilot, main, _):
        await open_settings(pilot, main)
        settings = main.query_one("#all-settings")
        for size in (NARROW, WIDE):
            await pilot.resize_terminal(*size)
            for name in FIELDS:
                row = main.query_one(f"#row-{name}", SettingRow)
                row.scroll_visible(animate=False, immediate=True)
                await wait_until(pilot, partial(is_inside, row, settings))
                drawn = " ".join(row.render_line(y).text[EXPLANATION_COLUMN:].strip() for y in range(row.size.height))
                assert drawn.replace("- ", "-") == row.explanation, (size, name)  # lines may end at a hyphen


async def test_the_form_can_be_started_at_every_size() -> None:
    async with running() as (pilot, main, _):
        for size in ((60, 20), NARROW, WIDE):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            start = main.query_one("#start")
            assert main.region.contains_region(start.region), size
            assert start.region.height == 1, size
            assert ("press s to train" in chart_text(main)) == (size == WIDE), size


async def test_tabs_change_by_number_and_by_function_key() -> None:
    async with running() as (pilot, main, _):
        for key, name in (("3", "runs"), ("f2", "train"), ("f3", "generate"), ("f4", "runs"), ("1", "train")):
            await pilot.press(key)
            assert main.active_tab == name


async def test_a_tab_that_gets_the_focus_late_does_not_come_back() -> None:
    """Two tabs requested at once: the first one's list is given the keyboard when the second is shown already."""
    async with running() as (pilot, main, _):
        await pilot.press("f4")
        await wait_until(pilot, lambda: bool(main.query(RunsPane)) and main.query_one(RunsPane).has_focus_within)
        main.tabs.active = "train"
        main.query_one(RunsPane).post_message(DescendantFocus(main.query_one(RunsPane).table))
        await pilot.pause()
        await pilot.pause()
        assert main.active_tab == "train"


async def test_at_80_by_24_a_run_shows_everything() -> None:
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        await pilot.pause()
        for selector in ("#headline-text", "#pause", "#stop", "#status", "#chart", "#sample-text"):
            widget = main.query_one(selector)
            assert widget.region.area > 0
            assert main.app.screen.region.contains_region(widget.region)
        await wait_until(pilot, lambda: set(footer_keys(main)) >= {"Pause", "Stop", "Help", "Quit"})


async def test_at_40_by_12_a_run_shows_its_curve_and_its_keys() -> None:
    async with running(FakeSession(hold_at=500), size=(40, 12)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        await wait_until(pilot, lambda: "●" in chart_text(main))
        assert main.query_one(LossChart).region.bottom <= 11
        assert "Pause" in footer_keys(main)


@pytest.mark.slow
async def test_any_size_is_survived_one_after_the_other() -> None:
    sizes = ((1, 1), (200, 60), (20, 5), NARROW)
    async with running(FakeSession(hold_at=500)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        for tab in ("1", "2", "3", "4"):
            await pilot.press("escape", tab)
            for size in sizes:
                await pilot.resize_terminal(*size)
        await pilot.press("escape", "1")
        await wait_until(pilot, lambda: "●" in chart_text(main))


async def test_keys_that_have_left_the_footer_are_freed() -> None:
    """Each tab has keys of its own; those of the tabs before must not pile up over an afternoon."""
    async with running() as (pilot, main, _):
        for tab in ("f4", "f3", "f2") * 3:
            await pilot.press(tab)
            await wait_until(pilot, lambda tab=tab: main.tabs.active == TABS[tab])  # type: ignore[misc]  # a default
        gc.collect()
        keys = [one for one in gc.get_objects() if type(one) is FooterKey and one.app is main.app]
        assert len(keys) < 40


async def test_help_and_command_palette_list_the_available_actions() -> None:
    async with running() as (pilot, main, _):
        titles = [command.title for command in main.app.get_system_commands(main)]
        assert {"Start training", "Theme", *(f"Preset {name}" for name in PRESETS)} <= set(titles)
        assert "Stop training" not in titles
        await pilot.press("f1")
        assert isinstance(main.app.screen, HelpScreen)
        await pilot.press("escape")
        assert main.is_current


def test_an_unreadable_theme_is_not_used() -> None:
    """ANSI colours without colour are black on black."""
    themes = {"nord", "ansi-dark", DEFAULT_THEME}
    assert usable_theme("nord", themes, no_color=True) == "nord"
    assert usable_theme("ansi-dark", themes, no_color=False) == "ansi-dark"
    assert usable_theme("ansi-dark", themes, no_color=True) == DEFAULT_THEME
    assert usable_theme("no-such-theme", themes, no_color=False) == DEFAULT_THEME
