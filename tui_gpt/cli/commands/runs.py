"""`tui-gpt runs`: manage runs. Only `import` needs torch."""

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import click

from tui_gpt.cli.commands import common, completion, live_runs
from tui_gpt.cli.commands.export import export_run
from tui_gpt.config import DEFAULT_CORPUS
from tui_gpt.errors import TuiGptError
from tui_gpt.escaping import escape_controls
from tui_gpt.formatting import format_age, format_bytes, format_loss, text_name, token_noun
from tui_gpt.storage import runs as storage
from tui_gpt.storage.manifest import read_info

_HEADINGS = ("NAME", "STATE", "PRESET", "TEXT", "STEP", "BEST LOSS", "BITS/CHAR", "SIZE", "UPDATED", "NOTE")
_TO_THE_RIGHT = frozenset({4, 5, 6, 7})


@click.group()
def runs() -> None:
    """Manage runs."""


for _command in (*live_runs.COMMANDS, export_run):
    runs.add_command(_command)


@runs.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def list_runs(as_json: bool) -> None:
    """List the runs, newest first."""
    summaries = storage.RunStore().list()
    if as_json:
        for summary in summaries:
            click.echo(json.dumps(_record(summary)))
    elif summaries:
        click.echo(common.table(_HEADINGS, map(_row, summaries), _TO_THE_RIGHT))
    else:
        click.echo("there are no runs yet: start one with `tui-gpt train`", err=True)


def _record(summary: storage.RunSummary) -> dict[str, Any]:
    return dataclasses.asdict(summary) | {"path": str(summary.path)}


def _row(summary: storage.RunSummary) -> tuple[str, ...]:
    return (
        summary.name,
        summary.state,
        summary.preset or "–",
        text_name(summary.corpus) or "–",
        _steps(summary),
        format_loss(summary.best_val_loss, is_estimate=summary.best_is_estimate),
        format_loss(summary.best_bits_per_char, is_estimate=summary.best_is_estimate, digits=3),
        format_bytes(summary.size),
        format_age(time.time() - summary.updated),
        summary.note,
    )


def _steps(summary: storage.RunSummary) -> str:
    return f"{summary.step:,}/{summary.max_iters:,}" if summary.max_iters else f"{summary.step:,}"


@runs.command("show")
@click.argument("name", metavar="RUN", shell_complete=completion.runs)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show_run(name: str, as_json: bool) -> None:
    """Show the state, settings and checkpoints of a run."""
    run = common.own_run(name)
    summary = run.summary()
    checkpoints = {which: _checkpoint(run, which) for which in ("best", "last")}
    if as_json:
        settings = run.config.to_dict() if summary.state != "damaged" else None
        click.echo(json.dumps(_record(summary) | {"config": settings, "checkpoints": checkpoints}))
        return
    click.echo(common.key_values(_facts(run, summary, checkpoints)))


def _checkpoint(run: storage.Run, which: storage.Which) -> dict[str, Any] | None:
    """Return the place and content of a checkpoint; None if there is no complete one."""
    folder = run.checkpoint_dir(which)
    if folder is None:
        return None
    try:
        info = read_info(folder)
    except TuiGptError:
        return None
    return {
        "path": str(folder),
        "step": info.step,
        "val_loss": info.val_loss,
        "val_is_estimate": info.val_is_estimate,
        "val_tokens": info.val_tokens,
        "created": info.created,
    }


