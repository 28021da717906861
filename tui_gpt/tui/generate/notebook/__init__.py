"""The Generate tab's notebook: cards with undo, their history on disk, and their export."""

from tui_gpt.tui.generate.notebook.answers import Answer, Change
from tui_gpt.tui.generate.notebook.cards import Card
from tui_gpt.tui.generate.notebook.export import as_markdown, as_text, provenance, sampling_notes, save_copy
from tui_gpt.tui.generate.notebook.history import History
from tui_gpt.tui.generate.notebook.notebook import Notebook

__all__ = [
    "Answer",
    "Card",
    "Change",
    "History",
    "Notebook",
    "as_markdown",
    "as_text",
    "provenance",
    "sampling_notes",
    "save_copy",
]
