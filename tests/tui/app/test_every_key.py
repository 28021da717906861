"""The keys that no other test presses: in the chart, the form, the cards, the sampling settings and the dialogs."""

import pytest
from textual.widgets import Button

from tests.fakes import FakeSession
from tests.tui.app.test_bindings import card, generate
from tests.tui.driver import AppPilot, chart_text, phase, running, start_and_hold
from tests.tui.fakes import wait_until
from tui_gpt.tui.dialogs import QuestionScreen
from tui_gpt.tui.generate.generate_pane import GeneratePane
from tui_gpt.tui.generate.prompt.model_chooser import ModelChooser
from tui_gpt.tui.train.chart.loss_chart import LossChart
from tui_gpt.tui.train.choice_row import ChoiceRow
from tui_gpt.tui.train.start_chooser import StartChooser


async def test_the_keys_of_the_chart() -> None:
    """Each key changes the cursor or what is visible."""
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        chart = main.query_one(LossChart)
        await pilot.press("end")
        newest = chart.cursor
        await pilot.press("shift+left")
        ten_back = chart.cursor
        assert newest is not None
        assert ten_back is not None
        assert ten_back < newest
        await pilot.press("left")
        one_more = chart.cursor
        assert one_more is not None
        assert 0 < ten_back - one_more < newest - ten_back
        await pilot.press("right", "shift+right")
        assert chart.cursor == newest
        await pilot.press("home")
        assert chart.cursor is not None
        assert chart.cursor < ten_back
        await pilot.press("escape")
        assert chart.cursor is None
        await pilot.press(*["plus"] * 4, "comma", "comma")
        left = chart.settings.viewport
        await pilot.press("full_stop")
        assert chart.settings.viewport.right > left.right
        assert chart.settings.viewport.width == pytest.approx(left.width)
        await pilot.press(*["minus"] * 4)
        assert chart.settings.viewport.width is None
        assert not chart.log_y
        await pilot.press("l")
        assert chart.log_y
        assert "log" in chart_text(main)


async def test_the_arrows_of_the_form_select_in_both_directions() -> None:
    async with running() as (pilot, main, _):
        row = main.query_one("#end", ChoiceRow)
        row.focus()
        before = row.selected
        await pilot.press("right")
        await wait_until(pilot, lambda: row.selected != before)
        await pilot.press("left")
        await wait_until(pilot, lambda: row.selected == before)


@pytest.mark.parametrize("key", ["escape", "q"])
async def test_lists_are_left_by_key(key: str) -> None:
    async with running() as (pilot, main, session):
        await pilot.press("f")
        await wait_until(pilot, lambda: isinstance(main.app.screen, StartChooser))
        await pilot.press(key)
        await wait_until(pilot, lambda: main.app.screen is main)
        pane = await generate(pilot, main, session)
        await pilot.press("ctrl+o")
        await wait_until(pilot, lambda: isinstance(main.app.screen, ModelChooser))
        await pilot.press(key)
        await wait_until(pilot, lambda: main.app.screen is main and pane.box.has_focus)


async def test_the_arrows_move_between_the_answers_of_a_question() -> None:
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        await pilot.press("q")
        await wait_until(pilot, lambda: isinstance(main.app.screen, QuestionScreen))
        dialog = main.app.screen
        await wait_until(pilot, lambda: bool(dialog.query("#yes")) and dialog.query_one("#yes").has_focus)
        await pilot.press("right")
        assert dialog.query_one("#no").has_focus
        await pilot.press("left")
        assert dialog.query_one("#yes").has_focus
        await pilot.press("escape")
        await wait_until(pilot, lambda: main.app.screen is main)


async def test_a_run_is_saved_by_the_key_of_the_question_on_quitting() -> None:
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        await pilot.press("ctrl+q")
        await wait_until(pilot, lambda: isinstance(main.app.screen, QuestionScreen))
        await pilot.press("escape")
        await wait_until(pilot, lambda: main.app.screen is main)
        assert phase(main) == "running"
        await pilot.press("q")
        await wait_until(pilot, lambda: isinstance(main.app.screen, QuestionScreen))
        await pilot.press("s")
        await wait_until(pilot, lambda: main.quitting.has_left)


