"""The lesson: one screen after the other, with the keys that all of them share.

A screen is created when it is first reached and keeps its state. PyTorch is loaded when the reader comes near the
screens that train; the others do not need it.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Literal

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from tui_gpt.errors import TuiGptError
from tui_gpt.formatting import text_name
from tui_gpt.tui.app.app_title import AppTitle
from tui_gpt.tui.app.help_screen import HelpScreen
from tui_gpt.tui.app.key_footer import KeyFooter
from tui_gpt.tui.app.sized_screen import SizedScreen
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.glyphs import is_ascii_only
from tui_gpt.tui.keys import key_binding, key_commands
from tui_gpt.tui.learn.material import Material
from tui_gpt.tui.learn.page import LessonPage
from tui_gpt.tui.learn.screens import PAGES
from tui_gpt.tui.threads import start_in_background
from tui_gpt.tui.torch_loader import TorchLoader

LessonChoice = Literal["train"]
"""What to do after the lesson."""

_LOAD_TORCH_AT = 4
"""The screen from which on PyTorch is loaded: before the first one that trains."""
_PLACES: tuple[tuple[str, Literal["change", "choose", "again", "view", "type"]], ...] = (
    ("change", "change"), ("choose", "choose"), ("again", "again"), ("view", "view"), ("start_typing", "type"),
)  # fmt: skip


class LessonScreen(SizedScreen[LessonChoice | None]):
    """The screens, their title and the progress; its result is what the user wants to do next, None to leave."""

    CSS_PATH = Path(__file__).parent.parent / "app" / "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("learn.next", "turn(1)", "Next", key_display="⏎"),
        key_binding("learn.back", "turn(-1)", "Back"),
        key_binding("learn.less", "change(-1)", "Change", key_display="←→"),
        key_binding("learn.more", "change(1)", "Change", show=False),
        key_binding("learn.above", "choose(-1)", "Choose", key_display="↑↓"),
        key_binding("learn.below", "choose(1)", "Choose", show=False),
        key_binding("learn.again", "again", "Again", key_display="space"),
        key_binding("learn.view", "view", "View"),
        key_binding("learn.type", "start_typing", "Type"),
        key_binding("learn.stop_typing", "stop_typing", "Done", key_display="esc"),
        key_binding("learn.scroll_up", "scroll(-1)", "Scroll", show=False),
        key_binding("learn.scroll_down", "scroll(1)", "Scroll", show=False),
        key_binding("learn.game", "open_page(9)", "Game", show=False),
        key_binding("learn.train", "train", "Train a model", show=False),
        key_binding("app.help", "help", "Help", key_display="F1"),
        key_binding("learn.leave", "leave", "Quit"),
    ]

    def __init__(self, material: Material, loader: TorchLoader, state: AppState, number: int | None = None) -> None:
        """Begin at screen `number` (from 1), or where the reader stopped."""
        super().__init__()
        self._material = material
        self._loader = loader
        self._state = state
        self._pages: dict[int, LessonPage[Any]] = {}
        wanted = state.lesson_screen if number is None else number
        self.number = min(max(1, wanted), len(PAGES))
        """The screen that is shown, from 1; the last one is the game."""

    def compose(self) -> ComposeResult:
        """Lay out a line at the top, title and progress, the screen, and the keys."""
        self.set_size_classes()
        with Horizontal(id="top"):
            yield AppTitle(id="title")
            yield Static(f"lesson: {text_name(self._material.source)}", id="top-status", markup=False)
        with Horizontal(id="lesson-head"):
            yield Static("", id="lesson-title", markup=False)
            yield Static("", id="lesson-dots", markup=False)
        yield Vertical(id="lesson")
        yield KeyFooter(show_command_palette=False)

    async def on_mount(self) -> None:
        """Show the first screen."""
        await self.action_open_page(self.number)
        self.call_after_refresh(self._prepare)

    def _prepare(self) -> None:
        """Compute ahead of the reader. What fails here fails again on the screen that needs it, which explains it."""

        def work() -> None:
            with suppress(TuiGptError):
                self._material.prepare()

        start_in_background(work, "lesson")

    @property
    def page(self) -> LessonPage[Any] | None:
        """The screen that is shown; None before the first one."""
        return self._pages.get(self.number)

    async def action_turn(self, by: int) -> None:
        """Show the next screen, or the one before."""
        await self.action_open_page(self.number + by)

    async def action_open_page(self, number: int) -> None:
        """Show a screen, which is created if need be."""
        if not 1 <= number <= len(PAGES):
            return
        if self.page is not None:
            self.page.display = False
        self.number = number
        await self._require_page(number)
        self._show_head()
        self._remember()
        if number >= _LOAD_TORCH_AT:
            self._loader.start_once()

    async def _require_page(self, number: int) -> None:
        place = self.query_one("#lesson", Vertical)
        if number not in self._pages:
            self._pages[number] = PAGES[number - 1](self._material)
            self._pages[number].number = number
            await place.mount(self._pages[number])
        page = self._pages[number]
        page.display = True
        page.focus()
        place.scroll_home(animate=False)
        self.refresh_bindings()

    def _show_head(self) -> None:
        self.query_one("#lesson-title", Static).update(f"{self.number}  {PAGES[self.number - 1].TITLE}")
        done, here, rest = ("#", "@", ".") if is_ascii_only() else ("●", "◉", "○")
        marks = [done if n < self.number else here if n == self.number else rest for n in range(1, len(PAGES) + 1)]
        self.query_one("#lesson-dots", Static).update(" ".join(marks))

    def _remember(self) -> None:
        if self._state.lesson_screen != self.number:
            self._state.lesson_screen = self.number
            self._state.save()

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enable the keys that the present screen has a use for, and only Escape while characters are typed."""
        page = self.page
        if page is None or not page.is_mounted:
            return action in ("leave", "help")
        if action == "stop_typing" or page.is_typing:
            return page.is_typing and action in ("stop_typing", "scroll")
        if action == "turn":
            return 1 <= self.number + int(str(parameters[0])) <= len(PAGES)
        use = dict(_PLACES).get(action)
        return use is None or use in page.USES

    def action_change(self, by: Literal[-1, 1]) -> None:
        """Change a value of the screen."""
        if self.page is not None:
            self.page.change(by)

    def action_choose(self, by: Literal[-1, 1]) -> None:
        """Choose another line of the screen."""
        if self.page is not None:
            self.page.choose(by)

    def action_again(self) -> None:
        """Draw again, start or stop."""
        if self.page is not None:
            self.page.again()

    def action_view(self) -> None:
        """Show something else."""
        if self.page is not None:
            self.page.view()

    def action_start_typing(self) -> None:
        """Type a text of one's own."""
        if self.page is not None:
            self.page.start_typing()

    def action_stop_typing(self) -> None:
        """End typing."""
        if self.page is not None:
            self.page.stop_typing()

    def action_scroll(self, pages: int) -> None:
        """Scroll where the screen does not fit."""
        place = self.query_one("#lesson", Vertical)
        place.scroll_relative(y=pages * max(1, place.size.height - 1), animate=False)

    @on(LessonPage.Changed)
    def _page_changed(self) -> None:
        self.refresh_bindings()

    def action_help(self) -> None:
        """Show the keys of the lesson."""
        self.app.push_screen(HelpScreen("learn"))

    def action_train(self) -> None:
        """Leave for the Train tab."""
        self._leave("train")

    def action_leave(self) -> None:
        """Leave; the place in the lesson is remembered."""
        self._leave(None)

    def _leave(self, choice: LessonChoice | None) -> None:
        for page in self._pages.values():
            page.leave()
        self.dismiss(choice)

    def commands(self) -> Iterable[SystemCommand]:
        """Yield the entries of the command palette."""
        yield from key_commands(self)
        for number, page in enumerate(PAGES, 1):
            action = f"open_page({number})"
            yield SystemCommand(
                f"Lesson {number}: {page.TITLE}", "Show this screen", lambda action=action: self.run_action(action)
            )
