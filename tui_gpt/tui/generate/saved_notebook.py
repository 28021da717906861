"""The notebook together with its history on disk: every change that is kept is saved at once."""

from collections.abc import Callable

from tui_gpt.escaping import escape_controls
from tui_gpt.tui.generate.notebook import Answer, Card, History, Notebook


class SavedNotebook:
    """Cards with undo, saved after each change.

    A disk that refuses costs the history and nothing else: `report` gets one sentence, and another one when saving
    fails again after it has succeeded in between.
    """

    def __init__(self, report: Callable[[str], object]) -> None:
        self._notebook = Notebook()
        self._history = History()
        self._report = report
        self._is_saved = True

    @property
    def cards(self) -> tuple[Card, ...]:
        """The cards, oldest first."""
        return self._notebook.cards

    def find(self, card_id: str | None) -> Card | None:
        """Return the card with that id."""
        return None if card_id is None else self._notebook.find(card_id)

    def prompts(self) -> list[str]:
        """Return the prompts of all cards, oldest first, without repetitions."""
        return self._notebook.prompts()

    def read_history(self) -> list[Card]:
        """Return the cards saved earlier. Reads the disk."""
        return self._history.load()

    def prepend(self, cards: list[Card]) -> None:
        """Put earlier cards before the present ones."""
        self._notebook = Notebook([*cards, *self._notebook.cards])

    def put(self, card: Card) -> None:
        """Replace or append a card as an undoable change; it is saved once its answers are complete."""
        self._notebook.put(card)

    def show_answer(self, card: Card) -> None:
        """Replace a card of which another answer is shown, and save it; not an undoable change."""
        self._notebook.put(card, undoable=False)
        self._save(card)

    def complete(self, *answers: Answer) -> Card | None:
        """Replace answers by their complete versions, save their card, and return it; None if it is gone."""
        card = self.replace(*answers)
        if card is not None:
            self._save(card)
        return card

    def replace(self, *answers: Answer) -> Card | None:
        """Replace answers wherever they occur, without saving; return their card, None if it is gone."""
        card = None
        for answer in answers:
            card = self._notebook.replace_answer(answer)
        return card

    def remove(self, card: Card) -> None:
        """Remove a card as an undoable change."""
        self._notebook.remove(card.id)
        self._note(self._history.remove(card.id))

    def undo(self) -> bool:
        """Undo the last change; return whether there was one."""
        changed = self._notebook.undo()
        for card_id in changed:
            card = self._notebook.find(card_id)
            if card is None:
                self._note(self._history.remove(card_id))
            else:
                self._save(card)
        return bool(changed)

    def _save(self, card: Card) -> None:
        self._note(self._history.save(card))

    def _note(self, is_saved: bool) -> None:
        """Report the first failure after a success."""
        if self._is_saved and not is_saved:
            self._report(
                f"The cards cannot be saved in {escape_controls(str(self._history.path))}: "
                "free some space, or make it writable. "
                "Until then new cards are lost when you quit; w saves one elsewhere."
            )
        self._is_saved = is_saved
