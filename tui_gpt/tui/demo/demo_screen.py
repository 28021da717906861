"""The demo: a recorded training in the widgets of the Train tab, in half a minute.

It needs neither the session nor PyTorch, and writes nothing.
"""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar, Literal

from textual.app import ComposeResult, SystemCommand
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from tui_gpt.escaping import escape_controls
from tui_gpt.formatting import format_duration
from tui_gpt.tui.app.app_title import AppTitle
from tui_gpt.tui.app.help_screen import HelpScreen
from tui_gpt.tui.app.key_footer import KeyFooter
from tui_gpt.tui.app.sized_screen import SizedScreen
from tui_gpt.tui.demo.player import DEMO_SECONDS, Player
from tui_gpt.tui.demo.recording import Recording
from tui_gpt.tui.keys import key_binding, key_commands, keymap_of
from tui_gpt.tui.train.record import RunView
from tui_gpt.tui.train.run_pane import RunPane

DemoChoice = Literal["train", "generate"]
"""What to do after the demo."""

_FRAME_SECONDS = 0.1
_END = (
    "This was a recording. {demo.train}: train a model of your own   {demo.generate}: generate text   "
    "{demo.replay}: replay   {demo.leave}: quit"
)


class DemoScreen(SizedScreen[DemoChoice | None]):
    """Replays a recording; its result is what the user wants to do next, None to leave."""

    CSS_PATH = Path(__file__).parent.parent / "app" / "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("demo.pause", "pause", "Pause"),
        key_binding("demo.slower", "speed(-1)", "Slower", key_display="-", priority=True),
        key_binding("demo.faster", "speed(1)", "Faster", key_display="+", priority=True),
        key_binding("demo.replay", "restart", "Replay"),
        key_binding("demo.train", "choose('train')", "Train"),
        key_binding("demo.generate", "choose('generate')", "Generate"),
        key_binding("demo.toggle_log", "toggle_log", "Log scale", show=False),
        key_binding("app.help", "help", "Help", key_display="F1"),
        key_binding("demo.leave", "leave", "Quit"),
    ]

    def __init__(self, recording: Recording, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._recording = recording
        self.player = Player(recording.events)
        self._clock = clock
        self._shown_at = clock()
        self.record = self._new_record()
        self.run_pane = RunPane(id="run")

    def _new_record(self) -> RunView:
        return RunView(name=f"{self._recording.config.preset}, recorded", config=self._recording.config)

    def compose(self) -> ComposeResult:
        """Lay out a line at the top, what is being played, the run, and the keys."""
        self.set_size_classes()
        with Horizontal(id="top"):
            yield AppTitle(id="title")
            yield Static("", id="top-status", markup=False)
        with Vertical(id="demo"):
            yield Static("", id="demo-words", markup=False)
            yield self.run_pane
        yield KeyFooter(show_command_palette=False)

    def on_mount(self) -> None:
        """Begin to play after the first paint."""
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self.run_pane.chart.focus()
        self._shown_at = self._clock()
        self.set_interval(_FRAME_SECONDS, self.play)
        self._show()

    def play(self) -> None:
        """Show what has come due since the last call."""
        now = self._clock()
        passed, self._shown_at = now - self._shown_at, now
        if not self.player.is_done:
            events = self.player.advance(passed)
            self.record.apply_all(events)
            if events:
                self._show()
            self._show_words()

    def _show(self) -> None:
        self.run_pane.show(self.record, is_live=False)
        self._show_words()

    def _show_words(self) -> None:
        for name, words in (("#demo-words", escape_controls(self._words())), ("#top-status", self._status())):
            shown = self.query_one(name, Static)
            if shown.content != words:
                shown.update(words)

    def _words(self) -> str:
        if self.player.is_done:
            return keymap_of(self).fill(_END)
        took, takes = format_duration(self._recording.seconds), format_duration(DEMO_SECONDS)
        return f"A recording of {took} of training in {takes}: {self._recording.command}"

    def _status(self) -> str:
        if self.player.is_done:
            return "demo: end"
        return f"demo: {'paused' if self.player.is_paused else f'speed {self.player.speed:g}×'}"

    def action_pause(self) -> None:
        """Pause, or continue."""
        self.player.is_paused = not self.player.is_paused and not self.player.is_done
        if self.record.is_live:
            self.record.phase = "paused" if self.player.is_paused else "running"
        self._show()

    def action_speed(self, steps: int) -> None:
        """Play faster or slower."""
        self.player.change_speed(steps)
        self._show_words()

    def action_restart(self) -> None:
        """Play from the beginning."""
        self.player.restart()
        self.record = self._new_record()
        self._show()

    def action_toggle_log(self) -> None:
        """Switch the loss axis between linear and logarithmic."""
        self.run_pane.chart.log_y = not self.run_pane.chart.log_y

    def action_help(self) -> None:
        """Show the keys of the demo."""
        self.app.push_screen(HelpScreen("demo"))

    def action_choose(self, choice: DemoChoice) -> None:
        """Leave the demo for the Train tab or the Generate tab."""
        self.dismiss(choice)

    def action_leave(self) -> None:
        """Leave the demo."""
        self.dismiss(None)

    def commands(self) -> Iterable[SystemCommand]:
        """Yield the entries of the command palette."""
        yield from key_commands(self)
        yield from key_commands(self.run_pane.chart)
