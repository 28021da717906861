"""Drives the app in tests: starts it over a fake session, presses keys, and reads what is on screen."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input, Static
from textual.widgets._footer import FooterKey

from tests.fakes import FakeSession, training_script
from tests.tui.fakes import wait_until
from tui_gpt.config import RunConfig, resolve
from tui_gpt.control import Control
from tui_gpt.events import Event
from tui_gpt.requests import Estimate, TrainRequest
from tui_gpt.storage.runs import RunStore
from tui_gpt.tui.app.app import TuiGptApp
from tui_gpt.tui.app.main_screen import MainScreen
from tui_gpt.tui.dialogs import NumberScreen
from tui_gpt.tui.runs.runs_table import RunsTable
from tui_gpt.tui.train.chart.loss_chart import LossChart

AppPilot = Pilot[None]
NARROW, WIDE = (80, 24), (160, 48)


class RecordingApp(TuiGptApp):
    """The app, with its notifications kept for as long as a test may take."""

    def __init__(self, request: TrainRequest | None, session: FakeSession) -> None:
        super().__init__(request, session=session)
        self.notices: list[str] = []

    def notify(self, message: str, **options: Any) -> None:
        self.notices.append(message)
        super().notify(message, **options)


@asynccontextmanager
async def running(
    session: FakeSession | None = None,
    size: tuple[int, int] = NARROW,
    request: TrainRequest | None = None,
    *,
    notifications: bool = False,
) -> AsyncIterator[tuple[AppPilot, MainScreen, FakeSession]]:
    """Run the app, until it has drawn its first frame."""
    session = session or FakeSession()
    app = RecordingApp(request, session)
    async with app.run_test(size=size, notifications=notifications) as pilot:
        await wait_until(pilot, lambda: app.main is not None and app.main.control.loader.is_done)
        main = app.main
        assert main is not None
        try:
            yield pilot, main, session
        finally:
            session.gate.set()
            if main.control.training:
                main.control.training.control.stop()
                await wait_until(pilot, lambda: main.control.training is None)


def phase(main: MainScreen) -> str:
    return main.control.record.phase if main.control.record else ""


def step_of(main: MainScreen) -> int:
    return main.control.record.step if main.control.record else 0


def shown(main: MainScreen, selector: str) -> str:
    """Return the text of a Static."""
    return str(main.query_one(selector, Static).content)


def chart_text(main: MainScreen) -> str:
    chart = main.query_one(LossChart)
    return "\n".join(chart.render_line(y).text for y in range(chart.size.height))


def footer_keys(main: MainScreen) -> list[str]:
    return [key.description for key in main.query(FooterKey) if key.display]


def notices(main: MainScreen) -> str:
    """Return all notifications so far."""
    assert isinstance(main.app, RecordingApp)
    return "\n".join(main.app.notices)


async def open_settings(pilot: AppPilot, main: MainScreen) -> None:
    """Show all settings of the form."""
    main.query_one("#presets").focus()
    await pilot.press("a")
    await wait_until(pilot, lambda: bool(main.query("#setting-seed")) and main.query_one("#setting-seed").is_mounted)
    await pilot.pause()


async def start_and_hold(pilot: AppPilot, main: MainScreen, session: FakeSession) -> None:
    """Press s, and wait until the script is held."""
    await pilot.press("s")
    await wait_until(
        pilot, lambda: main.control.record is not None and main.control.record.step >= (session.hold_at or 0)
    )


def is_in_sight(main: MainScreen, selector: str) -> bool:
    """Return whether a click on the widget would reach it: it is laid out, and nothing covers it."""
    widget = main.query_one(selector)
    x, y = widget.region.center
    return widget.region.area > 0 and main.get_widget_at(int(x), int(y))[0] is widget


async def click(pilot: AppPilot, main: MainScreen, selector: str) -> None:
    await wait_until(pilot, lambda: is_in_sight(main, selector))
    await pilot.click(selector)


async def ask_for_the_rate(pilot: AppPilot, main: MainScreen, session: FakeSession) -> None:
    """Pause, and open the dialog."""
    await start_and_hold(pilot, main, session)
    await pilot.press("p")
    await wait_until(pilot, lambda: phase(main) == "paused")
    await pilot.press("e")
    await wait_until(pilot, lambda: isinstance(main.app.screen, NumberScreen))


async def type_number(pilot: AppPilot, main: MainScreen, text: str) -> str:
    """Type a number into the dialog and press Enter; return the error that the dialog shows."""
    dialog = main.app.screen
    await wait_until(pilot, lambda: bool(dialog.query("#refusal")))
    refusal = dialog.query_one("#refusal", Static)
    dialog.query_one(Input).value = text
    await pilot.pause()
    await pilot.press("enter")
    await pilot.pause()
    return str(refusal.content)


def stored(name: str, preset: str = "nano", steps: int = 100) -> None:
    """Create a finished run on disk."""
    run = RunStore().create(resolve(preset), name)
    for event in training_script(steps, 10):
        run.record(event)
    run.set_state("finished")


async def open_runs(pilot: AppPilot, main: MainScreen, count: int) -> RunsTable:
    await pilot.press("3")
    await wait_until(pilot, lambda: bool(main.query(RunsTable)) and main.query_one(RunsTable).row_count == count)
    return main.query_one(RunsTable)


class Busy(FakeSession):
    """Reports its activity before its first event and before its estimate, until the gate opens."""

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
