"""The notebook by keys: branches, the tree, search, bookmarks, notes, undo and redo, export and import."""

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.fakes import FakeSession, FakeTextModel
from tests.tui.fakes import wait_until
from tests.tui.generate.test_generate import Driver, Host
from tui_gpt.config import SampleConfig
from tui_gpt.tui.dialogs import LineScreen
from tui_gpt.tui.generate.note_screen import NoteScreen
from tui_gpt.tui.generate.notebook import Answer, Card, History
from tui_gpt.tui.generate.tree.tree_screen import BranchText, TreeScreen


def notices(app: Host) -> str:
    return "\n".join(notice.message for notice in app._notifications)


def selected(app: Host) -> str:
    """Return the id of the selected card."""
    block = app.pane.view.selected
    return "" if block is None else block.card.id


async def tree_of(app: Host, pilot: Pilot[None]) -> TreeScreen:
    await wait_until(pilot, lambda: isinstance(app.screen, TreeScreen))
    await pilot.pause()
    assert isinstance(app.screen, TreeScreen)
    return app.screen


async def test_branches_are_walked_marked_removed_and_restored_by_keys() -> None:
    app = Host(FakeSession(model=FakeTextModel(text="bcdef")))
    async with app.run_test() as pilot:
        driver = Driver(app, pilot)
        await driver.press("a", "enter")
        await driver.press("escape", "c")
        await driver.press("r")
        child = app.answer
        await pilot.press("H")
        assert (app.answer.full, app.answer.id != child.id) == ("abcdefbcdef", True)
        await pilot.press("L", "K")
        assert app.answer.full == "abcdef"
        await pilot.press("enter", "J")
        assert app.pane.view.inspected is not None
        assert app.pane.view.inspected.main.passage.cursor == 6
        await pilot.press("escape", "H", "shift+left", "J")
        assert "first of its siblings" in notices(app)
        assert "No branch leaves this one." in notices(app)

        await pilot.press("m", "L", "a")
        await wait_until(pilot, lambda: isinstance(app.screen, NoteScreen))
        await pilot.press("o", "k", "ctrl+j", "y", "enter")
        await wait_until(pilot, lambda: "✎ ok" in app.screen_text)
        assert app.cards[0].notes == {app.answer.id: "ok\ny"}
        noted = app.answer.id
        await pilot.press("right_square_bracket")
        assert app.answer.id != noted
        assert "★" in app.screen_text

        await pilot.press("T")
        tree = await tree_of(app, pilot)
        rows = [tree.view.render_line(y).text.rstrip() for y in range(4)]
        assert (rows[0][0], rows[0][-10:]) == ("a", "3 branches")
        assert rows[1].lstrip("●└├╴│ ") == "bcdef"
        assert ("★" in rows[2], "✎ ok↵y" in rows[3], rows[2].startswith("●")) == (True, True, True)
        await pilot.press("left")
        assert tree.view.current is not None
        assert tree.view.current.branch is not None
        assert tree.view.current.branch.own == "abcdef"
        text = tree.query_one(BranchText)
        assert text.render_line(0).text.startswith("abcdef")
        await pilot.press("right", "shift+right", "x")
        assert len(app.cards[0].nodes) == 2
        await pilot.press("u", "U", "u")
        assert len(app.cards[0].nodes) == 3
        await pilot.press("home", "down", "enter")
        await wait_until(pilot, lambda: not isinstance(app.screen, TreeScreen))
        assert app.answer.full == "abcdef"
        await pilot.press("X")
        assert app.cards == ()
        await pilot.press("u")
        assert len(app.cards[0].nodes) == 3
    async with (app := Host(FakeSession())).run_test() as pilot:
        await wait_until(pilot, lambda: len(app.cards) == 1)
        await pilot.press("escape", "U")
        assert app.cards == ()
        await pilot.press("u", "u")
        assert noted not in [answer.id for answer in app.cards[0].nodes] or app.cards[0].notes == {}


def preload(count: int) -> None:
    """Save cards."""
    history, config = History(), SampleConfig(seed=1)
    for number in range(count):
        answer = Answer(id=f"n{number}", prompt=f"p{number} ", text="the sun", model="m", config=config)
        history.save(Card(id=f"c{number}", answers=(answer,)))


async def test_all_cards_are_searched_and_reached_exported_and_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    preload(200)
    async with (app := Host(FakeSession())).run_test() as pilot:
        await wait_until(pilot, lambda: len(app.cards) == 200)
        view = app.pane.view
        assert len(view.cards) == 60
        await pilot.press("escape", "home")
        assert (selected(app), len(view.cards)) == ("c0", 60)
        assert "p0 the sun" in app.screen_text
        await pilot.press("slash", *"P150")
        await wait_until(pilot, lambda: "p150 the sun" in app.screen_text)
        assert selected(app) == "c150"
        await pilot.press("backspace", "up", "up")
        count = app.pane.cards_pane.search_bar.query_one("#search-count")
        assert "of 11" in str(count.render())
        await pilot.press("enter")
        before = selected(app)
        await pilot.press("f")
        assert selected(app) != before
        assert view.words == "P15"
        await pilot.press("escape")
        assert view.words == ""

        await pilot.press("m", "M")
        assert len(view.cards) == 1
        await pilot.press("M")
        assert len(view.cards) == 60

        await pilot.press("E")
        await wait_until(pilot, lambda: isinstance(app.screen, LineScreen))
        await pilot.press("enter")
        await wait_until(pilot, lambda: (tmp_path / "tui-gpt-notebook.json").exists())
        await wait_until(pilot, lambda: not isinstance(app.screen, LineScreen))
        await pilot.press("x")
        await pilot.press("I")
        await wait_until(pilot, lambda: isinstance(app.screen, LineScreen))
        app.screen.query_one(Input).value = str(tmp_path / "tui-gpt-notebook.json")
        await pilot.press("enter")
        await wait_until(pilot, lambda: len(app.cards) == 200)
        assert "1 card imported; 199 were there already" in notices(app)
