"""Every binding of the app: it is in the table of keys, on the page of F1, in the palette and in reach of the mouse."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from textual.actions import parse
from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import Screen

import tui_gpt.tui
from tests.fakes import FakeSession
from tests.tui.driver import AppPilot, open_runs, running, start_and_hold, stored
from tests.tui.fakes import wait_until
from tui_gpt.config import SampleConfig
from tui_gpt.key_table import KEY_ACTIONS
from tui_gpt.keys import Keymap, key_names
from tui_gpt.tui.app.help_screen import help_text
from tui_gpt.tui.app.main_screen import MainScreen
from tui_gpt.tui.demo.demo_screen import DemoScreen
from tui_gpt.tui.generate.generate_pane import GeneratePane

NOT_IN_THE_PALETTE = {
    "form.previous": "moves along its row; a click selects",
    "form.next": "moves along its row; a click selects",
    **{
        f"chart.{name}": "moves the cursor of the chart; the mouse moves it, too"
        for name in ("back", "forward", "far_back", "far_forward", "first", "latest", "stop_reading")
    },
    "prompt.line_break": "types a character",
    **{
        f"sampling.{name}": "moves inside the row; a click selects, the wheel changes"
        for name in ("previous", "next", "more", "less", "accept", "cancel")
    },
    "examples.previous": "moves between buttons",
    "examples.next": "moves between buttons",
    **{f"card.{name}": "moves between cards; a click selects" for name in ("above", "below", "first", "last")},
    **{f"alternatives.{name}": "moves inside the list; a click chooses" for name in ("previous", "next", "close")},
    **{
        f"sample.{name}": "moves between samples, as < and >; a click does"
        for name in ("previous", "next", "first", "last")
    },
    **{
        f"runs.{name}": "moves inside the list; a click selects"
        for name in ("above", "below", "first", "last", "page_up", "page_down")
    },
    **{
        f"learn.{name}": "changes the picture of a screen of the lesson, which is for the keyboard"
        for name in ("less", "more", "above", "below", "stop_typing", "scroll_up", "scroll_down")
    },
    **{
        f"tree.{name}": "moves inside the list; a click selects"
        for name in ("above", "below", "first", "last", "page_up", "page_down")
    },
    **{f"search.{name}": "works while the words are typed" for name in ("next", "previous", "close")},
    **{f"note.{name}": "works while the note is typed" for name in ("save", "line_break")},
    "by_hand.line_break": "types a character",
    "authors.above": "moves inside the list; a click selects",
    "authors.below": "moves inside the list; a click selects",
    "compare.leave": "another key of Back to the list",
    "app.palette": "opens it; a click on the name of the app does, too",
    "app.quit": "Textual's entry Quit",
    "app.quit_anywhere": "Textual's entry Quit",
    **{name: "a dialog, which the palette does not reach: it has buttons or an answer by mouse" for name in KEY_ACTIONS
       if name.startswith(("dialog.", "help."))},
}  # fmt: skip
"""The actions without an entry, and why; with what the mouse does instead."""


def classes() -> Iterator[type[DOMNode]]:
    """Yield the app, its screens and its widgets that have bindings."""
    for module in pkgutil.walk_packages(tui_gpt.tui.__path__, "tui_gpt.tui."):
        for found in vars(importlib.import_module(module.name)).values():
            is_node = isinstance(found, type) and issubclass(found, DOMNode) and found.__module__ == module.name
            if is_node and "BINDINGS" in vars(found):
                yield found


def bindings() -> list[tuple[type[DOMNode], Binding]]:
    return [(owner, one) for owner in classes() for one in owner.BINDINGS if isinstance(one, Binding)]


def test_every_binding_is_one_of_the_table_with_its_default_keys() -> None:
    found = bindings()
    assert len(found) > 90
    for owner, binding in found:
        name = binding.id or ""
        assert name in KEY_ACTIONS, (owner, binding)
        assert binding.description, binding
        assert tuple(binding.key.split(",")) == key_names(KEY_ACTIONS[name].keys), binding


def test_every_action_of_the_table_has_a_binding() -> None:
    bound = {binding.id for _, binding in bindings()}
    assert KEY_ACTIONS.keys() - bound == {
        "dialog.save_and_quit",
        "dialog.delete",
        "note.line_break",
    }, "bound by each question and by the text of a note"


def test_every_binding_has_an_action() -> None:
    for owner, binding in bindings():
        namespace, name, _ = parse(binding.action)
        target: type[object] = App if namespace == "app" else Screen if namespace == "screen" else owner
        assert hasattr(target, f"action_{name}") or hasattr(target, f"_action_{name}"), binding


def test_every_action_is_on_the_page_of_f1_with_the_key_in_use() -> None:
    for name in KEY_ACTIONS:
        assert "Ctrl+F12" in help_text("train", Keymap({name: "ctrl+f12"})).plain, name


def test_every_action_is_in_the_palette_or_needs_none() -> None:
    assert {name for name, action in KEY_ACTIONS.items() if not action.title} == NOT_IN_THE_PALETTE.keys()


def titles(screen: Screen[None]) -> set[str]:
    return {command.title for command in screen.app.get_system_commands(screen)}


def titles_of_keys(screen: Screen[None]) -> set[str]:
    """Return the titles of the actions whose keys work here."""
    ids = {active.binding.id or "" for active in screen.active_bindings.values()}
    return {KEY_ACTIONS[name].title for name in ids if name in KEY_ACTIONS} - {""}


async def _train(pilot: AppPilot, main: MainScreen, session: FakeSession) -> None:
    await start_and_hold(pilot, main, session)


async def _pause(pilot: AppPilot, main: MainScreen, session: FakeSession) -> None:
    await start_and_hold(pilot, main, session)
    await pilot.press("p")
    await wait_until(pilot, lambda: main.control.record is not None and main.control.record.phase == "paused")


async def _form(pilot: AppPilot, main: MainScreen, _: FakeSession) -> None:
    assert main.train_pane.record is None
    await pilot.pause()


async def _runs(pilot: AppPilot, main: MainScreen, _: FakeSession) -> None:
    stored("first")
    await open_runs(pilot, main, 1)


async def _data(pilot: AppPilot, main: MainScreen, _: FakeSession) -> None:
    await pilot.press("f5")
    await wait_until(pilot, lambda: main.data_pane is not None and main.data_pane.has_focus_within)


async def generate(pilot: AppPilot, main: MainScreen, _: FakeSession) -> GeneratePane:
    await pilot.press("f3")
    await wait_until(pilot, lambda: main.generate_pane is not None and main.generate_pane.box.has_focus)
    assert main.generate_pane is not None
    return main.generate_pane


async def _prompt(pilot: AppPilot, main: MainScreen, session: FakeSession) -> None:
    await generate(pilot, main, session)


async def card(pilot: AppPilot, main: MainScreen, session: FakeSession) -> GeneratePane:
    main.state.sampling = SampleConfig(max_new_tokens=5)
    pane = await generate(pilot, main, session)
    await pilot.press("a", "enter")
    await wait_until(pilot, lambda: bool(pane.controller.notebook.cards) and not pane.controller.is_generating)
    await pilot.press("escape")
    await wait_until(pilot, lambda: pane.view.has_focus)
    return pane


async def _card(pilot: AppPilot, main: MainScreen, session: FakeSession) -> None:
    await card(pilot, main, session)


async def _alternatives(pilot: AppPilot, main: MainScreen, session: FakeSession) -> None:
    pane = await card(pilot, main, session)
    await pilot.press("t", "enter")
    await wait_until(pilot, lambda: pane.cards_pane.inspector.panel.has_focus)


async def _attention(pilot: AppPilot, main: MainScreen, session: FakeSession) -> None:
    pane = await card(pilot, main, session)
    await pilot.press("t", "o")
    await wait_until(pilot, lambda: pane.cards_pane.inspector.why.page == "attention")


STATES = {
    "form": (_form, {"Start training", "All settings", "Start from…", "Go to Data", "Help", "Back to the shell"}),
    "training": (_train, {"Stop training", "Pause or continue training", "Chart: zoom in", "Chart: follow"}),
    "paused": (_pause, {"Change the learning rate", "Pause or continue training"}),
    "runs": (_runs, {"Resume the run", "Delete the run"}),
    "data": (_data, {"Add a text", "Remove this text"}),
    "prompt": (_prompt, {"Generate from the prompt", "Choose the model", "Next sampling preset"}),
    "card": (_card, {"Regenerate the card", "Copy the card", "Undo the last change of the cards", "Remove the card"}),
    "alternatives": (_alternatives, {"Generate from the alternative", "Explain the prediction"}),
    "attention": (_attention, {"Show attention in the text", "Attention: next head"}),
}


@pytest.mark.parametrize("name", STATES)
async def test_the_palette_has_whatever_a_key_can_do(name: str) -> None:
    reach, examples = STATES[name]
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await reach(pilot, main, session)
        assert examples <= titles_of_keys(main) | {"Choose the model"}
        assert titles_of_keys(main) | examples <= titles(main)


async def test_a_click_on_the_name_of_the_app_opens_the_palette() -> None:
    async with running() as (pilot, main, _):
        await pilot.click("#title")
        await wait_until(pilot, lambda: main.app.screen.id == "--command-palette")
        await pilot.press("escape")
        await main.app.run_action("demo")
        await wait_until(pilot, lambda: isinstance(main.app.screen, DemoScreen))
        await pilot.click("#title")
        await wait_until(pilot, lambda: main.app.screen.id == "--command-palette")
        assert main.is_attached


async def test_the_palette_performs_an_action_of_a_card() -> None:
    async with running() as (pilot, main, session):
        pane = await card(pilot, main, session)
        commands = {command.title: command for command in main.app.get_system_commands(main)}
        main.app.call_later(commands["Remove the card"].callback)
        await wait_until(pilot, lambda: not pane.controller.notebook.cards)
