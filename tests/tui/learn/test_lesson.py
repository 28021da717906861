"""The lesson in the app, with a fake session and a small text."""

import functools
import math
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.binding import Binding
from textual.widgets import Static

from tests.fakes import FakeSession
from tests.tui.driver import NARROW, WIDE, AppPilot, running
from tests.tui.fakes import wait_until
from tui_gpt.control import Control
from tui_gpt.events import Event
from tui_gpt.key_table import KEY_ACTIONS
from tui_gpt.requests import TrainRequest
from tui_gpt.tui.app.app import TuiGptApp
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.learn.guess_score import GuessScore
from tui_gpt.tui.learn.lesson_screen import LessonScreen
from tui_gpt.tui.learn.material import Material
from tui_gpt.tui.learn.opening import LAST_SCREEN, Lesson
from tui_gpt.tui.learn.page import LessonPage
from tui_gpt.tui.learn.screens import PAGES
from tui_gpt.tui.learn.screens.game import GamePage
from tui_gpt.tui.learn.training_page import TrainingPage

TEXT = "the cat sat on the mat.\nthe rat ate a hat, a tie, and the rest.\n" * 17


@pytest.fixture(autouse=True)
def few_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each length that is counted takes a tenth of a second."""
    monkeypatch.setattr(Material, "longest_counted", 3)


class LessonSession(FakeSession):
    """Notes which folders it trains in, and what is in them."""

    def train(self, request: TrainRequest, control: Control) -> Iterator[Event]:
        assert request.model_path is not None
        assert Path(request.config.corpus).read_text().startswith("the cat")
        yield from super().train(request, control)


@asynccontextmanager
async def lesson(
    tmp_path: Path, size: tuple[int, int] = NARROW, number: int | None = 1, text: str = TEXT
) -> AsyncIterator[tuple[AppPilot, LessonScreen]]:
    """Open the lesson alone."""
    file = tmp_path / "cats.txt"
    file.write_text(text)
    app = TuiGptApp(session=LessonSession(), lesson=Lesson(str(file), number))
    async with app.run_test(size=size) as pilot:
        await wait_until(pilot, lambda: isinstance(app.screen, LessonScreen) and app.screen.page is not None)
        assert isinstance(app.screen, LessonScreen)
        yield pilot, app.screen


async def ready(pilot: AppPilot, screen: LessonScreen) -> LessonPage[Any]:
    """Wait until the present screen has its figures."""
    await wait_until(pilot, lambda: screen.page is not None and screen.page.data is not None)
    assert screen.page is not None
    await wait_until(pilot, lambda: bool(words(screen)) and words(screen) != "Counting …")
    return screen.page


def words(screen: LessonScreen) -> str:
    assert screen.page is not None
    return str(screen.page.query_one(".lesson-words", Static).content)


def picture(screen: LessonScreen) -> str:
    assert screen.page is not None
    return str(screen.page.picture.render())


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_every_screen_fits_has_something_to_try_and_leads_to_the_next(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with lesson(tmp_path, size) as (pilot, screen):
        for number, kind in enumerate(PAGES, 1):
            page = await ready(pilot, screen)
            await pilot.pause()
            assert (screen.number, type(page)) == (number, kind)
            assert str(screen.query_one("#lesson-title", Static).content) == f"{number}  {kind.TITLE}"
            assert screen.query_one("#lesson").max_scroll_y == 0
            assert page.hint()
            assert picture(screen).count("\n") < page.picture.size.height
            before = picture(screen)
            await try_it(pilot, screen)
            await wait_until(pilot, functools.partial(differs, screen, before))
            await pilot.press("n")
        assert AppState.load().lesson_screen == LAST_SCREEN


def differs(screen: LessonScreen, before: str) -> bool:
    return picture(screen) != before


async def try_it(pilot: AppPilot, screen: LessonScreen) -> None:
    """Do what the screen proposes."""
    page = screen.page
    if isinstance(page, TrainingPage):
        await pilot.press("space")
        await wait_until(pilot, lambda: bool(page.results))
        assert page.training is not None
        assert page.training.record.finished is not None
        assert page.training.record.finished.reason == "stopped", "the script takes longer than the lesson allows"
    elif isinstance(page, GamePage):
        await pilot.press("space", "q", "tab")
        await pilot.press("escape")
    else:
        await pilot.press("left" if "change" in PAGES[screen.number - 1].USES else "space")


async def test_the_numbers_on_the_screens_come_from_the_text(tmp_path: Path) -> None:
    """With another text there are other numbers."""
    found = []
    for text in (TEXT, "0123456789 ten digits, and a few words.\n" * 50):
        numbers = []
        async with lesson(tmp_path, text=text) as (pilot, screen):
            for _ in range(4):
                await ready(pilot, screen)
                numbers.append(re.findall(r"\d[\d,.]*", words(screen)))
                await pilot.press("n")
            assert f"{len(text):,}" in numbers[0]
            assert str(len(set(text))) in numbers[0]
        found.append(numbers)
    assert all(one != other for one, other in zip(*found, strict=True))


async def test_typed_text_is_shown_as_numbers_and_escape_returns_to_the_keys(tmp_path: Path) -> None:
    async with lesson(tmp_path) as (pilot, screen):
        page = await ready(pilot, screen)
        await pilot.press("t", "h", "a", "t", "q")
        await wait_until(pilot, lambda: page.data is not None and page.data.text == "hatq")
        assert page.data is not None
        assert page.data.numbers == (*page.material.tokenizer.encode("hat").tolist(), -1)
        assert "No number: q" in page.hint()
        assert screen.number == 1
        await pilot.press("escape", "enter")
        await wait_until(pilot, lambda: screen.number == 2)


async def test_a_training_can_be_stopped_and_leaves_no_folder_and_no_run(tmp_path: Path) -> None:
    async with lesson(tmp_path, number=6) as (pilot, screen):
        page = await ready(pilot, screen)
        assert isinstance(page, TrainingPage)
        session = screen.app._given_session  # type: ignore[attr-defined]  # the fake of this test
        session.hold_at = 100
        await pilot.press("space")
        await wait_until(pilot, lambda: page.training is not None and page.training.record.step >= 100)
        folder = session.requests[0].model_path.parent
        assert folder.is_dir()
        await pilot.press("space")
        await wait_until(pilot, lambda: not page.is_training)
        assert not folder.exists()
    assert not list((tmp_path / "home").glob("runs/*"))


async def test_guesses_are_counted_until_the_character_is_found(tmp_path: Path) -> None:
    async with lesson(tmp_path, number=9) as (pilot, screen):
        page = await ready(pilot, screen)
        assert isinstance(page, GamePage)
        await pilot.press("space")
        await wait_until(pilot, lambda: page.is_playing)
        target = page.data.predictions[0].character  # type: ignore[union-attr]  # it is ready
        wrong = next(c for c in "tae" if c != target)
        await pilot.press(wrong, wrong)
        assert page.wrong == [wrong]
        page.guess(target)
        assert page.reader is not None
        assert page.reader.found_at_once == 0.0
        assert (page.position, page.reader.characters) == (1, 1)
        assert page.reader.bits == pytest.approx(-math.log2(GuessScore(page.material.vocab_size).probability(2)))
        await pilot.press("n")
        assert screen.number == LAST_SCREEN, "a letter is a guess"
        await pilot.press("escape", "b")
        await wait_until(pilot, lambda: screen.number == LAST_SCREEN - 1)


async def test_it_begins_where_the_reader_stopped_and_q_leaves(tmp_path: Path) -> None:
    state = AppState.load()
    state.lesson_screen = 3
    state.save()
    async with lesson(tmp_path, (40, 12), number=None) as (pilot, screen):
        await ready(pilot, screen)
        assert screen.number == 3
        await pilot.pause()
        assert screen.query_one("#lesson").max_scroll_y > 0
        await pilot.press("pagedown")
        await wait_until(pilot, lambda: screen.query_one("#lesson").scroll_y > 0)
        app = screen.app
        await pilot.press("q")
        await wait_until(pilot, lambda: not app.is_running)
        assert app.return_code == 0


async def test_the_palette_of_the_app_opens_the_lesson_and_q_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Material, "prepare", lambda self: None)
    async with running() as (pilot, main, _):
        titles = [command.title for command in main.app.get_system_commands(main)]
        assert "Take the lesson" in titles
        await main.app.run_action("lesson")
        await wait_until(pilot, lambda: isinstance(main.app.screen, LessonScreen))
        screen = main.app.screen
        titles = [command.title for command in main.app.get_system_commands(screen)]
        names = [one.id or "" for one in LessonScreen.BINDINGS if isinstance(one, Binding)]
        always = {"learn.next", "learn.game", "learn.train", "learn.leave", "app.help"}
        assert {KEY_ACTIONS[name].title for name in names if name in always} <= set(titles)
        assert "Lesson 3: Counting pairs" in titles
        page = screen.page  # type: ignore[attr-defined]  # it is a LessonScreen
        await pilot.press("q")
        await wait_until(pilot, lambda: main.app.screen is main and not page.is_attached)
        page.data = page.compute()
        page.show()  # figures that were computed too late


async def test_a_text_that_cannot_be_read_is_reported_on_the_screen(tmp_path: Path) -> None:
    async with lesson(tmp_path, text="too short") as (pilot, screen):
        await wait_until(pilot, lambda: screen.page is not None and bool(screen.page.failure))
        assert "choose a longer text" in words(screen)
