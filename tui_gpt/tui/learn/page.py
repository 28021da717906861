"""A screen of the lesson: a few sentences, a picture, something to try, and a line to type into.

What they show is computed in a thread by `compute` whenever it may have changed; `words`, `draw` and `hint` turn the
result into text. A subclass states by `USES` which of the lesson's keys it has a meaning for.
"""

from collections.abc import Awaitable, Callable
from typing import ClassVar, Generic, Literal, TypeVar

from textual import events, on
from textual.app import ComposeResult, RenderResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from tui_gpt.errors import TuiGptError
from tui_gpt.escaping import escape_controls
from tui_gpt.tui.escaped_input import EscapedInput
from tui_gpt.tui.keys import keymap_of
from tui_gpt.tui.learn.ladder import ladder
from tui_gpt.tui.learn.material import Material
from tui_gpt.tui.threads import in_background

Data = TypeVar("Data")
Use = Literal["change", "choose", "again", "view", "type"]
"""A group of keys: ← →, ↑ ↓, space, v, t."""
Direction = Literal[-1, 1]


class Picture(Widget):
    """Draws itself at its size."""

    DEFAULT_CSS = "Picture { height: 1fr; }"

    def __init__(self, draw: Callable[[int, int], Content]) -> None:
        super().__init__(classes="lesson-picture")
        self._draw = draw

    def render(self) -> RenderResult:
        """Return the drawing at the present size."""
        return self._draw(self.size.width, self.size.height)


class LessonPage(Widget, Generic[Data]):
    """One screen; its state is kept while another one is shown."""

    can_focus = True
    TITLE: ClassVar[str]
    USES: ClassVar[frozenset[Use]] = frozenset()
    PLACEHOLDER: ClassVar[str] = ""
    SOURCE: ClassVar[str] = ""
    """Where a statement on the screen comes from; shown where there is space for it."""

    class Changed(Message):
        """Other keys may be available."""

    number = 1
    """The place of the screen in the lesson, from 1."""

    def __init__(self, material: Material) -> None:
        super().__init__(classes="lesson-page")
        self.material = material
        self.typed = ""
        """The reader's own text."""
        self.data: Data | None = None
        self.failure = ""
        self.picture = Picture(self._drawn)

    # For subclasses

    def compute(self) -> Data:
        """Return what is shown, in a thread. Raises TuiGptError."""
        raise NotImplementedError

    def words(self, data: Data) -> Content:
        """Return the sentences."""
        raise NotImplementedError

    def draw(self, data: Data, width: int, height: int) -> Content:
        """Return the picture at a size in cells."""
        raise NotImplementedError

    def hint(self) -> str:
        """Return what there is to try; keys are written as `{learn.again}`."""
        raise NotImplementedError

    def change(self, by: Direction) -> None:
        """Handle ← or →."""

    def choose(self, by: Direction) -> None:
        """Handle ↑ (-1) or ↓ (1)."""

    def again(self) -> None:
        """Handle the space bar."""

    def view(self) -> None:
        """Handle v."""

    def leave(self) -> None:
        """End the work of threads: the lesson is being left."""

    # Content

    def compose(self) -> ComposeResult:
        """Lay out words, the line to type into, picture and hint; side by side where it is wide."""
        with Vertical(classes="lesson-side"):
            yield Static("", classes="lesson-words", markup=False)
            yield Static("", classes="lesson-hint", markup=False)
            yield EscapedInput(placeholder=self.PLACEHOLDER, classes="lesson-input", compact=True)
            yield Static("", classes="lesson-ladder", markup=False)
            yield Static(self.SOURCE and f"Source: {self.SOURCE}", classes="lesson-source", markup=False)
        with Vertical(classes="lesson-pictures"):
            yield from self.picture_widgets()
        yield Static("", classes="lesson-hint", markup=False)

    def picture_widgets(self) -> ComposeResult:
        """Lay out what is beside or below the words."""
        yield self.picture

    def on_mount(self) -> None:
        """Compute after the first paint."""
        self.query_one(".lesson-words", Static).update("Counting …")
        self.call_after_refresh(self.recompute)

    def recompute(self) -> None:
        """Compute what is shown again, in a thread; an older computation is dropped."""
        self.run_in_background(self._recompute, "figures")

    def run_in_background(self, work: Callable[[], Awaitable[None]], group: str) -> None:
        """Run `work`, which awaits threads, instead of earlier work of its group."""
        self.run_worker(work, exclusive=True, group=group)

    async def _recompute(self) -> None:
        try:
            self.data = await in_background(self.compute)
        except TuiGptError as error:
            self.failure = str(error)
            self._update(".lesson-words", escape_controls(self.failure))
            return
        self.show()

    def show(self) -> None:
        """Show what has been computed."""
        if self.data is None or not self.is_mounted:
            return
        self._update(".lesson-words", self.words(self.data))
        self._update(".lesson-hint", Content.assemble(("Try it  ", "bold"), keymap_of(self).fill(self.hint())))
        self._update(".lesson-ladder", ladder(self.material, self.number))
        self.picture.refresh()
        self.post_message(self.Changed())

    def _update(self, selector: str, content: Content | str) -> None:
        """Change the words of widgets; there are none if the lesson was left while the figures were computed."""
        for widget in self.query(selector).results(Static):
            widget.update(content)

    def _drawn(self, width: int, height: int) -> Content:
        return Content("") if self.data is None or not width or not height else self.draw(self.data, width, height)

    def on_resize(self, event: events.Resize) -> None:
        """Draw at the new size."""
        del event
        self.picture.refresh()

    # Typing

    @property
    def is_typing(self) -> bool:
        """Whether keys type characters."""
        return self.query_one(Input).has_focus

    def start_typing(self) -> None:
        """Open the line to type into."""
        field = self.query_one(Input)
        field.add_class("-open")
        field.focus()
        self.post_message(self.Changed())

    def stop_typing(self) -> None:
        """Close it."""
        self.query_one(Input).remove_class("-open")
        self.focus()
        self.post_message(self.Changed())

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self.typed = event.value
        self.recompute()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.stop_typing()
