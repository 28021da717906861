"""The keys of the list of runs: sorting, filtering, notes, renaming, exporting."""

from pathlib import Path

import pytest
from textual.widgets import Input, RadioButton

from tests.tui.driver import AppPilot, notices, open_runs, running, shown, stored
from tests.tui.fakes import wait_until
from tui_gpt.storage.runs import RunStore
from tui_gpt.tui.app.main_screen import MainScreen
from tui_gpt.tui.dialogs import LineScreen
from tui_gpt.tui.runs.dialogs import ExportScreen
from tui_gpt.tui.runs.runs_pane import RunsPane
from tui_gpt.tui.runs.runs_table import RunsTable


def names(table: RunsTable) -> list[str]:
    return [table.cells_at(row)["run"] for row in range(table.row_count)]


async def answer(pilot: AppPilot, main: MainScreen, text: str) -> None:
    """Type a line into the dialog and press Enter."""
    await wait_until(pilot, lambda: isinstance(main.app.screen, LineScreen) and bool(main.app.screen.query(Input)))
    main.app.screen.query_one(Input).value = text
    await pilot.press("enter")


async def test_a_key_and_a_click_on_a_heading_sort_the_list() -> None:
    for name, steps in (("b", 300), ("a", 100), ("c", 200)):
        stored(name, steps=steps)
    async with running() as (pilot, main, _):
        table = await open_runs(pilot, main, 3)
        await pilot.click(RunsTable, offset=(5, 0))
        await wait_until(pilot, lambda: names(table) == ["a", "b", "c"])
        await pilot.press("S")
        await wait_until(pilot, lambda: names(table) == ["c", "b", "a"])
        for _ in range(4):  # state, preset, text, step
            await pilot.press("s")
        await wait_until(pilot, lambda: names(table) == ["b", "c", "a"])


async def test_typing_filters_the_list_and_escape_shows_all_runs() -> None:
    for name in ("hamlet", "faust", "romeo"):
        stored(name)
    RunStore().get("romeo").set_note("like hamlet")
    async with running() as (pilot, main, _):
        table = await open_runs(pilot, main, 3)
        await pilot.press("slash", *"ham")
        await wait_until(pilot, lambda: sorted(names(table)) == ["hamlet", "romeo"])
        await pilot.press(*"xyz")
        await wait_until(pilot, lambda: "no run has these words" in table.render_line(2).text)
        await pilot.press("backspace", "backspace", "backspace", "enter")
        await wait_until(pilot, lambda: table.has_focus and table.row_count == 2)
        await pilot.press("escape")
        await wait_until(pilot, lambda: table.row_count == 3)


async def test_the_cursor_stays_on_its_run() -> None:
    for name in ("a", "b", "c"):
        stored(name)
    async with running() as (pilot, main, _):
        table = await open_runs(pilot, main, 3)
        await pilot.press("end")
        before = main.query_one(RunsPane).selected
        assert before is not None
        await pilot.press("S")
        await pilot.pause()
        assert main.query_one(RunsPane).selected == before
        assert table.cursor == 0


async def test_a_note_is_written_and_shown() -> None:
    stored("first")
    async with running(size=(160, 48)) as (pilot, main, _):
        table = await open_runs(pilot, main, 1)
        await pilot.press("n")
        await answer(pilot, main, "x" * 201)
        await wait_until(pilot, lambda: "shorten it to 200" in str(main.app.screen.query_one("#refusal").render()))
        await answer(pilot, main, "a higher rate")
        await wait_until(pilot, lambda: table.cells_at(0)["note"] == "a higher rate")
        assert "a higher rate" in shown(main, "#run-detail")
        assert RunStore().get("first").note == "a higher rate"


async def test_a_renamed_run_keeps_its_place_in_the_train_tab_and_as_source() -> None:
    stored("first")
    async with running() as (pilot, main, _):
        table = await open_runs(pilot, main, 1)
        main.state.source = "first"
        await pilot.press("enter")
        await wait_until(pilot, lambda: main.train_pane.record is not None)
        await open_runs(pilot, main, 1)
        await pilot.press("space", "m")
        await answer(pilot, main, "../x")
        await wait_until(pilot, lambda: "cannot be a name" in str(main.app.screen.query_one("#refusal").render()))
        await answer(pilot, main, "second")
        await wait_until(pilot, lambda: names(table) == ["second"])
        assert main.train_pane.record is not None
        assert (main.train_pane.record.name, main.state.source) == ("second", "second")
        assert main.query_one(RunsPane).marks.styles == {"second": 0}


