"""Comparing runs: curves, the pinned one, and the settings that differ."""

from dataclasses import replace

from textual.widgets import Static

from tests.fakes import training_script
from tests.tui.driver import AppPilot, notices, open_runs, running, stored
from tests.tui.fakes import wait_until
from tui_gpt.config import resolve
from tui_gpt.events import Started
from tui_gpt.metrics import TokenSize
from tui_gpt.storage.runs import RunStore
from tui_gpt.tui.app.main_screen import MainScreen
from tui_gpt.tui.runs.compare_screen import CompareScreen
from tui_gpt.tui.runs.runs_pane import RunsPane
from tui_gpt.tui.train.chart.quantities import BITS


async def compare(pilot: AppPilot, main: MainScreen, count: int) -> CompareScreen:
    """Mark the first `count` runs and compare them."""
    await pilot.press(*["space"] * count, "c")
    await wait_until(pilot, lambda: isinstance(main.app.screen, CompareScreen) and main.app.screen.is_running)
    screen = main.app.screen
    assert isinstance(screen, CompareScreen)
    await wait_until(pilot, lambda: screen.chart.has_focus)
    return screen


def table(screen: CompareScreen) -> str:
    return str(screen.query_one("#differences-table", Static).content)


async def test_marked_runs_are_compared_in_one_chart_with_their_differences() -> None:
    stored("first", "nano")
    stored("second", "classic")
    async with running() as (pilot, main, _):
        await open_runs(pilot, main, 2)
        screen = await compare(pilot, main, 2)
        lines = [screen.chart.render_line(y).text for y in range(screen.chart.size.height)]
        assert "first" in "\n".join(lines)
        assert "second" in "\n".join(lines)
        rows = {line.split()[0]: line.split()[1:] for line in table(screen).split("\n")[2:]}
        assert sorted(rows["preset"]) == ["classic", "nano"]
        assert sorted(rows["n_embd"]) == ["128", "384"]
        assert "optimizer" not in rows
        await pilot.press("escape")
        await wait_until(pilot, lambda: main.app.screen is main)


async def test_another_run_is_pinned_by_key_and_click() -> None:
    for name in ("a", "b", "c"):
        stored(name)
    async with running() as (pilot, main, _):
        await open_runs(pilot, main, 3)
        screen = await compare(pilot, main, 3)
        first = screen.pinned
        await pilot.press("p")
        assert screen.pinned == (first + 1) % 3
        await pilot.press("P", "P")
        assert screen.pinned == (first - 1) % 3
        await pilot.click("#pin-next")
        await wait_until(pilot, lambda: screen.pinned == first)
        assert "their settings are the same" in table(screen)


async def test_escape_first_removes_the_cursor() -> None:
    stored("a")
    stored("b")
    async with running() as (pilot, main, _):
        await open_runs(pilot, main, 2)
        screen = await compare(pilot, main, 2)
        await pilot.press("left")
        assert screen.chart.cursor is not None
        await pilot.press("escape")
        assert screen.chart.cursor is None
        assert main.app.screen is screen
        await pilot.press("q")
        await wait_until(pilot, lambda: main.app.screen is main)


async def test_the_keys_before_the_first_drawing_do_no_harm() -> None:
    """The screen has its keys before its widgets."""
    stored("a")
    stored("b")
    async with running() as (pilot, main, _):
        screen = CompareScreen([main.control.replay("a"), main.control.replay("b")], {"a": 0, "b": 1}, pinned="a")
        main.app.push_screen(screen)
        screen.action_toggle_log()
        screen.action_pin(1)
        screen.action_back()
        await wait_until(pilot, lambda: main.app.screen is main)


async def test_one_run_alone_is_not_compared() -> None:
    stored("a")
    async with running() as (pilot, main, _):
        await open_runs(pilot, main, 1)
        await pilot.press("space", "c")
        await wait_until(pilot, lambda: "mark two to 6 runs with Space first" in notices(main))
        assert main.app.screen is main


async def test_a_seventh_mark_is_refused_and_escape_removes_all() -> None:
    for number in range(7):
        stored(f"run-{number}", steps=20)
    async with running() as (pilot, main, _):
        await open_runs(pilot, main, 7)
        await pilot.press(*["space"] * 7)
        await wait_until(pilot, lambda: "6 runs are marked already" in notices(main))
        assert len(main.query_one(RunsPane).marks.styles) == 6
        await pilot.press("escape")
        assert main.query_one(RunsPane).marks.styles == {}


async def test_runs_with_different_tokenizers_are_compared_in_bits_per_character() -> None:
    stored("first")
    run = RunStore().create(resolve("nano", tokenizer="byte"), "second")
    for event in training_script(100, 10):
        if isinstance(event, Started):
            event = replace(event, tokenizer="byte", token_size=TokenSize(0.5, 1.0))
        run.record(event)
    run.set_state("finished")
    async with running() as (pilot, main, _):
        await open_runs(pilot, main, 2)
        screen = await compare(pilot, main, 2)
        assert screen.chart.settings.quantity is BITS
        rows = {line.split()[0]: line.split()[1:] for line in table(screen).split("\n")[2:]}
        assert sorted(rows["tokenizer"]) == ["byte", "character"]
        assert len(rows["bits/char"]) == 2
