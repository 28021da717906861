"""The form: its time budget, what the run starts from, all settings, and dropped files."""

from pathlib import Path

from textual.events import Paste
from textual.widgets import Input, OptionList

from tests.fakes import FakeSession
from tests.tui.driver import click, open_settings, running, shown
from tests.tui.fakes import wait_until
from tui_gpt.config import RunConfig
from tui_gpt.control import Control
from tui_gpt.requests import Estimate
from tui_gpt.tui.train.all_settings import AllSettings
from tui_gpt.tui.train.choice_row import ChoiceRow
from tui_gpt.tui.train.setup_pane import estimate_words
from tui_gpt.tui.train.start_chooser import StartChooser


class BoundedSession(FakeSession):
    """A session whose estimates have an upper bound of the loss."""

    def estimate(self, config: RunConfig, control: Control) -> Estimate:
        super().estimate(config, control)
        return Estimate(seconds=62.0, iterations=1_200, parameters=809_856, train_tokens=1_003_854, ngram_loss=1.5134)


async def test_all_settings_have_no_widgets_until_they_are_opened() -> None:
    async with running() as (pilot, main, _):
        assert not main.query(AllSettings)
        await click(pilot, main, "#all")
        await wait_until(pilot, lambda: bool(main.query("#setting-seed")))
        await pilot.press("a")
        assert not main.query_one(AllSettings).display
        await pilot.press("a")
        assert main.query_one(AllSettings).display


async def test_changed_settings_are_named_while_they_are_not_on_screen() -> None:
    async with running() as (pilot, main, _):
        assert not main.query_one("#changed").display
        await open_settings(pilot, main)
        main.query_one("#setting-seed", Input).value = "7"
        main.query_one("#setting-patience", Input).value = "3"
        await pilot.press("escape", "a")
        await wait_until(pilot, lambda: shown(main, "#changed") == "changed: patience 3 · seed 7")
        main.query_one("#presets", OptionList).highlighted = 1
        await wait_until(pilot, lambda: not main.query_one("#changed").display)


async def test_a_time_budget_is_chosen_by_key_and_by_mouse() -> None:
    async with running() as (pilot, main, session):
        row = main.query_one("#end", ChoiceRow)
        row.focus()
        await pilot.press("right")
        assert main.train_pane.setup.config is not None
        assert main.train_pane.setup.config.train.max_seconds == 180
        await pilot.click("#end", offset=(row.render().plain.index("60") + 1, 0))
        await pilot.press("s")
        await wait_until(pilot, lambda: len(session.requests) == 1)
        train = session.requests[0].config.train
        assert (train.max_seconds, train.max_iters) == (3_600, None)


async def test_a_time_budget_is_shown_among_all_settings_and_the_other_way_round() -> None:
    async with running() as (pilot, main, _):
        await open_settings(pilot, main)
        row, seconds = main.query_one("#end", ChoiceRow), main.query_one("#setting-max_seconds", Input)
        row.post_message(ChoiceRow.Selected(2))
        await wait_until(pilot, lambda: seconds.value == "900")
        seconds.value = "77"
        await wait_until(pilot, lambda: row.selected == 4)
        assert row.labels[4] == "1 min 17 s"


async def test_a_run_starts_from_the_shipped_model_with_its_shape() -> None:
    async with running() as (pilot, main, session):
        await pilot.press("f")
        await wait_until(pilot, lambda: isinstance(main.app.screen, StartChooser))
        await pilot.press("down", "enter")
        await wait_until(pilot, lambda: shown(main, "#start-from") == "the shipped model")
        await pilot.press("s")
        await wait_until(pilot, lambda: len(session.requests) == 1)
        request = session.requests[0]
        assert (request.init_from, request.preset_chosen, dict(request.chosen)) == ("shipped", True, {})
        assert (request.config.preset, request.config.model.n_embd, request.config.model.members) == ("quick", 144, 0)


async def test_a_preset_for_another_architecture_is_refused_in_place_until_the_start_is_given_up() -> None:
    async with running() as (pilot, main, _):
        await pilot.press("f")
        await wait_until(pilot, lambda: isinstance(main.app.screen, StartChooser))
        await pilot.press("down", "enter")
        await wait_until(pilot, lambda: shown(main, "#start-from") == "the shipped model")
        main.query_one("#presets", OptionList).focus()
        await pilot.press("down", "down")
        await wait_until(pilot, lambda: "classic is for another architecture" in shown(main, "#sentence"))
        main.train_pane.setup.form.choose_start(None)
        await pilot.pause()
        assert not main.query_one("#sentence").display
        assert main.train_pane.setup.config is not None
        assert main.train_pane.setup.config.model.n_embd == 384


async def test_escape_keeps_what_the_run_starts_from() -> None:
    async with running() as (pilot, main, _):
        await pilot.press("f")
        await wait_until(pilot, lambda: isinstance(main.app.screen, StartChooser))
        await pilot.press("down", "escape")
        await wait_until(pilot, lambda: main.is_current)
        assert main.train_pane.setup.form.start is None


async def test_the_estimate_ends_with_an_upper_bound_of_the_loss() -> None:
    async with running(BoundedSession()) as (pilot, main, _):
        await wait_until(pilot, lambda: "about" in shown(main, "#estimate"))
        assert shown(main, "#estimate").endswith(
            "\nvalidation loss at most about 1.51, which its n-gram prior reaches alone"
        )


def test_without_a_prior_no_loss_is_predicted() -> None:
    assert "loss" not in estimate_words(Estimate(seconds=1.0, iterations=1, parameters=1, train_tokens=1))


async def test_a_dropped_file_becomes_the_text(tmp_path: Path) -> None:
    poem = tmp_path / "a poem.txt"
    poem.write_text("to be or not to be\n" * 99)
    async with running() as (pilot, main, _):
        field = main.query_one("#setting-corpus", Input)
        field.focus()
        field.post_message(Paste(f"'{poem}' "))
        await wait_until(pilot, lambda: field.value == str(poem))
        field.value = ""
        field.post_message(Paste("tinyshakespeare\nand more"))
        await wait_until(pilot, lambda: field.value == "tinyshakespeare")


async def test_the_keyboard_is_not_read_as_the_text_of_a_run() -> None:
    async with running() as (pilot, main, session):
        await wait_until(pilot, lambda: bool(session.estimated))
        main.query_one("#setting-corpus", Input).value = "-"
        await wait_until(pilot, lambda: "'-' is stdin, a pipe or a device" in shown(main, "#sentence"))
        main.query_one("#presets").focus()
        await pilot.press("s")
        await wait_until(pilot, lambda: main.train_pane.setup._refused is not None)
        assert "-" not in [config.corpus for config in session.estimated]
        assert session.requests == []
