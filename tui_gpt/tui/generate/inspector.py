"""The notebook's cards, and beside them the alternatives to the character under the text cursor."""

import time
from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.timer import Timer

from tui_gpt.escaping import spell_bytes
from tui_gpt.tui.generate.alternatives import AlternativesPanel
from tui_gpt.tui.generate.cards.answer_card import CardBlock
from tui_gpt.tui.generate.cards.card_list import waiting_words
from tui_gpt.tui.generate.cards.notebook_view import NotebookView
from tui_gpt.tui.generate.controller import NO_THREAD
from tui_gpt.tui.generate.lookup import AlternativesLookup, Position
from tui_gpt.tui.generate.notebook import Card
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
    }
    """

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

    def inspect(self, block: CardBlock, cursor: int | None = None) -> None:
        """Put a cursor into a card's text, by default at the first generated character, and show the alternatives
        beside it."""
        if not block.card.answer.full:
            return
        if block.side_by_side:
            self.view.set_side_by_side(block, False)
        self._lookup.forget()
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
        self.set_class(False, "-inspecting")
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
        position = (answer.source, answer.full[:index])
        prediction = self._lookup.cached(position)
        alternatives = prediction.alternatives if prediction else None
        character = token_at(answer.full, index, [text for text, _ in alternatives or ()])
        probability = dict(alternatives or ()).get(character, answer.probability(index))
        self.panel.show(character, probability, alternatives, prediction.error if prediction else "")
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
                    lambda: self._lookup.run(lambda: self.call_later(self._show_prediction)), "alternatives"
                )
            except RuntimeError:
                self._lookup.fail(NO_THREAD)
                self._show_prediction()

    def _show_waiting(self) -> None:
        """Show for how long the prediction has been computed."""
        if self._requested_at is not None:
            self.panel.set_waiting(waiting_words(time.monotonic() - self._requested_at))
        elif self._timer is not None:
            self._timer.pause()

    @on(NotebookView.AlternativesRequested)
    def _focus_panel(self) -> None:
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


def token_at(text: str, index: int, alternatives: Sequence[str]) -> str:
    """Return the longest of the predicted tokens that `text` has at `index`, else its character there."""
    found = [token for token in alternatives if text.startswith(token, index)]
    return max(found, key=len, default=text[index : index + 1])
