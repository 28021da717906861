"""The form of a new run: a menu of presets, the text, and every setting to be edited in place.

The config classes validate the form at each keystroke, and their error appears under the field that it is about; a
form with an error cannot be started. `tui_gpt.tui.train.form` converts between fields and settings.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.widgets import Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from tui_gpt.config import PRESETS, RunConfig, resolve
from tui_gpt.tui.train.form import (
    COLUMN_FIELDS,
    FIELDS,
    SPLIT_FIELDS,
    WIDE_FIELDS,
    FieldError,
    FormField,
    config_of,
    is_number,
    texts,
    with_samples,
)

_NUMBER_CHARACTERS = frozenset("0123456789.,-+e_")


class SettingInput(Input):
    """One value. A number field leaves letters to the app's keys, so that `s` starts the run from any of them."""

    def __init__(self, name: str, *, numeric: bool) -> None:
        super().__init__(name=name, id=f"setting-{name}", compact=True, select_on_focus=True)
        self._numeric = numeric
        if numeric:
            self.restrict = r"[0-9.,+\-e_]*"

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Return whether the key is typed into the field."""
        if self._numeric and character is not None and character not in _NUMBER_CHARACTERS:
            return False
        return super().check_consume_key(key, character)

    def on_key(self, event: events.Key) -> None:
        """Pass on the keys that are not typed: `Input` would stop them before they reach the screen's bindings."""
        if event.is_printable and not self.check_consume_key(event.key, event.character):
            event.prevent_default()


class SettingsForm(VerticalScroll, can_focus=False):
    """The settings of the next run."""

    class Edited(Message):
        """The form was edited; `config` is None while its settings are invalid."""

        def __init__(self, config: RunConfig | None) -> None:
            self.config = config
            super().__init__()

    def __init__(self, base: RunConfig, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._base = base
        self._edited = ""

    def compose(self) -> ComposeResult:
        """Lay out presets, text, and settings in two columns."""
        yield Label("preset", classes="section")
        yield OptionList(*(Option(_menu_line(name), id=name) for name in PRESETS), id="presets", compact=True)
        for field in (FormField("corpus", "file, folder or name"), *WIDE_FIELDS):
            with Horizontal(classes="setting-row wide", id=f"{field.name}-row"):
                yield from self._field(field)
        for left, right in zip(COLUMN_FIELDS[::2], COLUMN_FIELDS[1::2], strict=True):
            with Horizontal(classes="setting-row"):
                yield from self._field(left)
                yield from self._field(right, "second")
        yield Static("", id="sentence", markup=False)

    def _field(self, field: FormField, column: str = "") -> Iterator[Label | SettingInput]:
        yield Label(field.name, classes=f"setting-name {column}")
        yield SettingInput(field.name, numeric=is_number(field.name))
        yield Label(field.unit, classes="setting-unit")

    def on_mount(self) -> None:
        """Begin with the initial run."""
        self.fill(self._base)

    def fill(self, base: RunConfig, typed: Mapping[str, str] = MappingProxyType({})) -> None:
        """Fill the form with a run's settings, except for the fields in `typed`."""
        self._base = with_samples(base)
        self._edited = ""
        self.query_one(OptionList).highlighted = list(PRESETS).index(base.preset)
        with self.prevent(Input.Changed):
            self._input("corpus").value = base.corpus
            for field, text in {**texts(self._base), **typed}.items():
                self._input(field).value = text
        self._validate()

    def choose_preset(self, name: str) -> None:
        """Fill the form with a preset's settings; keep the text and how it is split."""
        split = {field: self._input(field).value for field in SPLIT_FIELDS}
        self.fill(resolve(name, self._input("corpus").value), split)

    def focus_first(self) -> None:
        """Focus the menu of presets."""
        self.query_one(OptionList).focus()

    @on(OptionList.OptionHighlighted, "#presets")
    def _preset_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        is_current = event.option_index == event.option_list.highlighted  # the list may report an earlier move late
        if is_current and event.option.id and event.option.id != self._base.preset:
            self.choose_preset(event.option.id)

    @on(Input.Changed)
    def _setting_typed(self, event: Input.Changed) -> None:
        self._edited = event.input.name or ""
        self._validate()

    @on(Input.Submitted)
    def _line_done(self) -> None:
        self.screen.focus_next()

    def config(self) -> RunConfig:
        """Return the run that the form describes. Raises FieldError."""
        typed = {field.name: self._input(field.name).value for field in FIELDS}
        return config_of(self._base, self._input("corpus").value, typed, self._edited)

    def show_sentence(self, field: str, sentence: str) -> None:
        """Show an error under a field; an empty field name removes it."""
        shown = self.query_one("#sentence", Static)
        shown.update(sentence)
        shown.display = bool(field)
        for one in self.query(SettingInput):
            is_here = one.name == field
            one.set_class(is_here, "wrong")
            if is_here and isinstance(one.parent, Horizontal):
                self.move_child(shown, after=one.parent)

    def _validate(self) -> None:
        config: RunConfig | None = None
        try:
            config = self.config()
            self.show_sentence("", "")
        except FieldError as error:
            self.show_sentence(error.field, str(error))
        self.post_message(self.Edited(config))

    def _input(self, name: str) -> SettingInput:
        return self.query_one(f"#setting-{name}", SettingInput)


def _menu_line(name: str) -> Text:
    return Text.assemble((f"{name:<9}", "bold"), PRESETS[name].summary, no_wrap=True, overflow="ellipsis")
