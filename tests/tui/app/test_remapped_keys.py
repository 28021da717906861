"""Keys of `config.toml`: they work, and footer, buttons, help and sentences show them."""

from textual.widgets import Button, Static
from textual.widgets._footer import FooterKey

from tests.fakes import FakeSession
from tests.storage.settings.helpers import write_config
from tests.tui.app.test_bindings import generate
from tests.tui.driver import WIDE, chart_text, footer_keys, notices, phase, running, shown, start_and_hold
from tests.tui.fakes import wait_until
from tui_gpt.errors import ConfigError
from tui_gpt.tui.app.help_screen import HelpScreen
from tui_gpt.tui.train.chart.loss_chart import LossChart


async def test_a_remapped_key_works_and_is_shown_everywhere() -> None:
    write_config('[keys]\n"run.pause" = "space, f9"\nform.start = "b"\nrun.stop = "p"\nchart.axis = "y"\n')
    async with running(FakeSession(hold_at=300), WIDE) as (pilot, main, _):
        assert "press b to train" in chart_text(main)
        assert str(main.query_one("#start", Button).label) == "Start  b"
        await pilot.press("s")
        await pilot.pause()
        assert main.control.record is None
        await pilot.press("b")
        await wait_until(pilot, lambda: main.control.record is not None and main.control.record.step >= 300)
        assert str(main.query_one("#pause", Button).label) == "Pause  Space"
        await wait_until(pilot, lambda: "Pause" in footer_keys(main))
        displays = {key.description: key.key_display for key in main.query(FooterKey)}
        assert (displays["Pause"], displays["Stop"]) == ("space", "p")
        for key, wanted in (("space", "paused"), ("f9", "running"), ("space", "paused")):
            await pilot.press(key)
            await wait_until(pilot, lambda wanted=wanted: phase(main) == wanted)  # type: ignore[misc]  # a default
        await pilot.press("a")
        assert main.query_one(LossChart).settings.axis == "step"
        await pilot.press("y")
        assert main.query_one(LossChart).settings.axis == "characters"
        await pilot.press("f1")
        page = str(main.app.screen.query_one(Static).content)
        assert "Space F9            pause, continue\n" in page
        assert "p                   stop and save\n" in page
        await pilot.press("escape", "p")
        await wait_until(pilot, lambda: phase(main) in ("stopping", "finished"))


async def test_the_keys_of_the_prompt_are_remapped() -> None:
    write_config('[keys]\nprompt.submit = "ctrl+s"\nprompt.cards = "f10"\n')
    async with running() as (pilot, main, session):
        pane = await generate(pilot, main, session)
        assert str(pane.box.placeholder) == "Type a prompt; Ctrl+S generates."
        await pilot.press("a", "enter", "b")
        assert pane.box.text == "a\nb"
        await pilot.press("ctrl+s")
        await wait_until(pilot, lambda: bool(pane.controller.notebook.cards) and not pane.controller.is_generating)
        await pilot.press("f10")
        await wait_until(pilot, lambda: pane.view.has_focus)


async def test_with_bad_keys_the_app_starts_with_the_defaults_and_says_so_once() -> None:
    path = write_config('[keys]\nrun.pause = "x"\n')
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await wait_until(pilot, lambda: "run.pause" in notices(main))
        assert notices(main) == (
            f"run.pause cannot be 'x', which is the key of run.stop: choose another key for one of them (set in {path})"
        )
        await start_and_hold(pilot, main, session)
        await pilot.press("p")
        await wait_until(pilot, lambda: phase(main) == "paused")


async def test_an_unknown_action_is_reported_once() -> None:
    path = write_config('[keys]\nrun.pasue = "space"\n')
    async with running() as (pilot, main, _):
        await wait_until(pilot, lambda: "run.pasue" in notices(main))
        await pilot.pause()
        assert notices(main).count("run.pasue") == 1
        assert str(path) in notices(main)
        assert shown(main, "#title") == "tui-gpt"


async def test_the_preview_beside_the_form_takes_no_focus_and_no_keys() -> None:
    async with running(size=WIDE) as (pilot, main, _):
        focused = main.focused
        chart = main.query_one(LossChart)
        await pilot.click(LossChart)
        assert not chart.has_focus
        for _ in range(12):
            await pilot.press("tab")
            assert not chart.has_focus
        assert focused is not None
        focused.focus()
        await pilot.press("a")
        await wait_until(pilot, lambda: bool(main.query("#setting-seed")))
        assert chart.settings.axis == "step"


async def test_a_question_mark_opens_the_page_where_no_text_is_typed() -> None:
    async with running() as (pilot, main, session):
        await pilot.press("question_mark")
        await wait_until(pilot, lambda: isinstance(main.app.screen, HelpScreen))
        await pilot.press("question_mark")
        await wait_until(pilot, lambda: main.app.screen is main)
        pane = await generate(pilot, main, session)
        await pilot.press("question_mark")
        assert main.app.screen is main
        assert pane.box.text == "?"


async def test_an_error_of_a_hidden_setting_names_the_key_of_all_settings() -> None:
    write_config('[keys]\nform.all_settings = "y"\n')
    refusal = ConfigError("max_seconds is 1: the evaluation alone takes 20 s")
    async with running(FakeSession(refuse_estimate=refusal)) as (pilot, main, _):
        await wait_until(pilot, lambda: shown(main, "#sentence").endswith("(y: all settings)"))
