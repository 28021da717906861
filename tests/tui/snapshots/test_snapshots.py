"""Pictures of every tab, compared with accepted ones; `pytest tests/tui/snapshots --snapshot-update` accepts new ones.

Look at them before you do. Everything that depends on a clock or on chance is fixed: the texts are on disk before the
app starts, the run in training waits at a gate, and cursors do not blink.
"""

import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest
from pytest_textual_snapshot import SVGImageExtension  # type: ignore[import-untyped]  # it has no annotations
from syrupy.assertion import SnapshotAssertion
from textual.widgets import Input
from textual.widgets._toast import Toast

from tests.fakes import FakeSession, evaluated, progress, started, training_script
from tests.tui.driver import AppPilot, open_runs, open_settings, running, stored
from tests.tui.fakes import wait_until
from tui_gpt.config import SampleConfig, resolve
from tui_gpt.events import Event, Paused, Progress, Resumed, Sampled, Saved
from tui_gpt.storage.runs import RunStore
from tui_gpt.tui.app.main_screen import MainScreen
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.dialogs import QuestionScreen
from tui_gpt.tui.generate.generate_pane import GeneratePane
from tui_gpt.tui.generate.notebook import Answer, Card, History
from tui_gpt.tui.runs.runs_pane import RunsPane
from tui_gpt.tui.train import setup_pane

Scene = Callable[[AppPilot, MainScreen], Awaitable[None]]

SIZES = {"small": (80, 24), "large": (160, 48)}
THEMES = {"dark": "textual-dark", "light": "textual-light"}
DAY = 86_400.0

ROMEO = Answer(
    id="romeo",
    prompt="ROMEO:",
    text="\nI do beseech you, sir, have patience:\nYour looks are pale and wild, and do import\nSome misadventure.",
    logprobs=tuple(-0.05 * (k % 60) for k in range(99)),
    model="shipped",
    step=1_000,
    source="shipped",
    config=SampleConfig(seed=42, temperature=0.8),
    seconds=0.02,
    copied=0.21,
)
NURSE = Answer(
    id="nurse",
    prompt="Nurse:",
    text="\nTush, thou art deceived:\nLeave me, and do the thing I bid thee do.",
    logprobs=(-0.4,) * 65,
    model="my-run@best",
    step=650,
    source="my-run@best",
    config=SampleConfig(seed=7, temperature=1.2, min_p=0.02),
    seconds=0.01,
    copied=0.0,
)
NURSE_AGAIN = Answer(
    id="nurse-again",
    prompt="Nurse:",
    text="\nHie you to the chamber.",
    logprobs=(-0.9,) * 24,
    model="my-run@best",
    step=650,
    source="my-run@best",
    config=SampleConfig(seed=8, temperature=1.2, min_p=0.02),
    seconds=0.01,
)


def training_run() -> list[Event]:
    """Return a quarter of a long run, paused once. All events came after two hours, so no time left is known."""
    whole = training_script(1_000)
    events = [event for event in whole if event.step <= 250 and not isinstance(event, Saved)]
    events = [replace(event, elapsed_seconds=7_981) if isinstance(event, Progress) else event for event in events]
    return [
        started(1_000),
        *events[1:],
        Paused(step=250),
        Resumed(step=250),
        Saved(step=250, path="last"),
        Sampled(
            step=250, prompt="", text="ROMEO:\nWhat say you, my lord? [b]The king[/b] is come.\n\nJULIET:\nAy, me!"
        ),
        evaluated(250, 2.63),
        replace(progress(260, 2.51), elapsed_seconds=7_981),
    ]


async def form(pilot: AppPilot, main: MainScreen) -> None:
    await wait_until(pilot, lambda: "about" in str(main.query_one("#estimate").render()))
    main.query_one("#setting-corpus", Input).cursor_blink = False


async def invalid_form(pilot: AppPilot, main: MainScreen) -> None:
    await form(pilot, main)
    await open_settings(pilot, main)
    field = main.query_one("#setting-n_head", Input)
    field.cursor_blink = False
    field.focus()
    field.value = "7"


async def run_in_progress(pilot: AppPilot, main: MainScreen) -> None:
    await form(pilot, main)
    await pilot.press("s")
    await wait_until(pilot, lambda: main.control.record is not None and main.control.record.step == 260)


async def question(pilot: AppPilot, main: MainScreen) -> None:
    await run_in_progress(pilot, main)
    await pilot.press("q")
    await wait_until(pilot, lambda: isinstance(main.app.screen, QuestionScreen))


async def help_page(pilot: AppPilot, main: MainScreen) -> None:
    await form(pilot, main)
    await pilot.press("f1")


