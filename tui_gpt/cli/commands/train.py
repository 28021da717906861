"""`tui-gpt train`: in the app or headless."""

import dataclasses
import os
import shlex
from pathlib import Path
from typing import Any

import click

from tui_gpt.cli.commands import common, completion, terminal
from tui_gpt.cli.commands.resumption import Resumption
from tui_gpt.config import DEFAULT_PRESET, PRESETS, ModelConfig
from tui_gpt.control import Control
from tui_gpt.errors import NotFoundError, UsageError
from tui_gpt.escaping import escape_controls
from tui_gpt.events import SettingValue
from tui_gpt.ranks import Ranks, ranks_of
from tui_gpt.requests import TrainRequest
from tui_gpt.session import source_characters, source_config
from tui_gpt.storage import settings
from tui_gpt.storage.runs import Run, RunStore
from tui_gpt.text.check import check_texts

_NEWEST = ""


class _TrainCommand(common.SettingsCommand):
    section = "train"
    menus = {  # noqa: RUF012  # a constant that overrides a Mapping
        "Presets": [
            (name + (" (default)" if name == DEFAULT_PRESET else ""), preset.summary)
            for name, preset in PRESETS.items()
        ]
    }


@click.command(cls=_TrainCommand)
@click.argument("corpus", required=False, shell_complete=completion.texts)
@click.option("--headless", is_flag=True, cls=common.Option, heading="The run", help="Train without the app.")
@common.setting_option("train", "preset", "The run", metavar="NAME")
@common.setting_options("train", ["max_iters", "max_seconds"], "The run")
@click.option("--name", metavar="RUN", cls=common.NewRunOption, heading="The run", help="Name of the new run.")
@click.option(
    "--resume", metavar="[RUN]", is_flag=False, flag_value=_NEWEST, cls=common.Option, heading="The run",
    shell_complete=completion.runs, help="Resume a run; without RUN the newest.",
)  # fmt: skip
@click.option(
    "--init-from", metavar="RUN", cls=common.NewRunOption, heading="The run", shell_complete=completion.models,
    help="Start from the weights of a run.",
)  # fmt: skip
@click.option(
    "--model-path", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), cls=common.Option,
    heading="The run", help="Store the run in this folder.",
)  # fmt: skip
@common.setting_options("train", settings.MODEL_HELP, "The model")
@common.setting_options("train", [name for name in settings.TRAIN_HELP if not name.startswith("max_")], "The training")
@click.option(
    "--json", "as_json", is_flag=True, cls=common.Option, heading="Output", help="One event per line on stdout."
)
@click.option("--quiet", is_flag=True, cls=common.Option, heading="Output", help="Print only errors on stderr.")
@click.option(
    "--notify", metavar="COMMAND", cls=common.Option, heading="Output",
    help="Run this when a headless run ends, diverges or cannot be saved (docs/alerts.md).",
)  # fmt: skip
@click.option(
    "--on-event", metavar="MODULE:FUNCTION", cls=common.Option, heading="Output",
    help="Call this Python function of yours with each event of a headless run (docs/integrations.md).",
)  # fmt: skip
@click.pass_context
def train(
    ctx: click.Context,
    /,
    headless: bool,
    as_json: bool,
    quiet: bool,
    notify: str | None,
    on_event: str | None,
    **_: Any,
) -> int:
    """Train a model on CORPUS: a file, a folder of text files, - for stdin, or a name from `tui-gpt data list`.

    Opens the app and starts this run; --headless trains without it. Ctrl+C saves and stops; --resume continues.
    """
    ranks = ranks_of(os.environ)
    if not headless:
        return _train_in_app(ctx, as_json, ranks)
    if ranks.rank > 0:
        from tui_gpt.cli.headless.follow import follow
        from tui_gpt.session import follow as follow_orders

        return follow(follow_orders, ranks)
    from tui_gpt.cli.headless import train as headless_train
    from tui_gpt.cli.headless.notify import command_words
    from tui_gpt.cli.headless.on_event import load_function
    from tui_gpt.cli.headless.streams import Streams, busy

    if notify is not None:
        command_words(notify)
    if on_event is not None:
        load_function(on_event)
    streams = Streams.standard(quiet=quiet)
    control = Control()
    with busy(streams, "reading the text", control):
        restarted = _restarted_request(ctx, ranks)
        request, notes = request_from(ctx, control) if restarted is None else (restarted, ())
    for note in notes:
        streams.write_line(note)
    request = dataclasses.replace(request, ranks=ranks, began=ctx.find_root().obj)
    return headless_train.train(
        common.make_session(), request, streams, as_json=as_json, notify=notify, on_event=on_event
    )


