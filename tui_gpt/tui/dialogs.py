"""Dialogs: a question that one key answers, a line of text, a number."""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingsMap, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import Button, Input, Static
from textual.widgets.button import ButtonVariant

from tui_gpt.errors import TuiGptError
from tui_gpt.escaping import escape_controls
from tui_gpt.events import SettingValue
from tui_gpt.tui.escaped_input import EscapedInput
from tui_gpt.tui.keys import button_label, key_binding, keymap_of
from tui_gpt.tui.train.form import changed_setting, later_step
from tui_gpt.tui.train.record import RunView

Result = TypeVar("Result")


class QuestionScreen(ModalScreen[bool]):
    """A question with two answers; Escape always gives the one that changes nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("dialog.cancel", "answer(False)", "No", show=False),
        key_binding("dialog.previous", "app.focus_previous", "Previous", show=False),
        key_binding("dialog.next", "app.focus_next", "Next", show=False),
    ]

    def __init__(self, question: str, detail: str, yes: str, no: str, *, key: str, yes_first: bool) -> None:
        """`key` is the id of the action that answers yes."""
        super().__init__()
        self._question, self._detail = question, detail
        self._yes, self._no, self._key = yes, no, key
        self._yes_first = yes_first
        answer = key_binding(key, "answer(True)", yes, show=False)
        self._bindings = BindingsMap.merge([self._bindings, BindingsMap([answer])])

    def compose(self) -> ComposeResult:
        """Lay out question, explanation and answers."""
        with Vertical(classes="dialog"):
            yield Static(self._question, classes="dialog-title", markup=False)
            yield Static(self._detail, classes="dialog-detail", markup=False)
            with Horizontal(classes="buttons"):
                variant: ButtonVariant = "primary" if self._yes_first else "error"
                yield Button(button_label(self, self._yes, self._key), id="yes", variant=variant, compact=True)
                yield Button(button_label(self, self._no, "dialog.cancel"), id="no", compact=True)

    def on_mount(self) -> None:
        """Focus the harmless answer if the other one destroys something."""
        self.query_one("#yes" if self._yes_first else "#no", Button).focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        """Answer by a key."""
        self.dismiss(answer)


def quit_question() -> QuestionScreen:
    """Return the question whether to quit while a run is in progress."""
    return QuestionScreen(
        "A run is training",
        "All of its steps are saved, and it can be resumed later.",
        "Save and quit",
        "Keep training",
        key="dialog.save_and_quit",
        yes_first=True,
    )


class LineScreen(ModalScreen[Result | None]):
    """Asks for a line of text; dismissed with what `check` makes of it, or with None on Escape.

    If `check` raises TuiGptError, the sentence is shown and the dialog stays open.
    """

    BINDINGS: ClassVar[list[BindingType]] = [key_binding("dialog.cancel", "cancel", "Cancel", show=False)]
    RESTRICT: ClassVar[str | None] = None
    """What can be typed, as a regular expression."""

    def __init__(self, title: str, detail: str, text: str, check: Callable[[str], Result]) -> None:
        super().__init__()
        self._title, self._detail, self._text = title, detail, text
        self.check = check

    def compose(self) -> ComposeResult:
        """Lay out title, explanation, field and error."""
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="dialog-title", markup=False)
            yield Static(self._detail, classes="dialog-detail", markup=False)
            yield EscapedInput(self._text, restrict=self.RESTRICT, select_on_focus=True, compact=True)
            yield Static("", id="refusal", markup=False)
            yield Static(
                keymap_of(self).fill("Enter confirms, {dialog.cancel} cancels"), classes="dialog-hint", markup=False
            )

    @on(Input.Changed)
    def _typed(self) -> None:
        show_refusal(self, "")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self.confirm(event.value)

    def confirm(self, text: str) -> None:
        """Close the dialog with this text, or show why it is refused."""
        try:
            result = self.check(text)
        except TuiGptError as error:
            show_refusal(self, str(error))
        else:
            self.dismiss(result)

    def action_cancel(self) -> None:
        """Close the dialog without an answer."""
        self.dismiss(None)


def show_refusal(dialog: Screen[Any], sentence: str) -> None:
    """Show under the field of a dialog why the answer is refused; "" removes it."""
    refusal = dialog.query_one("#refusal", Static)
    refusal.update(escape_controls(sentence))
    refusal.display = bool(sentence)


class NumberScreen(LineScreen[SettingValue]):
    """Asks for a number."""

    RESTRICT = r"[0-9.,+\-e_]*"


def learning_rate_question(record: RunView) -> NumberScreen:
    """Return the dialog for a new peak learning rate of a run."""
    config, rate = record.config.train, record.learning_rate
    return NumberScreen(
        "Learning rate",
        "The new peak value applies from the next step on; the schedule stays the same.",
        f"{config.learning_rate if rate is None else rate:g}",
        lambda text: changed_setting(config, "learning_rate", text),
    )


def more_steps_question(name: str, step: int, max_iters: int) -> NumberScreen:
    """Return the dialog for the last step of a run that has made all its steps."""
    detail = f"{name} has made all of its {step:,} steps. At which step should it end?"
    return NumberScreen(
        "Train further", escape_controls(detail), str(max_iters * 2), lambda text: later_step(step, text)
    )
