"""Two to six runs in one chart, one of them pinned, and the settings in which they differ."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.widgets import Button, Static

from tui_gpt.escaping import escape_controls
from tui_gpt.formatting import format_loss
from tui_gpt.tui.app.help_screen import HelpScreen
from tui_gpt.tui.app.key_footer import KeyFooter
from tui_gpt.tui.app.sized_screen import SizedScreen
from tui_gpt.tui.keys import button_label, key_binding
from tui_gpt.tui.runs.differences import Difference, differences, settings_of
from tui_gpt.tui.text.cells import fitted
from tui_gpt.tui.train.chart.loss_chart import LossChart
from tui_gpt.tui.train.chart.overlay import OverlayRun, legend_symbol, style_name
from tui_gpt.tui.train.chart.quantities import BITS
from tui_gpt.tui.train.record import RunView

_REFRESH_SECONDS = 1.0
_MAX_VALUE = 14
"""Cells of a value in the table of differences."""


class CompareScreen(SizedScreen[None]):
    """The curves of several runs."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("compare.pin_next", "pin(1)", "Pin the next"),
        key_binding("compare.pin_previous", "pin(-1)", "Pin the previous", show=False),
        key_binding("compare.toggle_log", "toggle_log", "Log scale"),
        key_binding("compare.back", "back", "Back", key_display="Esc", priority=True),
        key_binding("compare.leave", "back", "Back", show=False),
        key_binding("app.help", "help", "Help", key_display="F1"),
    ]

    def __init__(self, records: Sequence[RunView], styles: Mapping[str, int], *, pinned: str) -> None:
        """Show runs with their styles; the run of the name `pinned` is pinned, or else the first one."""
        super().__init__()
        self._runs = [OverlayRun(record, styles[record.name]) for record in records]
        names = [record.name for record in records]
        self.pinned = names.index(pinned) if pinned in names else 0
        """The place of the pinned run."""
        self.chart = LossChart(id="overlay")

    def compose(self) -> ComposeResult:
        """Lay out chart and settings side by side, or one below the other."""
        self.set_size_classes()
        with Horizontal(id="compare-top"):
            yield Static(f"comparing {len(self._runs)} runs", id="compare-title")
            with Horizontal(classes="buttons"):
                yield Button(
                    button_label(self, "Pin next", "compare.pin_next"),
                    id="pin-next",
                    action="screen.pin(1)",
                    compact=True,
                )
                yield Button(
                    button_label(self, "Log scale", "compare.toggle_log"),
                    id="log-scale",
                    action="screen.toggle_log",
                    compact=True,
                )
                yield Button(button_label(self, "Back", "compare.back"), id="back", action="screen.back", compact=True)
        with Container(id="compare"):
            yield self.chart
            with VerticalScroll(id="differences"):
                yield Static("", id="differences-table", markup=False)
        yield KeyFooter(show_command_palette=False)

    def action_help(self) -> None:
        """Show the keys."""
        self.app.push_screen(HelpScreen("runs"))

    def on_mount(self) -> None:
        """Draw, and draw again while one of the runs is being trained."""
        self.chart.message = "no losses were logged"
        if self._units_differ:
            self.chart.choose(dataclasses.replace(self.chart.settings, quantity=BITS))
        self._show()
        if self.chart.is_attached:
            self.chart.focus()
        if any(run.record.is_live for run in self._runs):
            self.set_interval(_REFRESH_SECONDS, self._show_chart)

    def _show(self) -> None:
        if not self.chart.is_attached:  # the screen is left before its first drawing
            return
        self._show_chart()
        rows = differences([settings_of(run.record, run.record.config) for run in self._runs])
        self.query_one("#differences-table", Static).update(self._table(rows))

    def _show_chart(self) -> None:
        self.chart.show_overlay(self._runs, self.pinned)

    def _table(self, rows: Sequence[Difference]) -> Text:
        """Return the settings that differ, with a column for each run, after the best losses."""
        losses = tuple(_best_loss(run.record) for run in self._runs)
        table = [Difference("best loss", losses), *self._bits(), *rows]
        name_width = max(len(row.setting) for row in table) + 2
        widths = [min(_MAX_VALUE, max(6, *(cell_len(row.values[k]) for row in table))) for k in range(len(self._runs))]
        text = Text(" " * name_width, no_wrap=True)
        for k, (run, width) in enumerate(zip(self._runs, widths, strict=True)):
            symbol = f"{'▸' if k == self.pinned else ' '}{legend_symbol(run.style)}"
            text.append(f"{symbol:>{width}}  ", self._style_of(k))
        for row in table:
            text.append(f"\n{row.setting:<{name_width}}")
            for k, (value, width) in enumerate(zip(row.values, widths, strict=True)):
                is_other = value != row.values[self.pinned]
                words = fitted(escape_controls(value), width, to_the_right=True)
                text.append(f"{words}  ", "bold" if is_other or k == self.pinned else "dim")
        if not rows:
            text.append("\n\ntheir settings are the same")
        return text

    @property
    def _units_differ(self) -> bool:
        """Whether the runs have different tokenizers, so that only their bits per character can be compared."""
        return len({run.record.unit for run in self._runs}) > 1 or any(run.record.unit == "token" for run in self._runs)

    def _bits(self) -> list[Difference]:
        """Return the best losses in bits per character, where those in nats cannot be compared."""
        return [Difference("bits/char", tuple(_best_bits(run.record) for run in self._runs))] * self._units_differ

    def _style_of(self, place: int) -> str:
        name = style_name(self._runs[place].style, is_pinned=place == self.pinned)
        return str(self.chart.get_component_rich_style(f"loss-chart--{name}", partial=True))

    def action_pin(self, places: int) -> None:
        """Pin another run."""
        self.pinned = (self.pinned + places) % len(self._runs)
        self._show()

    def action_back(self) -> None:
        """Remove the cursor; without one, return to the list."""
        if self.chart.cursor is not None:
            self.chart.cursor = None
        else:
            self.dismiss()

    def action_toggle_log(self) -> None:
        """Switch the loss axis between linear and logarithmic."""
        self.chart.log_y = not self.chart.log_y


def _best_loss(record: RunView) -> str:
    best = record.best
    return format_loss(best.val_loss if best else None, is_estimate=best is not None and best.is_estimate)


def _best_bits(record: RunView) -> str:
    best = record.best
    return format_loss(best.bits_per_char if best else None, is_estimate=best is not None and best.is_estimate)
