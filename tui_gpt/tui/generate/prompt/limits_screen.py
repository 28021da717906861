"""The dialog for stop conditions and constraints of the next answers."""

from typing import ClassVar, get_args

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from tui_gpt.config import SampleConfig, Until
from tui_gpt.errors import ConfigError
from tui_gpt.tui.app.sized_screen import SizedScreen
from tui_gpt.tui.dialogs import show_refusal
from tui_gpt.tui.escaped_input import EscapedInput
from tui_gpt.tui.generate.prompt.limit_fields import (
    FIELDS,
    UNTIL_MEANINGS,
    field_text,
    with_field,
    without_limits,
)
from tui_gpt.tui.keys import button_label, key_binding, keymap_of
from tui_gpt.tui.train.choice_row import ChoiceRow

_UNTIL: tuple[Until, ...] = get_args(Until)
_HINT = "Tab: next field · Enter: apply · {dialog.cancel}: cancel"


class _UntilRow(ChoiceRow):
    """The values of `until`; on a narrow screen the chosen one alone."""

    class Submitted(Message):
        """Enter was pressed."""

    def render(self) -> Content:
        """Draw the values."""
        whole = super().render()
        if whole.cell_length <= self.content_size.width or self.selected is None:
            return whole
        return Content(f"‹ {self.labels[self.selected]} ›")

    def on_key(self, event: events.Key) -> None:
        """Submit on Enter."""
        if event.key == "enter":
            event.stop()
            self.post_message(self.Submitted())


class LimitsScreen(ModalScreen[SampleConfig | None]):
    """One row for each field, below them what the current one means or why it is invalid; dismissed with the settings,
    or with None on Escape."""

    VERTICAL_BREAKPOINTS = SizedScreen.VERTICAL_BREAKPOINTS
    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("dialog.cancel", "dismiss(None)", "Cancel", show=False),
        key_binding("dialog.clear", "clear", "Clear all", show=False),
    ]

    def __init__(self, config: SampleConfig) -> None:
        super().__init__()
        self._config = config
        """As it was, with the valid changes."""
        self._errors: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        """Lay out the fields."""
        with Vertical(classes="dialog"):
            yield Static("Limits: where a text ends, and what it may contain", classes="dialog-title", markup=False)
            with VerticalScroll(id="limits", can_focus=False):
                yield from map(self._row, FIELDS)
            yield Static("", id="limit-meaning", markup=False)
            yield Static("", id="refusal", markup=False)
            yield Static(keymap_of(self).fill(_HINT), classes="dialog-hint", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Apply", id="apply", variant="primary", compact=True)
                yield Button(button_label(self, "Clear all", "dialog.clear"), id="clear", compact=True)

    def _row(self, name: str) -> Horizontal:
        """Return the row of a field."""
        field = FIELDS[name]
        value: Widget = _UntilRow(id="until")
        if name != "until":
            text = field_text(self._config, name)
            value = EscapedInput(text, placeholder=field.placeholder, name=name, compact=True)
        return Horizontal(Static(field.label, markup=False), value, classes="limit", id=f"limit-{name}")

    def on_mount(self) -> None:
        """Begin with the stop strings."""
        self._show_until()
        self.query(Input).first().focus()

    def on_descendant_focus(self) -> None:
        """Show what the current field means."""
        self._explain()

    def _explain(self) -> None:
        focused = self.focused
        name = "until" if isinstance(focused, ChoiceRow) else getattr(focused, "name", None) or ""
        meaning = UNTIL_MEANINGS[self._config.until] if name == "until" else FIELDS[name].meaning if name else ""
        self.query_one("#limit-meaning", Static).update(meaning)

    def _show_until(self) -> None:
        labels = [value.replace("-", " ") for value in _UNTIL]
        self.query_one(_UntilRow).show(labels, _UNTIL.index(self._config.until))

    @on(ChoiceRow.Selected)
    def _until_selected(self, event: ChoiceRow.Selected) -> None:
        self._change("until", _UNTIL[event.index])
        self._show_until()
        self._explain()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        name = event.input.name or ""
        if event.value != field_text(self._config, name) or name in self._errors:
            self._change(name, event.value)

    def _change(self, name: str, text: str) -> None:
        """Take the value of a field, or show why it is invalid."""
        self._errors.pop(name, None)
        try:
            self._config = with_field(self._config, name, text)
        except ConfigError as error:
            self._errors[name] = str(error)
        self.query_one(f"#limit-{name}").set_class(name in self._errors, "-wrong")
        show_refusal(self, next(iter(self._errors.values()), ""))

    @on(Input.Submitted)
    @on(_UntilRow.Submitted)
    @on(Button.Pressed, "#apply")
    def _submitted(self) -> None:
        if not self._errors:
            self.dismiss(self._config)

    @on(Button.Pressed, "#clear")
    def action_clear(self) -> None:
        """Empty all fields."""
        self._config = without_limits(self._config)
        for field in self.query(Input):
            field.value = ""
        self._show_until()
        self._explain()
