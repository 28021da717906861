"""`tui-gpt runs export`: a checkpoint for this program or `transformers`, or measurements for other programs."""

import shlex
from pathlib import Path
from typing import Literal

import click

from tui_gpt.cli.commands import common, completion
from tui_gpt.errors import NotFoundError, UsageError
from tui_gpt.storage.export import COLUMNS, csv_text, export_csv, export_tensorboard
from tui_gpt.storage.runs import Run, RunStore, Which

Format = Literal["model", "hf", "csv", "tensorboard"]
_STDOUT = Path("-")


class _ExportCommand(click.Command):
    """A command whose help explains the columns of the table."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's signature
        with formatter.section("Columns of --format csv, empty where a step has no such value"):
            formatter.write_dl(list(COLUMNS.items()))


@click.command("export", cls=_ExportCommand)
@click.argument("source", metavar="RUN[@best|@last]", shell_complete=completion.runs)
@click.argument("target", metavar="TARGET", type=click.Path(path_type=Path))
@click.option(
    "--format", "kind", type=click.Choice(["model", "hf", "csv", "tensorboard"]), default="model", show_default=True,
    help="What to write.",
)  # fmt: skip
@click.option("--small", is_flag=True, help="8-bit weights: a quarter of the size, almost the same loss.")
def export_run(source: str, target: Path, kind: Format, small: bool) -> None:
    """Export a run to TARGET, which must not exist.

    model copies a checkpoint (by default the best) into a new folder, to be used with --model-path. hf writes it into
    a new folder for AutoModelForCausalLM and AutoTokenizer of `transformers`, if it is a classic model. csv writes the
    losses to a new file, or to stdout if TARGET is -. tensorboard writes losses, learning rate, gradient norm, speed
    and samples into a new folder, to be shown by `tensorboard --logdir TARGET`.
    """
    name, _, which = source.partition("@")
    run = common.own_run(name)
    if kind == "model":
        _export_model(name, which, target, small=small)
        return
    if small:
        raise UsageError(f"--small is for --format model: leave it out with {kind}")
    if kind == "hf":
        _export_hf(run, which, target)
        return
    if which:
        raise UsageError(f"--format {kind} exports the log of a run, not a checkpoint: name it {name}")
    if kind == "csv":
        _export_csv(run, target)
    else:
        place = export_tensorboard(run.events(), target, ended=run.updated())
        click.echo(place)
        click.echo(f"show it: tensorboard --logdir {shlex.quote(str(place))}", err=True)


def _export_model(name: str, which: str, target: Path, *, small: bool) -> None:
    place = RunStore().export(name, _kind(name, which), target)
    if small:
        from tui_gpt.storage.checkpoint import quantize_checkpoint

        quantize_checkpoint(place)
    click.echo(place)
    click.echo(f"generate with it: tui-gpt generate --model-path {shlex.quote(str(place))}", err=True)


def _export_hf(run: Run, which: str, target: Path) -> None:
    from tui_gpt.storage.export.hf import export_hf

    click.echo(export_hf(run.require_checkpoint(_kind(run.name, which)), target))
    click.echo("its README.md shows how to load it with `transformers`", err=True)


def _kind(name: str, which: str) -> Which:
    """Return the checkpoint that `RUN@which` names, by default the best. Raises NotFoundError."""
    kinds: dict[str, Which] = {"": "best", "best": "best", "last": "last"}
    if which not in kinds:
        raise NotFoundError(f"a run has the checkpoints best and last: name {name}@best or {name}@last")
    return kinds[which]


def _export_csv(run: Run, target: Path) -> None:
    if target == _STDOUT:
        click.echo(csv_text(run.events()), nl=False)
    else:
        click.echo(export_csv(run.events(), target))
