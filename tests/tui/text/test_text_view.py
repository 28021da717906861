"""The text view: it follows the tail unless the user has scrolled up, and shows whatever it is given as it is."""

from collections.abc import Sequence

import pytest
from rich.segment import Segment
from textual.app import App, ComposeResult

from tui_gpt.tui.text.passage import Look, Passage
from tui_gpt.tui.text.text_view import TextView


class PlainBlock:
    """One passage and nothing around it."""

    def __init__(self, text: str = "") -> None:
        self.passage = Passage()
        self.passage.append(text, "plain")
        self.drawn: list[int] = []

    def height(self, width: int) -> int:
        return self.passage.height(width)

    def draw(self, row: int, width: int, look: Look) -> Sequence[Segment]:
        assert width >= self.passage.rows.width
        self.drawn.append(row)
        return self.passage.draw(row, look)


class Host(App[None]):
    """An app that shows one block."""

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self.block = PlainBlock(text)

    def compose(self) -> ComposeResult:
        yield TextView()

    def on_mount(self) -> None:
        self.view.show([self.block])

    @property
    def view(self) -> TextView:
        return self.query_one(TextView)

    def write(self, text: str) -> None:
        """Let the block grow as a pane would."""
        self.view.grown(0, self.block.passage.append(text, "plain"))

    @property
    def rows(self) -> list[str]:
        return [self.view.render_line(y).text.rstrip() for y in range(self.view.size.height)]


LINES = "".join(f"line {number}\n" for number in range(100))


async def test_the_tail_is_followed_by_who_is_at_it() -> None:
    async with (app := Host(LINES)).run_test(size=(40, 10)) as pilot:
        app.view.follow()
        await pilot.pause()
        app.write("more\nand more")
        await pilot.pause()
        assert app.rows[-1] == "and more"


async def test_two_rows_from_the_tail_is_still_at_it() -> None:
    async with (app := Host(LINES)).run_test(size=(40, 10)) as pilot:
        app.view.scroll_to(y=app.view.max_scroll_y - 2, animate=False)
        await pilot.pause()
        app.write("more\nand more")
        await pilot.pause()
        assert app.rows[-1] == "and more"


async def test_who_reads_further_up_is_left_alone() -> None:
    async with (app := Host(LINES)).run_test(size=(40, 10)) as pilot:
        app.view.scroll_to(y=app.view.max_scroll_y - 3, animate=False)
        await pilot.pause()
        before = app.rows
        app.write("more\n" * 20)
        await pilot.pause()
        assert app.rows == before


async def test_a_burst_draws_its_own_rows_alone() -> None:
    async with (app := Host("a row\nanother")).run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        app.block.drawn.clear()
        app.write(" and more\nof it")
        await pilot.pause()
        assert set(app.block.drawn) == {1, 2}


async def test_only_rows_on_screen_are_drawn() -> None:
    async with (app := Host(LINES)).run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        assert len(set(app.block.drawn)) <= 20


async def test_another_width_breaks_the_rows_anew() -> None:
    async with (app := Host("to be or not to be " * 4)).run_test(size=(40, 10)) as pilot:
        before = app.view.total_rows
        await pilot.resize_terminal(20, 10)
        await pilot.pause()
        assert app.view.total_rows > before
        assert all(len(row) < 20 for row in app.rows)


async def test_the_scroll_bar_is_told_of_every_growth() -> None:
    async with (app := Host("a")).run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        app.write("\n" * 50)
        await pilot.pause()
        assert app.view.vertical_scrollbar.window_virtual_size == app.view.total_rows == 51


async def test_the_scroll_bar_is_drawn_anew_only_when_its_thumb_has_moved_a_cell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To draw it takes as long as all text on screen."""
    async with (app := Host(10 * LINES)).run_test(size=(40, 10)) as pilot:
        drawn = drawings_of_the_scroll_bar(app, monkeypatch)
        app.view.follow()
        await pilot.pause()
        del drawn[:]
        for _ in range(100):
            app.write("one more line\n")
            await pilot.pause()
        assert len(drawn) <= 2
        assert app.view.vertical_scrollbar.position == app.view.max_scroll_y
        app.view.scroll_to(y=0, animate=False)
        await pilot.pause()
        assert drawn[-1] == (0, app.view.total_rows)


async def test_the_scroll_bar_follows_who_reads_while_the_text_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    async with (app := Host(LINES)).run_test(size=(40, 10)) as pilot:
        drawn = drawings_of_the_scroll_bar(app, monkeypatch)
        app.view.scroll_to(y=60, animate=False)
        await pilot.pause()
        app.write(LINES)
        await pilot.pause()
        assert drawn[-1] == (60, app.view.total_rows)


def drawings_of_the_scroll_bar(app: Host, monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, int]]:
    """Record the position and the size of its thumb whenever it is drawn."""
    bar, drawn = app.view.vertical_scrollbar, list[tuple[float, int]]()
    render = bar.render

    def noted() -> object:
        drawn.append((bar.position, bar.window_virtual_size))
        return render()

    monkeypatch.setattr(bar, "render", noted)
    return drawn


async def test_markup_and_control_characters_are_shown() -> None:
    async with (app := Host("[bold]x[/]\x1b[2J\x07\t\x85")).run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        assert app.rows[0] == "[bold]x[/]␛[2J␇→�"


async def test_wide_and_combining_characters_keep_the_rows_within_the_width() -> None:
    async with (app := Host("漢字🙂e\u0301" * 20)).run_test(size=(21, 10)) as pilot:
        await pilot.pause()
        assert {app.view.render_line(y).cell_length for y in range(10)} == {app.view.row_width}
        assert app.rows[0].startswith("漢字🙂e\u0301")


def test_a_cursor_on_a_line_break_can_be_seen() -> None:
    passage = Passage()
    passage.append("a\nb", "plain")
    passage.cursor = 1
    assert "".join(segment.text for segment in passage.draw(0, lambda _: None)) == "a↵"  # type: ignore[arg-type, return-value]


def test_characters_can_be_given_other_tones() -> None:
    passage = Passage()
    passage.append("abcd", "plain")
    passage.repaint(1, ["likely", "likely"])
    tones: list[str] = []

    def look(tone: str) -> None:
        tones.append(tone)

    assert [segment.text for segment in passage.draw(0, look)] == ["a", "bc", "d"]  # type: ignore[arg-type]
    assert tones == ["plain", "likely", "plain"]
