"""The Data tab."""

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.binding import Binding
from textual.events import Paste
from textual.widgets import Input, OptionList, Static

from tests.fakes import FakeSession
from tests.tui.driver import AppPilot, click, notices, running, shown, start_and_hold, stored
from tests.tui.fakes import wait_until
from tui_gpt.key_table import KEY_ACTIONS
from tui_gpt.prior import orders
from tui_gpt.text.corpora import add_corpus, add_pasted, load, read_corpus
from tui_gpt.text.library import free_name, list_corpora
from tui_gpt.tui.app.main_screen import MainScreen
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.data import data_pane, dialogs
from tui_gpt.tui.data.data_pane import DataPane
from tui_gpt.tui.data.dialogs import AddScreen, NameScreen
from tui_gpt.tui.dialogs import QuestionScreen

POEM = "Rough winds do shake the darling buds of May.\n" * 40


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_pane, "_REST_SECONDS", 0.0)
    monkeypatch.setattr(dialogs, "_REST_SECONDS", 0.0)


@pytest.fixture(autouse=True)
def few_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count little of the built-in text, on which the cursor starts."""
    monkeypatch.setattr(orders, "MIN_COUNTED", 2_000)
    monkeypatch.setattr(orders, "MEASURED", 1_000)


@pytest.fixture
def poem(tmp_path: Path) -> Path:
    """A file outside the library."""
    path = tmp_path / "files" / "a poem.txt"
    path.parent.mkdir()
    path.write_text(POEM)
    return path


@asynccontextmanager
async def data_tab(
    select: str, session: FakeSession | None = None
) -> AsyncIterator[tuple[AppPilot, MainScreen, DataPane]]:
    """Open the Data tab with the cursor on a text."""
    async with running(session) as (pilot, main, _):
        await pilot.press("4")
        await wait_until(pilot, lambda: main.data_pane is not None and main.data_pane.selected is not None)
        assert main.data_pane is not None
        texts = main.query_one("#texts", OptionList)
        await wait_until(pilot, lambda: texts.has_focus)
        texts.highlighted = [option.id for option in texts.options].index(select)
        await wait_until(pilot, lambda: is_selected(main, select))
        yield pilot, main, main.data_pane


def is_selected(main: MainScreen, source: str) -> bool:
    pane = main.data_pane
    return pane is not None and pane.selected is not None and pane.selected.source == source


def is_described(pane: DataPane, source: str) -> bool:
    """Return whether everything about a text is on screen."""
    return pane.shown is not None and pane.shown[0] == source and not pane.shown[2].status


def listed(main: MainScreen) -> list[str]:
    return [option.id or "" for option in main.query_one("#texts", OptionList).options if option.id]


async def test_the_remarks_of_texts_are_aligned_whatever_the_names_of_the_files(poem: Path) -> None:
    files = [poem, poem.with_name("红楼梦.txt"), poem.with_name(f"{'红楼梦' * 9}.txt")]
    for file in files:
        file.write_text(POEM)
    AppState(recent=tuple(map(str, files))).save()
    async with data_tab(str(poem)) as (_, main, _):
        rows = [str(option.prompt) for option in main.query_one("#texts", OptionList).options if option.id]
        assert len({cell_len(row.removesuffix("1.1 MB").removesuffix("1.84 kB")) for row in rows[1:]}) == 1


async def test_built_in_added_and_recent_texts_are_listed(poem: Path, tmp_path: Path) -> None:
    add_corpus(poem, "poem")
    AppState(recent=(str(poem), "/no/such/file.txt", "poem", str(tmp_path))).save()
    async with data_tab("poem") as (_, main, _):
        assert listed(main) == ["tinyshakespeare", "poem", str(poem), str(tmp_path)]


async def test_a_text_is_described_with_losses_characters_and_its_beginning(poem: Path) -> None:
    add_corpus(poem, "poem")
    async with data_tab("poem") as (pilot, main, pane):
        await wait_until(pilot, lambda: is_described(pane, "poem"))
        words = shown(main, "#text-details")
        assert "1,840 characters · 40 lines · 23 distinct · 1.84 kB" in words
        assert "train 1,656 · validation 184 (the last 10%)" in words
        assert "UTF-8: only ASCII characters" in words
        assert "guessing  3.135" in words
        assert "order 7   0.0" in words
        assert "space" in words
        assert "Rough winds do shake" in words


async def test_a_text_too_short_for_a_split_has_no_losses(tmp_path: Path) -> None:
    (tmp_path / "tiny.txt").write_text("ab\n")
    AppState(recent=(str(tmp_path / "tiny.txt"),)).save()
    async with data_tab(str(tmp_path / "tiny.txt")) as (pilot, main, _):
        await wait_until(pilot, lambda: "tiny is too short" in shown(main, "#text-details"))


async def test_a_text_that_cannot_be_read_is_explained(tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_bytes("Le café est fermé.\n".encode("cp1252"))
    AppState(recent=(str(tmp_path / "old.txt"),)).save()
    async with data_tab(str(tmp_path / "old.txt")) as (pilot, main, _):
        await wait_until(pilot, lambda: "could be WINDOWS-1252" in shown(main, "#text-details"))


async def test_what_is_left_out_of_a_folder_is_shown(poem: Path) -> None:
    (poem.parent / "cover.png").write_bytes(b"\x89PNG\0\0\0")
    AppState(recent=(str(poem.parent),)).save()
    async with data_tab(str(poem.parent)) as (pilot, main, _):
        await wait_until(pilot, lambda: "left out 1 binary file: cover.png" in shown(main, "#text-details"))


async def test_a_file_is_added_by_its_path_after_a_look_at_it(poem: Path) -> None:
    async with data_tab("tinyshakespeare") as (pilot, main, _):
        await pilot.press("a")
        await wait_until(pilot, lambda: isinstance(main.app.screen, AddScreen) and main.app.screen.is_mounted)
        main.app.screen.query_one(Input).value = str(poem)
        found = main.app.screen.query_one("#found", Static)
        await wait_until(pilot, lambda: "a file of 1.84 kB" in str(found.content))
        await pilot.press("enter")
        await wait_until(pilot, lambda: is_selected(main, "a-poem"))
        assert "added a-poem" in notices(main)
        assert load(read_corpus("a-poem")).text == POEM


async def test_a_path_that_does_not_exist_is_explained_in_the_dialog() -> None:
    async with data_tab("tinyshakespeare") as (pilot, main, _):
        await click(pilot, main, "#add-text")
        await wait_until(pilot, lambda: isinstance(main.app.screen, AddScreen) and main.app.screen.is_mounted)
        main.app.screen.query_one(Input).value = "/no/such/file.txt"
        found = main.app.screen.query_one("#found", Static)
        await wait_until(pilot, lambda: "there is no file" in str(found.content))
        await pilot.press("escape")
        await wait_until(pilot, lambda: main.is_current)
        assert [one.name for one in list_corpora()] == ["tinyshakespeare"]


async def test_the_keyboard_is_not_read_as_a_text() -> None:
    async with data_tab("tinyshakespeare") as (pilot, main, _):
        await pilot.press("a")
        await wait_until(pilot, lambda: isinstance(main.app.screen, AddScreen) and main.app.screen.is_mounted)
        main.app.screen.query_one(Input).value = "-"
        found = main.app.screen.query_one("#found", Static)
        await wait_until(pilot, lambda: "'-' is stdin, a pipe or a device" in str(found.content))
        await pilot.press("enter")
        await wait_until(pilot, lambda: "'-' is stdin, a pipe or a device" in notices(main))
        assert [one.name for one in list_corpora()] == ["tinyshakespeare"]


async def test_typing_on_stops_the_look_at_the_path_before(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: dict[str, Callable[[], bool]] = {}

    def slow_look(path: str, is_outdated: Callable[[], bool]) -> str:
        looks[path] = is_outdated
        return f"at {path}" if path == "/usr/lib" else str(stopped.wait(60))

    stopped = threading.Event()
    monkeypatch.setattr(dialogs, "look", slow_look)
    async with data_tab("tinyshakespeare") as (pilot, main, _):
        await pilot.press("a")
        await wait_until(pilot, lambda: isinstance(main.app.screen, AddScreen) and main.app.screen.is_mounted)
        main.app.screen.query_one(Input).value = "/usr"
        await wait_until(pilot, lambda: "/usr" in looks)
        assert not looks["/usr"]()
        main.app.screen.query_one(Input).value = "/usr/lib"
        found = main.app.screen.query_one("#found", Static)
        await wait_until(pilot, lambda: str(found.content) == "at /usr/lib")
        assert looks["/usr"]()
        stopped.set()


async def test_a_name_is_checked_in_a_thread_and_not_cancelled_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    allowed = threading.Event()

    def slow_add(pasted: str, name: str) -> None:
        threads.append(threading.current_thread())
        assert allowed.wait(60)
        add_pasted(pasted, name)

    def slow_name(name: str) -> str:
        threads.append(threading.current_thread())
        return free_name(name)

    monkeypatch.setattr(data_pane, "add_pasted", slow_add)
    monkeypatch.setattr(data_pane, "free_name", slow_name)
    async with data_tab("tinyshakespeare") as (pilot, main, pane):
        pane.post_message(Paste("Shall I compare thee"))
        await wait_until(pilot, lambda: isinstance(main.app.screen, NameScreen) and main.app.screen.is_mounted)
        await pilot.press("enter")
        await wait_until(pilot, lambda: len(threads) == 2)
        await pilot.press("enter", "escape")
        assert isinstance(main.app.screen, NameScreen)
        allowed.set()
        await wait_until(pilot, lambda: is_selected(main, "pasted"))
    assert len(threads) == 2
    assert threading.main_thread() not in threads


async def test_files_that_are_dropped_on_the_terminal_are_added(poem: Path) -> None:
    other = poem.with_name("other.txt")
    other.write_text("another text\n")
    async with data_tab("tinyshakespeare") as (pilot, main, pane):
        pane.post_message(Paste(f"'{poem}' file://{other}"))
        await wait_until(pilot, lambda: is_selected(main, "other"))
        assert listed(main) == ["tinyshakespeare", "a-poem", "other"]


async def test_files_that_are_dropped_on_the_dialog_are_added(poem: Path) -> None:
    async with data_tab("tinyshakespeare") as (pilot, main, _):
        await pilot.press("a")
        await wait_until(pilot, lambda: isinstance(main.app.screen, AddScreen) and main.app.screen.is_mounted)
        main.app.screen.query_one(Input).post_message(Paste(str(poem).replace(" ", "\\ ")))
        await wait_until(pilot, lambda: is_selected(main, "a-poem"))


async def test_a_pasted_text_is_added_under_a_name() -> None:
    async with data_tab("tinyshakespeare") as (pilot, main, pane):
        pane.post_message(Paste("Shall I compare thee\r\nto a summer's day?"))
        await wait_until(pilot, lambda: isinstance(main.app.screen, NameScreen) and main.app.screen.is_mounted)
        main.app.screen.query_one(Input).value = "no name"
        await pilot.press("enter")
        await wait_until(
            pilot, lambda: "cannot be a name" in str(main.app.screen.query_one("#refusal", Static).content)
        )
        main.app.screen.query_one(Input).value = "sonnet"
        await pilot.press("enter")
        await wait_until(pilot, lambda: is_selected(main, "sonnet"))
        assert load(read_corpus("sonnet")).text == "Shall I compare thee\nto a summer's day?"


async def test_an_added_text_is_renamed(poem: Path) -> None:
    add_corpus(poem, "poem")
    async with data_tab("poem") as (pilot, main, _):
        await pilot.press("r")
        await wait_until(pilot, lambda: isinstance(main.app.screen, NameScreen) and main.app.screen.is_mounted)
        main.app.screen.query_one(Input).value = "sonnet"
        await pilot.press("enter")
        await wait_until(pilot, lambda: is_selected(main, "sonnet"))
        assert [one.name for one in list_corpora()] == ["tinyshakespeare", "sonnet"]


async def test_an_added_text_is_removed_after_a_question_that_counts_its_runs(poem: Path) -> None:
    add_corpus(poem, "poem")
    stored("mine")
    async with data_tab("poem") as (pilot, main, _):
        await pilot.press("d")
        await wait_until(pilot, lambda: isinstance(main.app.screen, QuestionScreen) and main.app.screen.is_mounted)
        assert "No run was trained on it" in str(main.app.screen.query_one(".dialog-detail", Static).content)
        await pilot.press("escape")
        await wait_until(pilot, lambda: main.is_current)
        assert "poem" in listed(main)
        await pilot.press("d")
        await wait_until(pilot, lambda: isinstance(main.app.screen, QuestionScreen) and main.app.screen.is_mounted)
        await pilot.press("d")
        await wait_until(pilot, lambda: listed(main) == ["tinyshakespeare"])
        assert [one.name for one in list_corpora()] == ["tinyshakespeare"]


async def test_the_built_in_text_is_neither_renamed_nor_removed() -> None:
    async with data_tab("tinyshakespeare") as (pilot, main, _):
        await pilot.press("r", "d")
        await wait_until(pilot, lambda: "comes with the program and cannot be removed" in notices(main))
        assert main.is_current


async def test_a_recent_text_leaves_the_list_and_stays_on_the_disk(poem: Path) -> None:
    AppState(recent=(str(poem),)).save()
    async with data_tab(str(poem)) as (pilot, main, _):
        await pilot.press("d")
        await wait_until(pilot, lambda: listed(main) == ["tinyshakespeare"])
        assert list(main.state.recent) == []
        assert poem.exists()


async def test_a_text_is_put_into_the_form_and_is_recent_once_it_was_trained_on(poem: Path) -> None:
    AppState(recent=(str(poem),)).save()
    async with data_tab(str(poem)) as (pilot, main, _):
        await pilot.press("t")
        await wait_until(pilot, lambda: main.active_tab == "train" and main.query_one("#presets").has_focus)
        assert main.query_one("#setting-corpus", Input).value == str(poem)
        main.state.recent = ()
        await pilot.press("s")
        await wait_until(pilot, lambda: main.control.record is not None)
        assert list(main.state.recent) == [str(poem)]


async def test_while_a_run_is_training_no_other_text_is_chosen() -> None:
    async with running(FakeSession(hold_at=100)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        await pilot.press("f5")
        await wait_until(pilot, lambda: main.data_pane is not None and main.query_one("#texts").has_focus)
        await pilot.press("t")
        await wait_until(pilot, lambda: "a run is training already" in notices(main))
        assert main.train_pane.record is not None


async def test_every_key_is_in_the_palette_while_the_tab_is_shown() -> None:
    async with data_tab("tinyshakespeare") as (pilot, main, _):
        commands = {command.title: command for command in main.app.get_system_commands(main)}
        ids = [binding.id or "" for binding in DataPane.BINDINGS if isinstance(binding, Binding)]
        assert {KEY_ACTIONS[name].title for name in ids} <= commands.keys()
        main.app.call_later(commands["Add a text"].callback)
        await wait_until(pilot, lambda: isinstance(main.app.screen, AddScreen))
        await pilot.press("escape", "1")
        titles = {command.title for command in main.app.get_system_commands(main)}
        assert "Add a text" not in titles
