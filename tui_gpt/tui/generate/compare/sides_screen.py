"""Two models or two settings on one prompt, side by side, with the same seed, streamed at the same time."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.timer import Timer
from textual.widgets import Button, Static

from tui_gpt.config import SampleConfig
from tui_gpt.session import SessionLike
from tui_gpt.tui.app.key_footer import KeyFooter
from tui_gpt.tui.generate.compare.columns import TwoTexts, TwoTextsView
from tui_gpt.tui.generate.compare.sides import PairedGeneration, Side, differences, first_difference
from tui_gpt.tui.generate.desk_screen import DeskScreen
from tui_gpt.tui.generate.notebook import Answer, Card
from tui_gpt.tui.generate.notebook.limits import limits
from tui_gpt.tui.generate.prompt.limit_fields import with_limits_of
from tui_gpt.tui.generate.prompt.limits_screen import LimitsScreen
from tui_gpt.tui.generate.prompt.model_chooser import source_label
from tui_gpt.tui.generate.prompt.prompt_box import PromptBox
from tui_gpt.tui.generate.prompt.sampling_controls import SamplingControls
from tui_gpt.tui.keys import button_label, key_binding
from tui_gpt.tui.text.cells import fitted
from tui_gpt.tui.text.wrap import glyphs

POLL_SECONDS = 0.05
_NAMES = "AB"

ChooseModel = Callable[[str | None, Callable[[str | None], None]], None]
"""Shows the models with the present source, and calls back with the one chosen."""


class SidesPrompt(PromptBox):
    """The prompt of both sides."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable what concerns only the cards."""
        if action in ("score", "request_model", "request_limits", "toggle_preview"):
            return False
        return super().check_action(action, parameters)


