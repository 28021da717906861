"""The notebook together with its history on disk: every change is saved at once."""

from collections.abc import Callable, Iterable, Sequence

from tui_gpt.escaping import escape_controls
from tui_gpt.tui.generate.notebook import Answer, Card, History, Notebook
from tui_gpt.tui.generate.notebook.exchange import added
from tui_gpt.tui.generate.notebook.layouts import Shown, Step, Undone
from tui_gpt.tui.generate.notebook.notebook import Part


class SavedNotebook:
    """Cards with undo, saved with each change.

    A disk that refuses costs the history and nothing else: `report` gets one sentence, and another one when saving
    fails again after it has succeeded in between.
    """

    def __init__(self, report: Callable[[str], object]) -> None:
        self._notebook = Notebook()
        self._history = History()
        self._report = report
        self._unsaved: list[Part] = []
        """What the disk has refused, for the next attempt."""

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

    def read_history(self) -> Notebook:
        """Return the notebook saved earlier. Reads the disk."""
        return self._history.read()

    def read_newest(self) -> Notebook:
        """Return the newest of the cards saved earlier. Reads a little from the disk."""
        return self._history.read_newest()

    def prepend(self, saved: Notebook) -> None:
        """Put an earlier notebook before the present one."""
        saved.merge(self._notebook)
        self._notebook = saved

    # Steps

    def put(self, *cards: Card, words: str = "change") -> None:
        """Replace or append cards as one undoable step."""
        self._save(self._notebook.put(*cards, words=words))

    def remove(self, *cards: Card, words: str = "removal") -> None:
        """Remove cards as one undoable step."""
        self._save(self._notebook.remove(*(card.id for card in cards), words=words))

    def import_cards(self, cards: Iterable[Card]) -> int:
        """Append the cards that are not there yet as one undoable step; return their number."""
        present = {card.id: card for card in self.cards}
        new = added(cards, present, self._notebook.answers, self._notebook.layouts)
        if new:
            self.put(*new, words="import")
        return len(new)

    def undo(self) -> Step | None:
        """Undo the last step and return it; None if there is none."""
        return self._turned(self._notebook.undo(), again=False)

    def redo(self) -> Step | None:
        """Do again the step that was undone last and return it; None if there is none."""
        return self._turned(self._notebook.redo(), again=True)

    def _turned(self, step: Step | None, *, again: bool) -> Step | None:
        if step is not None:
            self._append([Undone(step.id, again)])
        return step

    # Changes that are no steps

    def show_answer(self, card_id: str, answer_id: str) -> Card | None:
        """Show another answer of a card and return the card; not an undoable change."""
        shown = Shown(card_id, answer_id)
        self._notebook.take(shown)
        self._append([shown])
        return self._notebook.find(card_id)

    def complete(self, *answers: Answer) -> Card | None:
        """Replace answers by their complete versions, save them, and return their card; None if it is gone."""
        card = self.replace(*answers)
        self._append(answers)
        return card

    def replace(self, *answers: Answer) -> Card | None:
        """Replace answers wherever they occur, without saving; return their card, None if it is gone."""
        card = None
        for answer in answers:
            card = self._notebook.replace_answer(answer)
        return card

    def _save(self, step: Step) -> None:
        self._append(list(step.parts()))

    def _append(self, parts: Sequence[Part]) -> None:
        """Save parts, after those that the disk has refused; report the first failure after a success."""
        was_saved = not self._unsaved
        pending: Iterable[Part] = [*self._unsaved, *parts]
        is_saved = self._history.append(pending, self._notebook.answers)
        self._unsaved = [] if is_saved else list(pending)
        if was_saved and not is_saved:
            self._report(
                f"The cards cannot be saved in {escape_controls(str(self._history.path))}: "
                "free some space, or make it writable. "
                "Until then new cards are lost when you quit; w saves one elsewhere."
            )
