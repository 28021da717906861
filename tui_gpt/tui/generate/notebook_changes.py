"""Changes of the notebook that generate nothing: bookmarks, notes, removals, undo and redo, export and import.

The cards and the tree share them. Each is reported with the key that reverts it.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from textual.widget import Widget

from tui_gpt.tui.dialogs import LineScreen
from tui_gpt.tui.generate.note_screen import NoteScreen
from tui_gpt.tui.generate.notebook import Card
from tui_gpt.tui.generate.notebook.branches import BranchTree
from tui_gpt.tui.generate.notebook.exchange import export_file, import_file
from tui_gpt.tui.generate.notebook.layouts import Step
from tui_gpt.tui.generate.path_screen import path_dialog
from tui_gpt.tui.generate.saved_notebook import SavedNotebook
from tui_gpt.tui.keys import keymap_of

Result = TypeVar("Result")
_EXPORTED = "tui-gpt-notebook.json"


class NotebookChanges:
    """Changes that the user asks for."""

    def __init__(
        self,
        notebook: SavedNotebook,
        widget: Widget,
        changed: Callable[[str], object],
        finish: Callable[[str], object] = lambda _: None,
    ) -> None:
        """`widget` is where dialogs and messages appear. `changed` is called after each change, with the id of the card
        to be selected, "" for the same one; `finish` before a card is removed or a step undone, to end the generation
        of a card, or with "" of any."""
        self.notebook = notebook
        self._widget, self._changed, self._finish = widget, changed, finish

    def _notify(self, words: str) -> None:
        self._widget.app.notify(keymap_of(self._widget).fill(words), markup=False)

    # Bookmarks and notes

    def toggle_bookmark(self, card: Card, answer_id: str) -> None:
        """Set or remove the bookmark of an answer."""
        present = self.notebook.find(card.id)
        if present is not None:
            is_set = answer_id not in present.bookmarks
            self.notebook.put(present.with_bookmark(answer_id, is_set=is_set), words="bookmark")
            self._changed("")

    def write_note(self, card: Card, answer_id: str, then: Callable[[], object] = lambda: None) -> None:
        """Ask for the note of an answer; `then` is called once it is written."""

        def write(note: str | None) -> None:
            present = self.notebook.find(card.id)
            if note is not None and present is not None and note != present.notes.get(answer_id, ""):
                self.notebook.put(present.with_note(answer_id, note), words="note")
                self._changed("")
                then()

        self._widget.app.push_screen(NoteScreen(card.notes.get(answer_id, "")), write)

    # Removals, undo and redo

    def remove(self, card: Card) -> None:
        """Remove a card."""
        self._finish(card.id)
        self.notebook.remove(card, words="removed card")
        self._changed("")
        self._notify("Card removed; {card.undo} restores it.")

    def remove_branch(self, card: Card, answer_id: str | None) -> None:
        """Remove an answer and the branches that leave it; the card with the last one, or if there is none."""
        self._finish(card.id)
        card = self.notebook.find(card.id) or card
        names = set() if answer_id is None else BranchTree(card).below(answer_id)
        rest = card.without(names) if names else None
        if rest is None:
            self.remove(card)
            return
        self.notebook.put(rest, words="removed branch")
        self._changed("")
        others = f" and {len(names) - 1} that leave it" if len(names) > 1 else ""
        self._notify(f"Branch removed{others}; {{card.undo}} restores it.")

    def remove_all(self) -> None:
        """Remove all cards."""
        self._finish("")
        cards = self.notebook.cards
        if cards:
            self.notebook.remove(*cards, words="removed cards")
            self._changed("")
            self._notify(f"{count_cards(len(cards))} removed; {{card.undo}} restores them.")

    def undo(self) -> None:
        """Undo the last step."""
        self._finish("")
        self._report(self.notebook.undo(), "Undone", "There is nothing to undo.")

    def redo(self) -> None:
        """Do again the step that was undone last."""
        self._finish("")
        self._report(self.notebook.redo(), "Done again", "There is nothing to redo.")

    def _report(self, step: Step | None, done: str, nothing: str) -> None:
        self._changed(step.cards[-1] if step is not None and step.cards else "")
        self._notify(nothing if step is None else f"{done}: {step.words}.")

    # Export and import

    def ask_export(self) -> None:
        """Ask for a path, and export the notebook."""
        cards = self.notebook.cards
        proposal = Path(_EXPORTED).absolute()
        dialog = path_dialog(
            "Export the notebook",
            f"{count_cards(len(cards))} with all branches, bookmarks and notes, as JSON, to the new file",
            str(proposal),
            partial(_exported, cards),
        )
        self._ask(dialog, lambda path: self._notify(f"Exported to {path}".replace("{", "(").replace("}", ")")))

    def ask_import(self) -> None:
        """Ask for a path, and add an exported notebook."""
        dialog = path_dialog("Import a notebook", "Its cards are added to yours; none is replaced.", "", import_file)
        self._ask(dialog, self._import)

    def _ask(self, dialog: LineScreen[Result], then: Callable[[Result], object]) -> None:
        def use(result: Result | None) -> None:
            if result is not None:
                then(result)

        self._widget.app.push_screen(dialog, use)

    def _import(self, cards: list[Card]) -> None:
        added = self.notebook.import_cards(cards)
        self._changed("")
        already = f"; {len(cards) - added:,} were there already" if added < len(cards) else ""
        self._notify(f"{count_cards(added)} imported{already}; {{card.undo}} removes them.")


def _exported(cards: tuple[Card, ...], path: Path) -> Path:
    export_file(cards, path)
    return path


def count_cards(count: int) -> str:
    """Return `1 card`, `5,000 cards`."""
    return f"{count:,} card{'' if count == 1 else 's'}"