async def test_ctrl_p_opens_the_palette() -> None:
    async with running() as (pilot, main, session):
        await generate(pilot, main, session)
        await pilot.press("ctrl+p")
        await wait_until(pilot, lambda: main.app.screen.id == "--command-palette")


async def test_ctrl_z_suspends(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as (pilot, main, session):
        await generate(pilot, main, session)
        calls: list[str] = []
        monkeypatch.setattr(type(main.app), "action_suspend_process", lambda self: calls.append("suspended"))
        await pilot.press("ctrl+z")
        assert calls == ["suspended"]


async def test_the_keys_of_the_prompt_and_of_the_examples() -> None:
    async with running() as (pilot, main, session):
        pane = await generate(pilot, main, session)
        await pilot.press("a", "b", "shift+enter", "c")
        assert pane.box.text == "ab\nc"
        await pilot.press("ctrl+underscore")
        assert pane.box.text != "ab\nc"
        pane.box.clear()
        await pilot.press("escape")
        first, second = list(pane.query(Button))[:2]
        await wait_until(pilot, lambda: first.has_focus)
        await pilot.press("right")
        assert second.has_focus
        await pilot.press("left")
        assert first.has_focus


async def test_the_keys_of_the_sampling_settings() -> None:
    async with running() as (pilot, main, session):
        pane = await generate(pilot, main, session)
        controls = pane.controls
        controls.focus()
        place, config = controls.place, controls.config
        await pilot.press("right")
        assert controls.place == place + 1
        await pilot.press("left")
        assert controls.place == place
        await pilot.press("up")
        assert controls.config != config
        await pilot.press("down")
        assert controls.config == config
        await pilot.press("7", "escape")
        await wait_until(pilot, lambda: pane.box.has_focus)
        assert (controls.typed, controls.config) == ("", config)


async def _one_more(pilot: AppPilot, pane: GeneratePane) -> None:
    await pilot.press("i", "b", "enter")
    await wait_until(pilot, lambda: len(pane.controller.notebook.cards) == 2 and not pane.controller.is_generating)
    await pilot.press("escape")
    await wait_until(pilot, lambda: pane.view.has_focus)


async def test_the_keys_that_select_a_card() -> None:
    async with running() as (pilot, main, session):
        pane = await card(pilot, main, session)
        await _one_more(pilot, pane)
        for key, place in (("home", 0), ("j", 1), ("k", 0), ("down", 1), ("up", 0), ("end", 1)):
            await pilot.press(key)
            selected = pane.view.selected
            assert selected is not None
            assert selected is pane.view.cards[place], key


@pytest.mark.parametrize("key", ["delete", "backspace"])
async def test_a_card_is_removed_by_key(key: str) -> None:
    async with running() as (pilot, main, session):
        pane = await card(pilot, main, session)
        await pilot.press(key)
        assert not pane.controller.notebook.cards


async def test_the_keys_of_the_alternatives() -> None:
    async with running() as (pilot, main, session):
        pane = await card(pilot, main, session)
        await pilot.press("t", "right", "enter")
        panel = pane.cards_pane.inspector.panel
        await wait_until(pilot, lambda: panel.has_focus and bool(panel.alternatives))
        place = panel.place
        for key, moved in (("down", 1), ("j", 2), ("k", 1), ("up", 0)):
            await pilot.press(key)
            assert panel.place == place + moved, key
        await pilot.press("left")
        await wait_until(pilot, lambda: pane.view.has_focus)
        await pilot.press("enter")
        await wait_until(pilot, lambda: panel.has_focus)
        await pilot.press("escape", "escape")
        await wait_until(pilot, lambda: pane.view.inspected is None)


@pytest.mark.parametrize("key", ["escape", "f1", "question_mark", "q", "enter"])
async def test_the_page_of_keys_is_closed_by_key(key: str) -> None:
    async with running() as (pilot, main, _):
        await pilot.press("f1")
        await wait_until(pilot, lambda: main.app.screen is not main and bool(main.app.screen.query("#help")))
        await pilot.press(key)
        await wait_until(pilot, lambda: main.app.screen is main)
