"""What the Generate tab can do with a text besides generating: a tree, by hand, two sides, who wrote this?

Each is a screen on top of the tab. The desk opens it at the place that the user is at, and takes its result to the
cards. It also shows the preview of the prompt.
"""

from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Button

from tui_gpt.errors import TuiGptError
from tui_gpt.storage.names import SHIPPED
from tui_gpt.storage.runs import RunStore
from tui_gpt.tui.generate.compare.sides import Side
from tui_gpt.tui.generate.notebook import Card
from tui_gpt.tui.generate.place import HandwrittenCard, Place
from tui_gpt.tui.generate.probability_tree.tree_screen import TreeScreen, Walked
from tui_gpt.tui.generate.prompt.model_chooser import checkpoints_of, choices
from tui_gpt.tui.generate.prompt.previews import Previews
from tui_gpt.tui.keys import button_label

if TYPE_CHECKING:
    from tui_gpt.tui.generate.generate_pane import GeneratePane

_TOOLS = (
    ("Probability tree", "generate.probability_tree", "probability_tree"),
    ("By hand", "generate.by_hand", "by_hand"),
    ("Two sides", "generate.sides", "sides"),
    ("Who wrote this?", "generate.who_wrote", "who_wrote"),
)
"""Label, id and action of each tool."""


class DeskBar(Horizontal):
    """A row of buttons for the tools, with their keys."""

    class Requested(Message):
        """A tool is to be opened."""

        def __init__(self, action: str) -> None:
            self.action = action
            super().__init__()

    def compose(self) -> ComposeResult:
        """Lay out the buttons; the keyboard has keys for them."""
        for label, name, action in _TOOLS:
            button = Button(button_label(self, label, name), name=action, compact=True)
            button.can_focus = False
            yield button

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.post_message(self.Requested(event.button.name or ""))


class Desk:
    """Opens the tools of a pane."""

    def __init__(self, pane: "GeneratePane", store: RunStore) -> None:
        self._pane, self._store = pane, store
        self._session = pane.controller.session
        self.previews = Previews(self._session, lambda text, rest: pane.call_later(self._show_preview, text, rest))

    @property
    def place(self) -> Place:
        """The text cursor of a card, the end of the selected card, or the prompt."""
        view = self._pane.view
        block = view.inspected or (view.selected if view.has_focus else None)
        if block is None or block.card.id == view.generating_card:
            return Place(self._pane.box.text, self._pane.state.source)
        answer = block.card.answer
        cursor = block.main.passage.cursor if view.inspected is block else None
        return Place(answer.full if cursor is None else answer.full[:cursor], answer.source, block.card)

    def open_tree(self) -> None:
        """Show the most likely continuations; what was walked through begins another answer."""
        place = self.place

        def walked(result: Walked | None) -> None:
            if result is not None:
                controller = self._pane.controller
                answer = place.answer(result.text, result.logprobs, controller.next_config())
                self._leave_prompt(place)
                self._pane.cards_pane.generate(lambda: controller.begin(place.with_answer(answer), answer))

        self._pane.app.push_screen(TreeScreen(self._session, place.source, place.text), walked)

    def open_by_hand(self) -> None:
        """Compose a continuation, which becomes an answer."""
        from tui_gpt.tui.generate.by_hand.hand_screen import HandScreen

        place, controller = self.place, self._pane.controller
        config = controller.next_config()
        kept = HandwrittenCard(controller.notebook, place, config)

        def written(_: None) -> None:
            if kept.is_begun:
                self._leave_prompt(place)
                self._pane.cards_pane.show_change(kept.card_id)

        self._pane.app.push_screen(HandScreen(self._session, place.source, place.text, config, kept.save), written)

    def open_sides(self) -> None:
        """Compare two models or settings on the prompt."""
        from tui_gpt.tui.generate.compare.sides_screen import SidesScreen

        pane, place = self._pane, self.place
        side = Side(pane.state.source, pane.state.sampling)
        screen = SidesScreen(
            self._session,
            (side, side),
            place.text,
            draw_seed=pane.controller.draw_seed,
            choose_model=pane.choose_model,
            keep=self._keep,
        )
        pane.app.push_screen(screen)

    def _keep(self, card: Card) -> None:
        """Add a card with complete answers."""
        self._pane.controller.notebook.put(card, words="two sides")
        self._pane.cards_pane.show_change(card.id)

    def open_who_wrote(self) -> None:
        """Score a text under several models; runs marked in the Runs tab are marked."""
        from tui_gpt.tui.generate.who_wrote.who_screen import WhoScreen
        from tui_gpt.tui.runs.runs_pane import RunsPane

        marked = [name for pane in self._pane.screen.query(RunsPane) for name in pane.marks.styles]
        self._pane.app.push_screen(WhoScreen(self._session, self._sources, self.place.text, marked))

    def _sources(self) -> list[str]:
        """Return the best checkpoint of each run, and the shipped model. Reads the disk."""
        try:
            runs = self._store.list()
        except TuiGptError:
            runs = []
        found = [source for source, _, _ in choices(runs, checkpoints_of(self._store, runs), live=False) if source]
        best = {source.partition("@")[0]: source for source in reversed(found)}
        return [source for source in found if source == SHIPPED or best[source.partition("@")[0]] == source]

    def _leave_prompt(self, place: Place) -> None:
        """Empty the prompt if its text has become a card."""
        if place.card is None:
            self._pane.clear_prompt()

    # The preview of the prompt

    def request_preview(self, text: str) -> None:
        """Compute the preview of the prompt."""
        self.previews.request(self._pane.state.source, text)

    def _show_preview(self, text: str, continuation: str) -> None:
        if self._pane.is_attached:
            self._pane.box.show_preview(text, continuation)

    def set_previews(self, shown: bool) -> None:
        """Show previews, or none."""
        self._pane.state.preview = self._pane.box.shows_previews = shown
        self._pane.box.forget_preview()
