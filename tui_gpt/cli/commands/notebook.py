"""`tui-gpt notebook`: the cards of the Generate tab as JSON, without torch or a screen."""

import sys
from pathlib import Path

import click

from tui_gpt.cli.commands import completion
from tui_gpt.errors import StorageError
from tui_gpt.storage.paths import expanded


@click.group()
def notebook() -> None:
    """Export or import the cards of the Generate tab."""


@notebook.command("export")
@click.argument("file", shell_complete=completion.files)
def export_notebook(file: str) -> None:
    """Write all cards with their branches, bookmarks and notes to FILE (new, - for stdout) as JSON."""
    from tui_gpt.tui.generate.notebook import History
    from tui_gpt.tui.generate.notebook.exchange import export_file, to_json

    cards = History().read().cards
    if file == "-":
        sys.stdout.buffer.write(to_json(cards).encode("utf-8", errors="replace"))
        sys.stdout.buffer.flush()
        return
    export_file(cards, expanded(Path(file)))
    click.echo(f"{len(cards):,} cards exported", err=True)


@notebook.command("import")
@click.argument("file", shell_complete=completion.files)
def import_notebook(file: str) -> None:
    """Add the cards of FILE, an exported notebook; none of yours is replaced, and undo in the app removes them."""
    from tui_gpt.tui.generate.notebook.exchange import import_file
    from tui_gpt.tui.generate.saved_notebook import SavedNotebook

    cards = import_file(expanded(Path(file)))
    problems: list[str] = []
    saved = SavedNotebook(problems.append)
    saved.prepend(saved.read_history())
    added = saved.import_cards(cards)
    if problems:
        raise StorageError("could not save the cards: free some space, or make the folder of TUI_GPT_HOME writable")
    click.echo(f"{added:,} of {len(cards):,} cards imported", err=True)
