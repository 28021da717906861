"""A process that changes a notebook until it is killed, and prints the number of each change that was saved.

Run by `test_kill`. Now and then it reads the file again, which makes it smaller.
"""

import sys
from itertools import count
from pathlib import Path

from tests.tui.generate.notebook.helpers import card, written
from tui_gpt.tui.generate.notebook import History, Notebook
from tui_gpt.tui.generate.notebook import history as history_module
from tui_gpt.tui.generate.notebook.layouts import Undone
from tui_gpt.tui.generate.notebook.notebook import Part


def change(notebook: Notebook, number: int) -> list[Part]:
    """Add a card with a note and a bookmark, and remove it for a moment; return the parts that describe it."""
    name = f"answer {number}"
    added = card(written("x" * 50, prompt=str(number), id=name))
    marked = added.with_note(name, f"note {number}").with_bookmark(name, is_set=True)
    parts: list[Part] = [*notebook.put(added).parts(), *notebook.put(marked).parts()]
    removal = notebook.remove(added.id)
    notebook.undo()
    return [*parts, *removal.parts(), Undone(removal.id)]


def main(path: Path) -> None:
    """Change the notebook in the file at `path` without end."""
    history_module.COMPACT_BYTES = 10_000
    history = History(path)
    notebook = history.read()
    for number in count(len(notebook.cards)):
        for part in change(notebook, number):
            assert history.append([part], notebook.answers)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        if number % 20 == 19:
            notebook = history.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