class SidesScreen(DeskScreen[None]):
    """Both sides over their settings and the prompt. Each pair of answers is given to `keep` as a card."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("sides.model_a", "choose_model(0)", "Model A", key_display="F6", priority=True),
        key_binding("sides.model_b", "choose_model(1)", "Model B", key_display="F7", priority=True),
        key_binding("sides.new_seed", "new_seed", "Seed", key_display="F8", priority=True),
        key_binding("sides.limits", "choose_limits", "Limits", key_display="^l"),
        key_binding("sides.back", "back", "Back", key_display="esc"),
        key_binding("app.help", "help", "Help", key_display="F1"),
    ]

    def __init__(
        self,
        session: SessionLike,
        sides: Sequence[Side],
        prompt: str,
        *,
        draw_seed: Callable[[], int],
        choose_model: ChooseModel,
        keep: Callable[[Card], object],
    ) -> None:
        super().__init__()
        self._session, self._draw_seed = session, draw_seed
        self._choose_model, self._keep = choose_model, keep
        self.sides = list(sides)
        self._first_prompt = prompt
        self.pair: PairedGeneration | None = None
        """The generation in progress."""
        self._answers: list[Answer] = []
        """The newest pair of answers."""
        self._texts = TwoTexts()
        self._seed: int | None = None
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        """Lay out texts, differences, settings and prompt."""
        self.set_size_classes()
        yield from self.title_row(
            "two sides, one prompt, one seed",
            ("Another seed", "sides.new_seed", "new_seed"),
            ("Back", "sides.back", "back"),
        )
        with Vertical(classes="desk"):
            yield Static(id="sides-names", markup=False)
            yield TwoTextsView()
            yield Static(id="sides-facts", markup=False)
            for number, side in enumerate(self.sides):
                yield Button(id=f"side-{number}", action=f"screen.choose_model({number})", compact=True)
                yield SamplingControls(side.config, id=f"side-sampling-{number}")
            yield SidesPrompt()
        yield KeyFooter(show_command_palette=False)

    def on_mount(self) -> None:
        """Show both sides before the first generation."""
        self.leave_buttons_to_the_mouse()
        self._timer = self.set_interval(POLL_SECONDS, self._poll, pause=True)
        self.box.put(self._first_prompt)
        self.box.focus()
        self.query_one(TwoTextsView).show([self._texts])
        self._draw()

    def on_unmount(self) -> None:
        """Stop generating."""
        self._end()

    @property
    def box(self) -> PromptBox:
        """The prompt."""
        return self.query_one(PromptBox)

    # Generation

    @on(PromptBox.Submitted)
    def _submitted(self, event: PromptBox.Submitted) -> None:
        event.stop()
        self._begin(event.text)

    def action_new_seed(self) -> None:
        """Generate again, with another seed."""
        for controls in self._controls:
            controls.config = dataclasses.replace(controls.config, seed=None)
        self._take_settings()
        self._begin(self.box.text)

    def _begin(self, prompt: str) -> None:
        self._end()
        seeds = [side.config.seed for side in self.sides if side.config.seed is not None]
        self._seed = seeds[0] if seeds else self._draw_seed()
        self.pair = PairedGeneration(self._session, prompt, self.sides, self._seed)
        self._answers = self.pair.answers
        self._texts = TwoTexts(prompt)
        self.query_one(TwoTextsView).show([self._texts])
        if self._timer is not None:
            self._timer.resume()
        self._draw()

    def _poll(self) -> None:
        pair = self.pair
        if pair is None:
            return
        is_done = pair.is_done
        self._texts.grow([burst.text for burst in pair.take()])
        self._answers = pair.answers
        if self._texts.mark is None:
            mark = first_difference([answer.text for answer in self._answers], are_complete=is_done)
            if mark is not None:
                self._texts.set_mark(mark)
        self.query_one(TwoTextsView).grown(0)
        if is_done:
            self._end()
        self._draw()

    def _end(self) -> None:
        """End the generation in progress, and keep what was generated."""
        pair, self.pair = self.pair, None
        if pair is None:
            return
        pair.stop()
        pair.take()
        self._answers = pair.answers
        if any(answer.text or answer.error for answer in self._answers):
            self._keep(pair.card())
        if self._timer is not None:
            self._timer.pause()

    # Settings

    def action_choose_model(self, number: int) -> None:
        """Choose the model of a side."""
        self._choose_model(self.sides[number].source, lambda source: self._set_model(number, source))

    def _set_model(self, number: int, source: str | None) -> None:
        self.sides[number] = dataclasses.replace(self.sides[number], source=source)
        self._draw()
        self.box.focus()

    @on(SamplingControls.Changed)
    def _sampling_changed(self, event: SamplingControls.Changed) -> None:
        event.stop()
        self._take_settings()
        self._draw()

    @property
    def _controls(self) -> list[SamplingControls]:
        """The settings of both sides."""
        return [self.query_one(f"#side-sampling-{number}", SamplingControls) for number in range(2)]

    def _take_settings(self) -> None:
        self.sides = [
            dataclasses.replace(side, config=one.config) for side, one in zip(self.sides, self._controls, strict=True)
        ]

    def action_choose_limits(self) -> None:
        """Ask for the limits of the side whose settings have the focus; elsewhere, for those of both."""
        chosen = [one for one in self._controls if one.has_focus] or self._controls

        def use(config: SampleConfig | None) -> None:
            if config is not None:
                for one in chosen:
                    one.config = with_limits_of(one.config, config)
                self._take_settings()
                self._draw()

        self.app.push_screen(LimitsScreen(chosen[0].config), use)

    @on(SamplingControls.Closed)
    def _sampling_closed(self, event: SamplingControls.Closed) -> None:
        event.stop()
        self.box.focus()

    @on(PromptBox.PageRequested)
    def _page_requested(self, event: PromptBox.PageRequested) -> None:
        event.stop()
        view = self.query_one(TwoTextsView)
        view.scroll_relative(y=event.by * max(1, view.size.height - 2), animate=False)

    @on(PromptBox.Closed)
    def action_back(self) -> None:
        """Stop the generation in progress; without one, return to the cards."""
        if self.pair is not None:
            self._end()
            self._draw()
        else:
            self.dismiss(None)

    # Drawing

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        self.query_one("#sides-names", Static).update(self._names())
        self.query_one("#sides-facts", Static).update(self._facts())
        for number, side in enumerate(self.sides):
            button = self.query_one(f"#side-{number}", Button)
            name = "sides.model_a" if number == 0 else "sides.model_b"
            button.label = glyphs(button_label(self, f"{_NAMES[number]}: {source_label(side.source)}", name))

    def _names(self) -> Text:
        width = max(4, (self.size.width - 8) // 2)
        names = [f"{_NAMES[number]}  {self._heading(number)}" for number in range(2)]
        return Text(" │ ".join(fitted(glyphs(name), width) for name in names), "bold", no_wrap=True)

    def _heading(self, number: int) -> str:
        """Return the model of a side, and its error or speed."""
        if not self._answers:
            return source_label(self.sides[number].source)
        answer = self._answers[number]
        if answer.error:
            return f"✗ {answer.error}"
        name = answer.model or f"opening {source_label(answer.source)} …"
        bits = answer.bits_per_char
        unknown = f", without {' '.join(answer.left_out[:8])}" if answer.left_out else ""
        return name + unknown + ("" if bits is None else f"  {bits:.2f} bits per character")

    def _facts(self) -> Text:
        """Return where the texts differ, and what is different."""
        text = Text(no_wrap=True, overflow="ellipsis")
        mark = self._texts.mark
        if self._answers:
            same = "the texts are the same" if self.pair is None else "the same so far"
            text.append(same if mark is None else f"the same for {mark:,} characters", "bold")
            text.append(f" · seed {self._seed} · ")
        rows = differences(*self.sides)
        listed = ", ".join(f"{name} {left} / {right}" for name, left, right in rows)
        text.append(f"different: {glyphs(listed)}" if rows else "model and settings are the same: change one side")
        if not any(name == "limits" for name, _, _ in rows) and (shared := " · ".join(limits(self.sides[0].config))):
            text.append(f" · both {glyphs(shared)}")
        return text
