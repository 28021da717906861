"""Composing a continuation by hand: at each step the alternatives with their probabilities, and the bits so far."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Static

from tui_gpt.config import SampleConfig
from tui_gpt.control import Control
from tui_gpt.escaping import escape_controls, spell_bytes
from tui_gpt.generation.branches import Branch, TokenPath, TreeShape
from tui_gpt.session import SessionLike
from tui_gpt.tui.app.key_footer import KeyFooter
from tui_gpt.tui.generate.background import LatestTask, OpenModels, model_words
from tui_gpt.tui.generate.by_hand.choices import Choices
from tui_gpt.tui.generate.by_hand.composition import Composition
from tui_gpt.tui.generate.desk_screen import DeskScreen
from tui_gpt.tui.keys import key_binding, keymap_of
from tui_gpt.tui.text.tail import in_a_row, tail_rows

EVERY_TOKEN = 1 << 20
PREVIEW_TOKENS = 24
SAVE_SECONDS = 1.0
"""How long after a choice the text is saved at the latest."""

Save = Callable[[str, tuple[float, ...]], object]
"""Keeps a text with the log-probability of each character."""


@dataclass(frozen=True)
class Prediction:
    """What may follow a path, the most likely first, or the preview that begins there."""

    model: str
    branches: tuple[Branch, ...]
    is_preview: bool = False


Wanted = tuple[TokenPath, bool]
"""A path, and whether it has to be predicted before its preview."""


class HandScreen(DeskScreen[None]):
    """A text that grows by one token at a time; it is kept by `save` while it is written and at the end."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("by_hand.take", "take", "Take", key_display="⏎"),
        key_binding("by_hand.keep", "keep", "Keep", key_display="esc"),
        key_binding("by_hand.above", "move(-1)", "Choose", key_display="↑↓"),
        key_binding("by_hand.below", "move(1)", "Choose", show=False),
        key_binding("by_hand.draw", "draw", "Model's", key_display="→"),
        key_binding("by_hand.word", "word", "Word", key_display="tab"),
        key_binding("by_hand.all", "all", "All of it", show=False),
        key_binding("by_hand.take_back", "take_back", "Undo", key_display="⌫"),
        key_binding("by_hand.line_break", "line_break", "New line", show=False),
        key_binding("app.help", "help", "Help", key_display="F1"),
    ]

    def __init__(self, session: SessionLike, source: str | None, text: str, config: SampleConfig, save: Save) -> None:
        """Continue `text` with the model `source`; `config` is what the model takes a token with."""
        super().__init__()
        self._source, self._text, self._config, self._save = source, text, config, save
        self._models = OpenModels(session)
        self._latest = LatestTask[Wanted, Prediction](
            self._compute,
            lambda wanted, found: self.call_later(self._show, wanted[0], found),
            lambda _, sentence: self.call_later(self._show_error, sentence),
        )
        self.composition = Composition()
        self._model = ""
        self._error = ""
        self._saved = ""
        self._random = Random(config.seed)
        self._draws = 0
        """Tokens that the model is to take when they have been predicted."""
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        """Lay out text and alternatives."""
        self.set_size_classes()
        yield from self.title_row(
            "by hand",
            ("Model's choice", "by_hand.draw", "draw"),
            ("Take back", "by_hand.take_back", "take_back"),
            ("Keep", "by_hand.keep", "keep"),
        )
        with Horizontal(classes="desk"):
            with Vertical(id="hand-left"):
                yield Static(id="hand-text", markup=False)
                yield Static(id="hand-facts", markup=False)
            yield Choices()
        yield KeyFooter(show_command_palette=False)

    def on_mount(self) -> None:
        """Predict the first token."""
        self.leave_buttons_to_the_mouse()
        self.set_focus(None)
        self._timer = self.set_interval(SAVE_SECONDS, self.save_now)
        self._predict()

    def on_unmount(self) -> None:
        """Stop computing, and save what was written last if the app is being closed."""
        self._latest.cancel()
        self.save_now()

    def _compute(self, wanted: Wanted, control: Control) -> Iterator[Prediction]:
        """Yield what may follow a path, then the preview, in a thread."""
        path, is_unknown = wanted
        model = self._models.open(self._source)
        name = model_words(model, self._text)
        if is_unknown:
            for level in model.continuations(self._text, TreeShape(1, EVERY_TOKEN), control, path=path):
                yield Prediction(name, level.branches)
        levels = model.continuations(self._text, TreeShape(PREVIEW_TOKENS, width=1), control, path=path)
        preview = tuple(branch for level in levels for branch in level.branches)
        yield Prediction(name, preview, is_preview=True)

    def _predict(self) -> None:
        """Request what may follow, unless it is known, and the preview."""
        self._latest.request((self.composition.path, self.composition.alternatives is None))
        self._draw()

    def _show(self, path: TokenPath, found: Prediction) -> None:
        self._model, self._error = found.model, ""
        before = self.composition.path
        if found.is_preview:
            self.composition.set_preview(path, found.branches)
        else:
            self.composition.predict(path, found.branches)
            self._draw_waiting()
        if self.composition.unknown:
            self.notify(f"The model does not know {in_a_row(self.composition.unknown)}.", markup=False)
            self.composition.unknown = ""
        if self.composition.path != before:
            self._predict()
        else:
            self._draw()

    def _show_error(self, sentence: str) -> None:
        self._error = sentence
        self._draw()

    # Keys

    def on_key(self, event: events.Key) -> None:
        """Choose the character typed."""
        if event.is_printable and event.character is not None:
            event.stop()
            event.prevent_default()
            self._changed(lambda: self.composition.type(event.character or ""))

    def on_paste(self, event: events.Paste) -> None:
        """Choose the characters pasted."""
        event.stop()
        self._changed(lambda: self.composition.type(event.text.replace("\r\n", "\n").replace("\r", "\n")))

    @on(Choices.Chosen)
    def _chosen(self, event: Choices.Chosen) -> None:
        self._changed(lambda: self.composition.choose(event.branch))

    def action_move(self, by: int) -> None:
        """Move to another alternative."""
        self.query_one(Choices).select_next(by)

    def action_take(self) -> None:
        """Choose the selected alternative."""
        branch = self.query_one(Choices).selected
        if branch is not None:
            self._changed(lambda: self.composition.choose(branch))

    def action_draw(self) -> None:
        """Let the model choose one with the sampling settings."""
        self._draws += 1
        self._changed(self._draw_waiting)

    def _draw_waiting(self) -> None:
        if self._draws and self.composition.draw(self._config, self._random.random()):
            self._draws -= 1
        elif self._draws and self.composition.alternatives is not None:
            self._draws = 0
            self.notify("The limits permit none of the characters that the model knows.", markup=False)

    def action_word(self) -> None:
        """Accept the next word of the preview."""
        self._changed(lambda: self.composition.take_preview(whole=False))

    def action_all(self) -> None:
        """Accept all of the preview."""
        self._changed(lambda: self.composition.take_preview(whole=True))

    def action_take_back(self) -> None:
        """Remove the last character."""
        self._draws = 0
        self._changed(self.composition.take_back)

    def action_line_break(self) -> None:
        """Choose a line break."""
        self._changed(lambda: self.composition.type("\n"))

    def _changed(self, change: Callable[[], object]) -> None:
        before = self.composition.path
        change()
        if self.composition.path != before:
            self._predict()
        else:
            self._draw()

    def action_keep(self) -> None:
        """Keep the text, and return."""
        self.save_now()
        self.dismiss(None)

    def save_now(self) -> None:
        """Save the text if it has changed."""
        text = self.composition.whole_text
        if text != self._saved:
            self._saved = text
            self._save(text, self.composition.logprobs)

    # Drawing

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        panel, made = self.query_one("#hand-text", Static), self.composition
        width, rows = max(8, panel.size.width), max(1, panel.size.height)
        preview = "" if made.typed else made.preview_text
        text = spell_bytes(made.text)
        parts = [(self._text, "dim"), (text, "bold"), (made.typed, "italic"), ("▏", ""), (preview, "dim italic")]
        panel.update(tail_rows(parts, width, rows))
        self.query_one("#hand-facts", Static).update(self._facts())
        self.query_one(Choices).show(self._choices())

    def _choices(self) -> Sequence[Branch] | None:
        return None if self.composition.typed else self.composition.alternatives

    def _facts(self) -> Text:
        if self._error:
            return Text(f"✗ {escape_controls(self._error)}")
        made, count = self.composition, len(self.composition.path)
        facts = [f"{made.bits:.1f} bits so far"]
        if count:
            facts.append(f"{made.bits / count:.2f} per token")
        hint = keymap_of(self).fill("type a character, or choose one; {by_hand.draw} lets the model draw")
        return Text(" · ".join([*facts, self._model or "computing …", hint]))
