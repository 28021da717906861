"""The demo in the app: it plays, obeys its keys, and leads to training and generation."""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.binding import Binding
from textual.widgets import Static

from tests.fakes import FakeSession, training_script
from tests.tui.driver import AppPilot, running
from tests.tui.fakes import wait_until
from tui_gpt.config import resolve
from tui_gpt.key_table import KEY_ACTIONS
from tui_gpt.tui.app.app import TuiGptApp
from tui_gpt.tui.app.commands import commands
from tui_gpt.tui.demo.demo_screen import DemoScreen
from tui_gpt.tui.demo.recording import Recording
from tui_gpt.tui.train.chart.loss_chart import LossChart

RECORDING = Recording(resolve("quick"), tuple(training_script(1_000)), "tui-gpt train --max-seconds 60")


class Clock:
    """A clock that the test advances."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class DemoApp(TuiGptApp):
    """An app that shows the demo with a clock of the test."""

    def __init__(self) -> None:
        super().__init__(session=FakeSession(), recording=RECORDING)
        self.clock = Clock()
        self.demo = DemoScreen(RECORDING, self.clock)

    async def play_demo(self, recording: Recording) -> None:
        assert recording is RECORDING
        await self.push_screen(self.demo, self._after_demo)


@asynccontextmanager
async def playing(size: tuple[int, int] = (80, 24)) -> AsyncIterator[tuple[AppPilot, DemoApp]]:
    app = DemoApp()
    async with app.run_test(size=size) as pilot:
        await wait_until(pilot, lambda: app.screen is app.demo and words(app).startswith("A recording"))
        yield pilot, app


def words(app: DemoApp) -> str:
    found = app.demo.query("#demo-words")
    return str(found.first(Static).content) if found else ""


def status(app: DemoApp) -> str:
    return str(app.demo.query_one("#top-status", Static).content)


def advance(app: DemoApp, seconds: float) -> None:
    app.clock.now += seconds
    app.demo.play()


async def test_it_names_the_recorded_run_and_plays_its_losses_and_samples() -> None:
    async with playing() as (pilot, app):
        assert words(app) == "A recording of 50 s of training in 30 s: tui-gpt train --max-seconds 60"
        advance(app, 15.0)
        assert app.demo.record.step == pytest.approx(500, abs=10)
        await pilot.pause()
        assert "training quick, recorded" in str(app.demo.query_one("#headline-text", Static).content)
        assert "What say you" in str(app.demo.query_one("#sample-text", Static).content)
        chart = app.demo.query_one(LossChart)
        assert any("guessing" in chart.render_line(y).text for y in range(chart.size.height))


async def test_at_its_end_it_names_the_keys_that_lead_on() -> None:
    async with playing() as (_, app):
        advance(app, 31.0)
        assert app.demo.record.finished is not None
        assert words(app) == (
            "This was a recording. s: train a model of your own   g: generate text   r: replay   q: quit"
        )
        assert status(app) == "demo: end"


async def test_plus_and_minus_change_the_speed() -> None:
    async with playing() as (pilot, app):
        await pilot.press("plus")
        assert status(app) == "demo: speed 2×"
        advance(app, 7.5)
        assert app.demo.record.step == pytest.approx(500, abs=10)
        await pilot.press("minus", "minus")
        assert status(app) == "demo: speed 0.5×"


async def test_p_pauses_and_continues() -> None:
    async with playing() as (pilot, app):
        advance(app, 10.0)
        await pilot.press("p")
        step = app.demo.record.step
        advance(app, 10.0)
        assert (app.demo.record.step, app.demo.record.phase, status(app)) == (step, "paused", "demo: paused")
        await pilot.press("p")
        advance(app, 10.0)
        assert app.demo.record.step > step
        assert app.demo.record.phase == "running"


async def test_r_plays_it_again() -> None:
    async with playing() as (pilot, app):
        advance(app, 31.0)
        await pilot.press("r")
        assert app.demo.record.step <= 10
        advance(app, 31.0)
        assert app.demo.record.finished is not None


async def test_l_switches_the_loss_axis() -> None:
    async with playing() as (pilot, app):
        await pilot.press("l")
        assert app.demo.query_one(LossChart).log_y


@pytest.mark.parametrize("key", ["q", "ctrl+q"])
async def test_q_leaves_the_app_that_was_opened_for_the_demo(key: str) -> None:
    async with playing() as (pilot, app):
        await pilot.press(key)
        await wait_until(pilot, lambda: not app.is_running)
        assert app.return_code == 0


async def test_s_opens_the_train_tab() -> None:
    async with playing() as (pilot, app):
        await pilot.press("s")
        await wait_until(pilot, lambda: app.main is not None and app.screen is app.main)
        assert app.main is not None
        assert app.main.active_tab == "train"


async def test_g_opens_the_generate_tab_with_the_shipped_model() -> None:
    async with playing() as (pilot, app):
        await pilot.press("g")
        await wait_until(pilot, lambda: app.main is not None and app.main.generate_pane is not None)
        assert app.main is not None
        await wait_until(pilot, lambda: app.main is not None and app.main.active_tab == "generate")
        assert app.main.state.source == "shipped"


async def test_every_action_is_in_the_palette() -> None:
    async with playing() as (_, app):
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert titles[: len(list(app.demo.commands()))] == [command.title for command in app.demo.commands()]
        ids = [binding.id or "" for binding in DemoScreen.BINDINGS if isinstance(binding, Binding)]
        assert {KEY_ACTIONS[name].title for name in ids} <= set(titles)


async def test_the_page_of_keys_begins_with_those_of_the_demo() -> None:
    """The keys of its speed are also those of the chart's zoom, which the mouse wheel does here."""
    async with playing() as (pilot, app):
        await pilot.press("f1")
        await wait_until(pilot, lambda: bool(app.screen.query("#help Static")))
        page = str(app.screen.query_one("#help Static", Static).content)
        assert page.startswith("The demo\np                   pause, continue\n")
        assert "- + =               slower; faster; the mouse wheel zooms\n" in page
        await pilot.press("escape")
        await wait_until(pilot, lambda: app.screen is app.demo)


async def test_the_palette_of_the_app_plays_the_demo_and_q_returns() -> None:
    async with running() as (pilot, main, _):
        assert "Play the demo" in [command.title for command in commands(main)]
        await main.app.run_action("demo")
        await wait_until(pilot, lambda: isinstance(main.app.screen, DemoScreen))
        await pilot.press("q")
        await wait_until(pilot, lambda: main.app.screen is main)
        assert main.app.is_running


@pytest.mark.parametrize("size", [(40, 12), (20, 5), (160, 48)])
async def test_it_plays_at_any_size(size: tuple[int, int]) -> None:
    async with playing(size) as (pilot, app):
        advance(app, 31.0)
        await pilot.pause()
        assert status(app) == "demo: end"


def test_it_imports_no_torch() -> None:
    """The recording that ships is played to its end in a process of its own."""
    script = """
import asyncio, sys
from tui_gpt.tui.app.app import TuiGptApp
from tui_gpt.tui.demo.demo_screen import DemoScreen
from tui_gpt.tui.demo.recording import Recording

async def main():
    app = TuiGptApp(recording=Recording.load())
    async with app.run_test(size=(80, 24)) as pilot:
        while not (isinstance(app.screen, DemoScreen) and app.screen.query("#sample-text")):
            await pilot.pause(0.01)
        app.screen.player.change_speed(9)
        while not app.screen.player.is_done:
            await pilot.pause(0.05)
        assert app.screen.record.finished
        assert "torch" not in sys.modules

asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[3])
