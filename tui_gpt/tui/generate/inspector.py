"""The notebook's cards, and beside them what was predicted at the text cursor: alternatives, reasons, attention.

On a narrow screen there is one panel at a time, and on a wide one the alternatives and one other (app.tcss).
"""

import time
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.timer import Timer

from tui_gpt.escaping import spell_bytes
from tui_gpt.tui.generate.alternatives import AlternativesPanel
from tui_gpt.tui.generate.cards.answer_card import CardBlock
from tui_gpt.tui.generate.cards.card_list import waiting_words
from tui_gpt.tui.generate.cards.notebook_view import NotebookView
from tui_gpt.tui.generate.controller import NO_THREAD
from tui_gpt.tui.generate.lookup import AlternativesLookup, Position, token_at
from tui_gpt.tui.generate.notebook import Card
from tui_gpt.tui.generate.why.attention_view import Axis
from tui_gpt.tui.generate.why.why_panel import Page, WhyPanel
from tui_gpt.tui.keys import key_binding
from tui_gpt.tui.threads import start_in_background

_WAITING_SECONDS = 0.25
"""Time between two updates of the seconds waited."""


class Inspector(Horizontal):
    """Cards, and the panel of alternatives while a text cursor walks through one of them."""

    DEFAULT_CSS = """
    Inspector {
        height: 1fr;
        & NotebookView { width: 1fr; }
        &.-inspecting AlternativesPanel { display: block; }
        &.-explaining WhyPanel { display: block; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("why.toggle", "show('why')", "Why"),
        key_binding("why.attention", "show('attention')", "Attention"),
        key_binding("why.layer", "next('layer')", "Layer", show=False),
        key_binding("why.head", "next('head')", "Head", show=False),
        key_binding("why.network", "next('network')", "Network", show=False),
        key_binding("why.skip_first", "skip_first", "First position", show=False),
    ]

    class BranchRequested(Message):
        """The text of a card is to continue with another character from `index` on."""

        def __init__(self, card: Card, index: int, character: str) -> None:
            self.card, self.index, self.character = card, index, character
            super().__init__()

    def __init__(self, lookup: AlternativesLookup) -> None:
        super().__init__()
        self._lookup = lookup
        self._requested_at: float | None = None
        """When the prediction on display was requested; None if there is nothing to wait for."""
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        """Lay out cards and panel."""
        yield NotebookView()
        yield AlternativesPanel()
        yield WhyPanel()

    def on_mount(self) -> None:
        """Create the timer that counts the seconds waited."""
        self._timer = self.set_interval(_WAITING_SECONDS, self._show_waiting, pause=True)

    @property
    def view(self) -> NotebookView:
        """The cards."""
        return self.query_one(NotebookView)

    @property
    def panel(self) -> AlternativesPanel:
        """The alternatives."""
        return self.query_one(AlternativesPanel)

    @property
    def why(self) -> WhyPanel:
        """The reasons for a prediction, or its attention."""
        return self.query_one(WhyPanel)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enable the keys of a cursor in a text, and those of attention where it is shown."""
        if action == "show":
            return self.view.inspected is not None
        if action in ("next", "skip_first"):
            return self.view.inspected is not None and self.why.page == "attention"
        return super().check_action(action, parameters)

    def action_show(self, page: Page) -> None:
        """Show a page beside the text, or the alternatives alone if it is already there."""
        self._turn_to("alternatives" if page == self.why.page else page)

    def action_next(self, axis: Axis) -> None:
        """Show the attention of the next network, layer or head."""
        self.why.choose_next(axis)
        self.view.mark(self.why.marks)

    def action_skip_first(self) -> None:
        """Leave the first position out of the attention, or show it again."""
        self.why.toggle_first()
        self.view.mark(self.why.marks)

    def _turn_to(self, page: Page) -> None:
        if self.panel.has_focus:
            self.view.focus()
        self.why.turn_to(page)
        self.view.mark(self.why.marks)
        self.set_class(page != "alternatives", "-explaining")
        self.call_after_refresh(self.view.reveal_cursor)
        self.refresh_bindings()

    def inspect(self, block: CardBlock, cursor: int | None = None) -> None:
        """Put a cursor into a card's text, by default at the first generated character, and show the alternatives
        beside it."""
        if not block.card.answer.full:
            return
        if block.side_by_side:
            self.view.set_side_by_side(block, False)
        self._lookup.forget()
        self.why.forget()
        self.view.inspect(block, cursor)
        self.set_class(True, "-inspecting")
        self.refresh_bindings()

    def stop_inspecting(self) -> None:
        """Remove the cursor and the panel."""
        if self.view.inspected is None:
            return
        if self.panel.has_focus:
            self.view.focus()
        self.view.stop_inspecting()
        self._requested_at = None
        self.why.turn_to("alternatives")
        self.set_class(False, "-inspecting")
        self.set_class(False, "-explaining")
        self.refresh_bindings()

    @on(NotebookView.CursorMoved)
    def _cursor_moved(self) -> None:
        self._show_prediction(request=True)

    def _show_prediction(self, *, request: bool = False) -> None:
        """Show the prediction at the cursor; request it if it is not cached."""
        block = self.view.inspected
        if block is None or block.main.passage.cursor is None:
            return
        answer, index = block.card.answer, block.main.passage.cursor
        position = Position.at(answer.source, answer.full, index)
        prediction = self._lookup.cached(position)
        alternatives = prediction.alternatives if prediction else None
        character = token_at(answer.full, index, [text for text, _ in alternatives or ()])
        probability = dict(alternatives or ()).get(character, answer.probability(index))
        self.panel.show(character, probability, alternatives, prediction.error if prediction else "")
        if prediction is not None:
            self.why.explain(prediction, position.before)
            self.view.mark(self.why.marks)
        self._requested_at = None if prediction is not None else time.monotonic()
        if prediction is None and request:
            self._request(position)

    def _request(self, position: Position) -> None:
        """Request a prediction, starting a thread if none is running."""
        if self._timer is not None:
            self._timer.resume()
        if self._lookup.request(position):
            try:
                start_in_background(
                    lambda: self._lookup.run(lambda: self.call_later(self._show_prediction)),
                    "alternatives",
                    is_urgent=True,
                )
            except RuntimeError:
                self._lookup.fail(NO_THREAD)
                self._show_prediction()

    def _show_waiting(self) -> None:
        """Show for how long the prediction has been computed."""
        if self._requested_at is not None:
            words = waiting_words(time.monotonic() - self._requested_at)
            self.panel.set_waiting(words)
            self.why.set_waiting(words)
        elif self._timer is not None:
            self._timer.pause()

    @on(NotebookView.AlternativesRequested)
    def _focus_panel(self) -> None:
        if not self.panel.display:
            self._turn_to("alternatives")
        self.panel.focus()

    @on(AlternativesPanel.Chosen)
    def _branch(self, event: AlternativesPanel.Chosen) -> None:
        block = self.view.inspected
        if spell_bytes(event.character) != event.character:
            self.app.notify("A part of a character cannot be chosen alone: choose a whole one.", severity="warning")
        elif block is not None and block.main.passage.cursor is not None:
            self.post_message(self.BranchRequested(block.card, block.main.passage.cursor, event.character))

    @on(AlternativesPanel.Closed)
    def _panel_closed(self) -> None:
        self.view.focus()