def _facts(
    run: storage.Run, summary: storage.RunSummary, checkpoints: dict[str, dict[str, Any] | None]
) -> list[tuple[str, str]]:
    unit = "token" if summary.state == "damaged" else token_noun(run.config.model.tokenizer)
    facts = [
        ("name", summary.name),
        ("state", summary.state),
        ("step", _steps(summary)),
        ("best validation loss", _loss(summary.best_val_loss, summary.best_is_estimate, summary.best_val_tokens, unit)),
        ("bits per character", format_loss(summary.best_bits_per_char, is_estimate=summary.best_is_estimate)),
        ("bits per byte", format_loss(summary.best_bits_per_byte, is_estimate=summary.best_is_estimate)),
        ("updated", format_age(time.time() - summary.updated)),
        ("folder", str(summary.path)),
        ("size on disk", format_bytes(summary.size)),
        ("note", summary.note or "none"),
    ]
    for which, checkpoint in checkpoints.items():
        facts.append((f"{which} checkpoint", "none" if checkpoint is None else _checkpoint_line(checkpoint, unit)))
    if summary.state != "damaged":
        config = run.config
        facts += [("preset", config.preset), ("corpus", config.corpus)]
        for part in (config.model, config.train):
            facts += [(name, str(value)) for name, value in dataclasses.asdict(part).items() if value is not None]
    return facts


def _checkpoint_line(checkpoint: dict[str, Any], unit: str) -> str:
    loss = _loss(checkpoint["val_loss"], checkpoint["val_is_estimate"], checkpoint["val_tokens"], unit)
    return f"step {checkpoint['step']:,}" + ("" if checkpoint["val_loss"] is None else f", validation loss {loss}")


def _loss(loss: float | None, is_estimate: bool, tokens: int, unit: str) -> str:
    """Return a loss and the number of tokens that it was measured on, if known."""
    shown = format_loss(loss, is_estimate=is_estimate)
    if tokens > 0:
        return f"{shown} ({'estimate ' if is_estimate else ''}on {tokens:,} {unit}s)"
    return f"{shown} (estimate)" if is_estimate else shown


@runs.command("import")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--corpus", metavar="TEXT", shell_complete=completion.texts,
    help=f"Text it was trained on; unset is nanoGPT's input.txt beside meta.pkl, else {DEFAULT_CORPUS}.",
)  # fmt: skip
@click.option(
    "--meta", metavar="FILE", type=click.Path(path_type=Path),
    help="nanoGPT's vocabulary; unset is the meta.pkl beside FILE or in its data folder.",
)  # fmt: skip
@click.option("--name", metavar="RUN", help="Name of the new run; unset is the file's.")
def import_run(file: Path, corpus: str | None, meta: Path | None, name: str | None) -> None:
    """Create a run from weights that were trained elsewhere.

    FILE holds the state dict of the lecture's model ("Let's build GPT"), written by torch.save(model.state_dict(),
    FILE), or is the ckpt.pt that nanoGPT's train.py has written for a data set of characters. Only tensors and plain
    values are read; a file that holds code is refused.
    """
    from tui_gpt import session

    click.echo(session.import_run(file, corpus, name, meta=meta).name)


@runs.command("rename")
@click.argument("name", metavar="OLD", shell_complete=completion.runs)
@click.argument("new_name", metavar="NEW")
def rename_run(name: str, new_name: str) -> None:
    """Rename a run."""
    common.own_run(name)
    click.echo(storage.RunStore().rename(name, new_name).name)


@runs.command("note")
@click.argument("name", metavar="RUN", shell_complete=completion.runs)
@click.argument("text", required=False)
def note_run(name: str, text: str | None) -> None:
    """Print the note of a run, or replace it by TEXT.

    A note is one line. It is shown in the list of runs. An empty TEXT ("") removes it.
    """
    run = common.own_run(name)
    note = run.note if text is None else run.set_note(text)
    if note:
        click.echo(escape_controls(note))


@runs.command("rm")
@click.argument("names", metavar="RUN...", nargs=-1, required=True, shell_complete=completion.runs)
@click.option("--yes", is_flag=True, help="Remove without confirmation.")
def remove_runs(names: tuple[str, ...], yes: bool) -> None:
    """Remove runs with all their checkpoints."""
    store = storage.RunStore()
    for name in names:
        common.own_run(name)
    if not yes:
        common.confirm_removal(names)
    for name in names:
        store.delete(name)
