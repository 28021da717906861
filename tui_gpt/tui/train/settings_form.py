"""The form of a new run: the text, how long it may take, what it starts from and a preset; behind a key, every setting.

The config classes validate the form at each keystroke, and their error appears at the field that it is about; a form
with an error cannot be started. `tui_gpt.tui.train.form` converts between fields and settings. The values are kept
here, because the widgets of all settings exist only after they were first opened.
"""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from tui_gpt.config import PRESETS, RunConfig, resolve
from tui_gpt.escaping import escape_controls
from tui_gpt.tui.keys import keymap_of
from tui_gpt.tui.train.all_settings import AllSettings
from tui_gpt.tui.train.choice_row import ChoiceRow
from tui_gpt.tui.train.end_choices import end_choices
from tui_gpt.tui.train.form import SPLIT_FIELDS, FieldError, changed_words, config_of, texts, with_samples
from tui_gpt.tui.train.setting_row import SettingInput
from tui_gpt.tui.train.start_from import NEW_WEIGHTS, StartFrom, start_label

_CLOSED_HINT = "  ({form.all_settings}: all settings)"


class SettingsForm(Vertical):
    """The settings of the next run."""

    class Edited(Message):
        """The form was edited; `config` is None while its settings are invalid."""

        def __init__(self, config: RunConfig | None) -> None:
            self.config = config
            super().__init__()

    def __init__(self, base: RunConfig, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._base = with_samples(base)
        self._typed = texts(self._base)
        self._edited = ""
        self._all: AllSettings | None = None
        """Created when it is first opened."""
        self.start: StartFrom | None = None
        """The model that the run starts from; None for new weights."""

    def compose(self) -> ComposeResult:
        """Lay out text, time, start and presets."""
        with Vertical(id="basics"):
            with Horizontal(classes="setting-row", id="row-corpus"):
                yield Label("text", classes="setting-name")
                yield SettingInput("corpus", self._base.corpus)
            with Horizontal(classes="setting-row", id="row-end"):
                yield Label("time", classes="setting-name")
                yield ChoiceRow(id="end")
            with Horizontal(classes="setting-row", id="row-start"):
                yield Label("start from", classes="setting-name")
                yield Static(start_label(NEW_WEIGHTS), id="start-from", markup=False)
            yield Label("preset", classes="section")
            yield OptionList(*(Option(_menu_line(name), id=name) for name in PRESETS), id="presets", compact=True)
            yield Static("", id="changed", markup=False)
        yield Static("", id="sentence", markup=False)

    def on_mount(self) -> None:
        """Begin with the initial run."""
        self.fill(self._base)

    # The values

    def fill(self, base: RunConfig, typed: Mapping[str, str] = MappingProxyType({})) -> None:
        """Fill the form with a run's settings, except for the fields in `typed`."""
        self._base = with_samples(base)
        self._edited = ""
        self._typed = {**texts(self._base), **typed}
        self.query_one(OptionList).highlighted = list(PRESETS).index(base.preset)
        with self.prevent(Input.Changed):
            self.query_one("#setting-corpus", SettingInput).value = base.corpus
        if self._all is not None:
            self._all.fill(self._typed)
        self._validate()

    def choose_preset(self, name: str) -> None:
        """Fill the form with a preset's settings; keep the text, how it is split, and what the run starts from."""
        split = {field: self._typed[field] for field in SPLIT_FIELDS}
        self.fill(self._started(resolve(name, self.corpus)), split)

    def choose_start(self, start: StartFrom | None) -> None:
        """Start the run from a model, with a preset and the settings that fit it; None is from new weights."""
        was_started, self.start = self.start is not None, start
        source = NEW_WEIGHTS if start is None else start.source
        self.query_one("#start-from", Static).update(escape_controls(start_label(source)))
        if start is not None or was_started:
            self.choose_preset(self._base.preset if start is None else start.preset(self._base.preset))

    def _started(self, config: RunConfig) -> RunConfig:
        """Return `config` with the shape of the model that the run starts from, if its preset is for such a model."""
        if self.start is None or self.start.preset(config.preset) != config.preset:
            return config
        return dataclasses.replace(config, model=self.start.model)

    @property
    def corpus(self) -> str:
        """The text in the form."""
        return self.query_one("#setting-corpus", SettingInput).value

    def choose_text(self, source: str) -> None:
        """Put a text into the form."""
        self.query_one("#setting-corpus", SettingInput).value = source

    def config(self) -> RunConfig:
        """Return the run that the form describes. Raises FieldError."""
        if self.start is not None:
            self.start.require_preset(self._base.preset)
        return config_of(self._base, self.corpus, self._typed, self._edited)

    def _validate(self) -> None:
        choices, selected = end_choices(self._base.preset, self._typed)
        self.query_one(ChoiceRow).show([choice.label for choice in choices], selected)
        config: RunConfig | None = None
        try:
            config = self.config()
            self.show_sentence("", "")
        except FieldError as error:
            self.show_sentence(error.field, str(error))
        self._show_changed(config)
        self.post_message(self.Edited(config))

    def _show_changed(self, config: RunConfig | None) -> None:
        """Show which settings are not the preset's, as most of them are not on screen."""
        usual = with_samples(self._started(resolve(self._base.preset)))
        words = "" if config is None else changed_words(config, usual)
        shown = self.query_one("#changed", Static)
        shown.update(f"changed: {words}" if words else "")
        shown.display = bool(words)

    # What the user does

    def focus_first(self) -> None:
        """Focus the menu of presets, or all settings if they are open."""
        if self._all is not None and self._all.display and not self.query_one("#basics").display:
            self._all.focus_first()
        else:
            self.query_one(OptionList).focus()

    @on(OptionList.OptionHighlighted, "#presets")
    def _preset_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        is_current = event.option_index == event.option_list.highlighted  # the list may report an earlier move late
        if is_current and event.option.id and event.option.id != self._base.preset:
            self.choose_preset(event.option.id)

    @on(ChoiceRow.Selected)
    def _end_selected(self, event: ChoiceRow.Selected) -> None:
        choices, _ = end_choices(self._base.preset, self._typed)
        end = choices[event.index].texts()
        self._typed.update(end)
        if self._all is not None:
            self._all.fill(end)
        self._validate()

    @on(Input.Changed)
    def _setting_typed(self, event: Input.Changed) -> None:
        self._edited = event.input.name or ""
        if self._edited in self._typed:
            self._typed[self._edited] = event.value
        self._validate()

    @on(Input.Submitted)
    def _line_done(self) -> None:
        self.screen.focus_next()

    # All settings, errors

    @property
    def is_open(self) -> bool:
        """Whether all settings are on screen."""
        return self._all is not None and self._all.display

    async def toggle_all(self) -> None:
        """Show or hide all settings."""
        self.set_class(not self.is_open, "-all")  # first: a class styles all that is inside once more
        if self._all is None:
            self._all = AllSettings(self._typed, id="all-settings")
            await self.mount(self._all, before="#sentence")
        else:
            self._all.display = not self._all.display
        self._validate()
        if self.is_open:
            self._all.focus_first()
        else:
            self.query_one(OptionList).focus()

    def show_sentence(self, field: str, sentence: str) -> None:
        """Show an error at its field, or below the form if the field is not on screen; an empty field removes it."""
        is_inside = self.is_open and field in self._typed
        if self._all is not None:
            self._all.show_error(field if is_inside else "", sentence)
        self.query_one("#setting-corpus").set_class(field == "corpus", "wrong")
        shown = self.query_one("#sentence", Static)
        is_hidden = field in self._typed and not self.is_open
        shown.update(sentence + (keymap_of(self).fill(_CLOSED_HINT) if is_hidden else ""))
        shown.display = bool(field) and not is_inside


def _menu_line(name: str) -> Text:
    return Text.assemble((f"{name:<9}", "bold"), PRESETS[name].summary, no_wrap=True, overflow="ellipsis")