async def test_a_name_that_is_taken_is_refused() -> None:
    stored("first")
    stored("second")
    async with running() as (pilot, main, _):
        table = await open_runs(pilot, main, 2)
        other = names(table)[1]
        await pilot.press("m")
        await answer(pilot, main, other)
        await wait_until(pilot, lambda: f"there is a run '{other}' already" in notices(main))
        assert sorted(names(table)) == ["first", "second"]


async def test_losses_are_exported_into_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stored("first")
    async with running() as (pilot, main, _):
        await open_runs(pilot, main, 1)
        for _ in range(2):
            await pilot.press("w")
            await wait_until(pilot, lambda: isinstance(main.app.screen, ExportScreen))
            await pilot.pause()
            assert main.app.screen.query_one("#format-model", RadioButton).disabled
            await pilot.press("enter")
            await wait_until(pilot, lambda: main.app.screen is main)
        assert (tmp_path / "first.csv").read_text().startswith("step,")
        await wait_until(pilot, lambda: "first.csv exists already: name a new file" in notices(main))


async def test_another_format_proposes_another_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stored("first")
    async with running() as (pilot, main, _):
        await open_runs(pilot, main, 1)
        await pilot.press("w")
        await wait_until(pilot, lambda: isinstance(main.app.screen, ExportScreen))
        await pilot.pause()
        screen = main.app.screen
        screen.query_one("#format-tensorboard", RadioButton).value = True
        target = screen.query_one("#target", Input)
        await wait_until(pilot, lambda: target.value == str(tmp_path / "first-tensorboard"))
        target.value = str(tmp_path / "board")
        target.focus()
        await pilot.press("enter")
        await wait_until(pilot, lambda: (tmp_path / "board").is_dir())
        await wait_until(pilot, lambda: "exported to" in notices(main))


async def test_every_action_is_in_the_palette_and_has_a_key_and_a_place_for_the_mouse() -> None:
    from tui_gpt.key_table import KEY_ACTIONS
    from tui_gpt.tui.runs.run_commands import RUN_COMMANDS

    stored("first")
    async with running() as (pilot, main, _):
        await open_runs(pilot, main, 1)
        titles = {command.title for command in main.app.get_system_commands(main)}
        for command in RUN_COMMANDS:
            assert KEY_ACTIONS[command.key].title in titles
            assert hasattr(main.query_one(RunsPane), f"action_{command.action}")
            button = main.query(f"#do-{command.action}")
            if command.row:
                assert main.app.screen.region.contains_region(button.first().region)
        assert {command.action for command in RUN_COMMANDS if not command.row} == {"sort", "reverse"}  # the headings


async def test_a_path_in_the_home_of_nobody_is_refused_in_the_dialog() -> None:
    stored("first")
    async with running() as (pilot, main, _):
        await open_runs(pilot, main, 1)
        await pilot.press("w")
        await wait_until(
            pilot, lambda: isinstance(main.app.screen, ExportScreen) and bool(main.app.screen.query(Input))
        )
        await pilot.pause()
        screen = main.app.screen
        screen.query_one("#target", Input).value = "~no-such-user/x.csv"
        await pilot.press("enter")
        await wait_until(pilot, lambda: "unknown user" in str(screen.query_one("#refusal").render()))
        assert main.app.screen is screen


async def test_control_characters_in_a_field_are_drawn_as_visible_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path of the current folder may come from a stranger."""
    folder = tmp_path / "a\x1b[2Jb"
    folder.mkdir()
    monkeypatch.chdir(folder)
    stored("first")
    async with running(size=(200, 48)) as (pilot, main, _):
        await open_runs(pilot, main, 1)
        await pilot.press("w")
        await wait_until(
            pilot, lambda: isinstance(main.app.screen, ExportScreen) and bool(main.app.screen.query(Input))
        )
        await pilot.pause()
        target = main.app.screen.query_one("#target", Input)
        drawn = "".join(target.render_line(y).text for y in range(target.size.height))
        assert "\x1b" not in drawn
        assert "␛[2Jb" in drawn
        await pilot.press("enter")
        await wait_until(pilot, lambda: (folder / "first.csv").exists())