async def generate_pane(pilot: AppPilot, main: MainScreen) -> GeneratePane:
    await form(pilot, main)
    await pilot.press("2")
    await wait_until(pilot, lambda: main.generate_pane is not None and main.generate_pane.box.has_focus)
    assert main.generate_pane is not None
    main.generate_pane.box.cursor_blink = False
    return main.generate_pane


async def empty_notebook(pilot: AppPilot, main: MainScreen) -> None:
    await generate_pane(pilot, main)


async def cards(pilot: AppPilot, main: MainScreen) -> None:
    pane = await with_cards(pilot, main)
    pane.focus_prompt()


async def with_cards(pilot: AppPilot, main: MainScreen) -> GeneratePane:
    """Show the Generate tab with two cards, of which the second has two answers."""
    for card in (
        Card(id="one", answers=(ROMEO,)),
        Card(id="two", answers=(NURSE, NURSE_AGAIN)),
    ):
        assert History().save(card)
    pane = await generate_pane(pilot, main)
    await wait_until(pilot, lambda: len(pane.view.cards) == 2)
    return pane


async def selected_card(pilot: AppPilot, main: MainScreen) -> None:
    """Side by side, coloured by probability."""
    await with_cards(pilot, main)
    await pilot.press("escape", "v", "p")


async def alternatives(pilot: AppPilot, main: MainScreen) -> None:
    pane = await with_cards(pilot, main)
    await pilot.press("escape", "k", "enter", "right", "right")
    await wait_until(pilot, lambda: pane.cards_pane.inspector.panel.alternatives is not None)


async def notification(pilot: AppPilot, main: MainScreen) -> None:
    """Show a notification, which does not cover the prompt."""
    await with_cards(pilot, main)
    main.notify("Saved as tui-gpt-nurse.txt", timeout=60)
    await wait_until(pilot, lambda: bool(main.query(Toast)))


async def no_runs(pilot: AppPilot, main: MainScreen) -> None:
    await form(pilot, main)
    await pilot.press("3")
    await wait_until(
        pilot, lambda: bool(main.query("#no-runs")) and "no runs yet" in str(main.query_one("#no-runs").render())
    )


async def runs(pilot: AppPilot, main: MainScreen) -> None:
    make_runs()
    await form(pilot, main)
    await open_runs(pilot, main, 4)
    main.query_one(RunsPane).focus_main()


def make_runs() -> None:
    """Finished, stopped, failed, and without a step; days old, so that their ages do not change during a test."""
    stored("romeo-and-juliet", "quick", 650)
    stored("a-name-that-is-longer-than-the-column-at-eighty-cells-is-wide", "classic")
    stored("nano-2", "nano")
    RunStore().get("nano-2").set_state("failed")
    RunStore().create(resolve("bigram"), "empty")
    for days, run in enumerate(sorted(RunStore().root.iterdir()), start=1):
        for path in (*run.rglob("*"), run):
            os.utime(path, (time.time() - (days + 0.5) * DAY,) * 2)


SCENES: dict[str, tuple[Scene, Sequence[str]]] = {
    "form": (form, ("small-dark", "small-light", "large-dark", "large-light")),
    "invalid_form": (invalid_form, ("small-dark",)),
    "run": (run_in_progress, ("small-dark", "small-light", "large-dark", "large-light")),
    "question": (question, ("small-light", "large-dark")),
    "help": (help_page, ("small-dark", "large-light")),
    "empty_notebook": (empty_notebook, ("small-dark", "large-light")),
    "cards": (cards, ("small-light", "large-dark")),
    "selected_card": (selected_card, ("small-dark", "large-light")),
    "alternatives": (alternatives, ("small-dark", "large-light")),
    "notification": (notification, ("small-light",)),
    "no_runs": (no_runs, ("small-light", "large-dark")),
    "runs": (runs, ("small-dark", "large-light")),
}


@pytest.mark.parametrize("scene", SCENES)
async def test_the_screen_looks_as_accepted(
    scene: str, snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup_pane, "_REST_SECONDS", 0.0)
    AppState(sampling=SampleConfig(seed=1337)).save()
    session = FakeSession(training_run(), hold_at=260)
    play, looks = SCENES[scene]
    async with running(session, SIZES["small"], notifications=True) as (pilot, main, _):
        main.app.animation_level = "none"
        await play(pilot, main)
        for look in looks:
            size, theme = look.split("-")
            main.app.theme = THEMES[theme]
            await pilot.resize_terminal(*SIZES[size])
            await pilot.pause()
            assert main.app.export_screenshot() == snapshot(name=look, extension_class=SVGImageExtension)
