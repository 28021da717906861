"""The questions the app asks: quit while training, delete a run, a number. Each is answered by one key."""

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from tui_gpt.errors import ConfigError
from tui_gpt.escaping import escape_controls
from tui_gpt.events import SettingValue


class QuestionScreen(ModalScreen[bool]):
    """A question with two answers; Escape is always the one that changes nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "answer(False)", "No", show=False),
        Binding("left", "app.focus_previous", "Previous", show=False),
        Binding("right", "app.focus_next", "Next", show=False),
    ]

    def __init__(self, question: str, detail: str, yes: str, no: str, *, key: str, yes_first: bool) -> None:
        super().__init__()
        self._question, self._detail = question, detail
        self._yes, self._no = f"{yes}  {key}", f"{no}  Esc"
        self._yes_first = yes_first
        self._bindings.bind(key, "answer(True)", yes, show=False)

    def compose(self) -> ComposeResult:
        """Question, explanation, answers."""
        with Vertical(classes="dialog"):
            yield Static(self._question, classes="dialog-title", markup=False)
            yield Static(self._detail, classes="dialog-detail", markup=False)
            with Horizontal(classes="buttons"):
                yield Button(self._yes, id="yes", variant="primary" if self._yes_first else "error", compact=True)
                yield Button(self._no, id="no", compact=True)

    def on_mount(self) -> None:
        """Enter gives the harmless answer where the other one destroys something."""
        self.query_one("#yes" if self._yes_first else "#no", Button).focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        """Take the answer of a key."""
        self.dismiss(answer)


def quit_question(step: int) -> QuestionScreen:
    """Whether to leave a run that is under way."""
    return QuestionScreen(
        "A run is training",
        f"It is at step {step:,}. Everything it has learned is saved, and the run can go on later.",
        "Save and quit",
        "Keep training",
        key="s",
        yes_first=True,
    )


def delete_question(name: str) -> QuestionScreen:
    """Whether to delete a run."""
    return QuestionScreen(
        f"Delete {name}?",
        "Its checkpoints and its log are removed from the disk. There is no way back.",
        "Delete",
        "Keep",
        key="d",
        yes_first=False,
    )


class NumberScreen(ModalScreen[SettingValue]):
    """Asks for one number; None when the user changes their mind.

    `check` makes a number of what was typed, or raises ConfigError: then its sentence is shown and the question stays.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel", show=False)]

    def __init__(self, question: str, detail: str, value: str, check: Callable[[str], SettingValue]) -> None:
        super().__init__()
        self._question, self._detail, self._value = question, detail, value
        self._check = check

    def compose(self) -> ComposeResult:
        """Question, explanation, field, what is wrong with it."""
        with Vertical(classes="dialog"):
            yield Static(self._question, classes="dialog-title", markup=False)
            yield Static(self._detail, classes="dialog-detail", markup=False)
            yield Input(self._value, restrict=r"[0-9.,+\-e_]*", select_on_focus=True, compact=True)
            yield Static("", id="refusal", markup=False)
            yield Static("Enter takes it, Escape leaves everything as it is", classes="dialog-hint", markup=False)

    @on(Input.Changed)
    def _typed(self) -> None:
        self._refuse("")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        try:
            number = self._check(event.value)
        except ConfigError as error:
            self._refuse(escape_controls(str(error)))
        else:
            self.dismiss(number)

    def _refuse(self, sentence: str) -> None:
        """Say what is wrong under the field."""
        refusal = self.query_one("#refusal", Static)
        refusal.update(sentence)
        refusal.display = bool(sentence)

    def action_cancel(self) -> None:
        """Leave everything as it is."""
        self.dismiss(None)