def _train_in_app(ctx: click.Context, as_json: bool, ranks: Ranks) -> int:
    if ranks.are_several:
        raise UsageError("the app trains in one process: add --headless to train in several (docs/scaling.md)")
    if as_json:
        raise UsageError("--json is for training without the app: add --headless")
    for name in ("notify", "on_event"):
        if common.typed(ctx, name):
            raise UsageError(f"{common.flag(name)} is for training without the app: add --headless")
    if not terminal.fits_the_app():
        raise UsageError("the app needs a terminal on stdin and stderr: add --headless to train without it")
    request, notes = request_from(ctx)
    for note in notes:
        click.echo(escape_controls(note), err=True)
    from tui_gpt.tui.app.app import run_app

    return run_app(request=dataclasses.replace(request, began=ctx.find_root().obj))


def request_from(ctx: click.Context, control: Control | None = None) -> tuple[TrainRequest, tuple[str, ...]]:
    """Return the request, with all checks that need no torch, and notes on the text; `control` as in `check_texts`.

    Raises TuiGptError. The environment and `config.toml` hold for new runs only.
    """
    common.keep_one(ctx, "resume", "name")
    common.keep_one(ctx, "resume", "init_from")
    if ctx.params["resume"] is not None:
        return _resume_request(ctx), ()
    common.keep_one(ctx, "name", "model_path")
    name: str | None = ctx.params["name"]
    model_path: Path | None = ctx.params["model_path"]
    if name is not None:
        RunStore().require_free(name)
    if model_path is not None and _holds_run(model_path):
        raise UsageError(f"{model_path} holds a run already: add --resume to resume it, or name a new folder")
    init_from: str | None = ctx.params["init_from"]
    levels = common.chosen_levels(ctx, "train")
    chosen: dict[str, SettingValue] = {}
    if init_from is not None:
        levels, chosen = _levels_from(ctx, init_from, levels)
    known = "" if init_from is None else source_characters(init_from)
    config, notes = check_texts(settings.run_config(levels), known, control)
    request = TrainRequest(
        config=config,
        name=name,
        init_from=init_from,
        chosen=chosen,
        preset_chosen=common.typed(ctx, "preset"),
        model_path=model_path,
    )
    return request, notes


def _levels_from(
    ctx: click.Context, source: str, levels: settings.Levels
) -> tuple[settings.Levels, dict[str, SettingValue]]:
    """Return the levels without settings of the model, and those of the model that are on the command line.

    The other settings of the model are those of `source`, as is the default preset if it is a classic model. Raises
    TuiGptError.
    """
    own = source_config(source)
    names = {field.name for field in dataclasses.fields(ModelConfig)}
    chosen = {name: ctx.params[name] for name in names & ctx.params.keys() if common.typed(ctx, name)}
    levels = [(place, {name: value for name, value in level.items() if name not in names}) for place, level in levels]
    read_as = {name: getattr(own.model, name) for name in ("tokenizer", "vocab_size")}
    levels.append((source, {name: value for name, value in read_as.items() if value is not None}))
    if own.model.architecture == "classic" and own.preset in PRESETS:
        levels.append((source, {"preset": own.preset}))
    return levels, chosen


def _restarted_request(ctx: click.Context, ranks: Ranks) -> TrainRequest | None:
    """Return the request to resume the run that this command made before torchrun restarted it; None without one."""
    if not ranks.restarts or ctx.params["resume"] is not None:
        return None
    model_path: Path | None = ctx.params["model_path"]
    if model_path is None:
        run = RunStore().newest_of_job(ranks.job)
    else:
        run = RunStore().open_at(model_path) if _holds_run(model_path) else None
    if run is None or run.job != ranks.job:
        return None
    return TrainRequest(config=run.config, resume=run.name, model_path=model_path)


def _holds_run(folder: Path) -> bool:
    try:
        RunStore().open_at(folder)
    except NotFoundError:
        return False
    return True


def _resume_request(ctx: click.Context) -> TrainRequest:
    name: str = ctx.params["resume"]
    model_path: Path | None = ctx.params["model_path"]
    if model_path is not None and not common.typed(ctx, "model_path") and (name or not _holds_run(model_path)):
        model_path = None
    if name and model_path is not None:
        raise UsageError(f"--resume {name} and --model-path cannot be used together")
    store = RunStore()
    run = store.open_at(model_path) if model_path is not None else common.own_run(name) if name else _newest(store)
    resumption = Resumption.of(run, "" if model_path is None else f"--model-path {shlex.quote(str(model_path))}")
    corpus = resumption.moved_corpus(ctx.params["corpus"]) if common.typed(ctx, "corpus") else None
    typed = {name: ctx.params[name] for name in settings.SETTINGS["train"] if common.typed(ctx, name)}
    if "val_file" in typed:
        typed["val_file"] = resumption.moved_validation(typed["val_file"])
    changes = resumption.changes(typed)
    return TrainRequest(config=run.config, resume=run.name, model_path=model_path, changes=changes, corpus=corpus)


def _newest(store: RunStore) -> Run:
    run = store.newest(with_checkpoint=True)
    if run is None:
        raise NotFoundError("there is no run to resume: start one with `tui-gpt train --headless`")
    return run
