"""`tui-gpt data`: manage the texts to train on, without torch."""

import dataclasses
import json
from typing import Any

import click

from tui_gpt.cli.commands import common, completion
from tui_gpt.control import Control
from tui_gpt.formatting import format_bytes
from tui_gpt.text import corpora, library

_HEADINGS = ("NAME", "SIZE", "")


@click.group()
def data() -> None:
    """Manage training texts."""


@data.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def list_data(as_json: bool) -> None:
    """List the built-in and the added texts."""
    entries = library.list_corpora()
    if as_json:
        for entry in entries:
            click.echo(json.dumps(_plain(entry), ensure_ascii=False))
        return
    rows = [(entry.name, format_bytes(entry.size), "built in" if entry.built_in else "") for entry in entries]
    click.echo(common.table(_HEADINGS, rows, frozenset({1})))


def _plain(record: Any) -> dict[str, Any]:
    return {name: str(value) if name == "path" else value for name, value in dataclasses.asdict(record).items()}


@data.command("add")
@click.argument("corpus", shell_complete=completion.files)
@click.option("--name", metavar="NAME", help="Name of the text; by default made from the file's name.")
def add_data(corpus: str, name: str | None) -> None:
    """Copy CORPUS (a file, a folder of text files, - for stdin) and give it a name."""
    from tui_gpt.cli.headless.streams import Streams, busy

    control = Control()
    with busy(Streams.standard(), "reading the text", control):
        added = corpora.add_corpus(corpus, name, control)
    click.echo(added.name)


@data.command("info")
@click.argument("corpus", shell_complete=completion.texts)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show_data(corpus: str, as_json: bool) -> None:
    """Show size and alphabet of CORPUS: a name, a file, a folder or - for stdin."""
    from tui_gpt.cli.headless.streams import Streams, busy

    control = Control()
    with busy(Streams.standard(), "reading the text", control):
        info = corpora.corpus_info(corpus, control=control)
    if as_json:
        click.echo(json.dumps(_plain(info), ensure_ascii=False))
        return
    shown = "".join(character for character in info.alphabet if character.isprintable())
    rows = [
        ("name", info.name),
        ("source", info.source),
        ("characters", f"{info.characters:,}"),
        ("lines", f"{info.lines:,}"),
        ("distinct", f"{len(info.alphabet):,}"),
        ("alphabet", shown[:200] + ("…" if len(shown) > 200 else "")),
        ("sha256", info.digest),
    ]
    click.echo(common.key_values([*rows, *(("note", note) for note in info.notes)]))


@data.command("rename")
@click.argument("name", metavar="OLD", shell_complete=completion.added_texts)
@click.argument("new_name", metavar="NEW")
def rename_data(name: str, new_name: str) -> None:
    """Rename an added text.

    A run that names the text by its old name is resumed with the new one: `tui-gpt train NEW --resume RUN`.
    """
    click.echo(library.rename_text(name, new_name).name)


@data.command("rm")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=completion.added_texts)
@click.option("--yes", is_flag=True, help="Remove without confirmation.")
def remove_data(names: tuple[str, ...], yes: bool) -> None:
    """Remove added texts. Runs that were trained on them can generate, but no longer be resumed."""
    for name in names:
        library.require_added(name, "removed")
    if not yes:
        common.confirm_removal(names)
    for name in names:
        library.remove_text(name)
