"""`tui-gpt train`: in the app, or headless."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from tui_gpt import settings
from tui_gpt.commands import common, terminal
from tui_gpt.config import DEFAULT_PRESET, PRESETS, RunConfig, TrainConfig
from tui_gpt.errors import IncompatibleError, NotFoundError, UsageError
from tui_gpt.events import Setting
from tui_gpt.session import TrainRequest

_NEWEST = ""
_FIXED_ON_RESUME = ("preset", "corpus", *settings.MODEL_HELP)


class _TrainCommand(common.SettingsCommand):
    section = "train"
    menus = {  # noqa: RUF012  # a constant that overrides a Mapping
        "Presets": [
            (name + (" (default)" if name == DEFAULT_PRESET else ""), preset.summary)
            for name, preset in PRESETS.items()
        ]
    }


@click.command(cls=_TrainCommand)
@click.argument("corpus", required=False, envvar="TUI_GPT_TRAIN_CORPUS")
@click.option("--headless", is_flag=True, cls=common.Option, heading="The run", help="Train without the app.")
@common.setting_option("train", "preset", "The run", metavar="NAME")
@common.setting_options("train", ["max_iters", "max_seconds"], "The run")
@click.option("--name", metavar="RUN", cls=common.Option, heading="The run", help="Name of the new run.")
@click.option(
    "--resume", metavar="[RUN]", is_flag=False, flag_value=_NEWEST, cls=common.Option, heading="The run",
    help="Go on with a run, the newest unless named.",
)  # fmt: skip
@click.option("--init-from", metavar="RUN", cls=common.Option, heading="The run", help="Start from a run's weights.")
@click.option(
    "--model-path", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), cls=common.Option,
    heading="The run", help="Keep the run in this folder.",
)  # fmt: skip
@common.setting_options("train", settings.MODEL_HELP, "The model")
@common.setting_options("train", [name for name in settings.TRAIN_HELP if not name.startswith("max_")], "The training")
@click.option(
    "--json", "as_json", is_flag=True, cls=common.Option, heading="Output", help="One event a line on stdout."
)
@click.option("--quiet", is_flag=True, cls=common.Option, heading="Output", help="Nothing on stderr but errors.")
@click.pass_context
def train(ctx: click.Context, /, headless: bool, as_json: bool, quiet: bool, **_: Any) -> int:
    """Train a model on CORPUS: a file, a folder of text files, - for stdin, or a name from `tui-gpt data list`.

    Opens the app with this run starting; --headless trains without it. Ctrl+C saves and stops; --resume goes on.
    """
    if not headless:
        return _train_in_app(ctx, as_json)
    from tui_gpt import headless as face

    streams = face.Streams.standard(quiet=quiet)
    request, notes = request_from(ctx)
    for note in notes:
        streams.say(note)
    return face.train(common.make_session(), request, streams, as_json=as_json)


def _train_in_app(ctx: click.Context, as_json: bool) -> int:
    if as_json:
        raise UsageError("--json is for training without the app: add --headless")
    if not terminal.fits_the_app():
        raise UsageError("the app needs a terminal on stdin and stderr: add --headless to train without it")
    request, _ = request_from(ctx)
    from tui_gpt.tui.app import run_app

    return run_app(request=request)


def request_from(ctx: click.Context) -> tuple[TrainRequest, tuple[str, ...]]:
    """What was asked for, checked as far as it can be without torch, and notes on the text. Raises TuiGptError."""
    if ctx.params["resume"] is not None:
        return _resume_request(ctx), ()
    model_path: Path | None = ctx.params["model_path"]
    common.refuse_together(name=ctx.params["name"], model_path=model_path)
    if model_path is not None and _holds_run(model_path):
        raise UsageError(f"{model_path} holds a run already: add --resume to go on with it, or name a new folder")
    config, notes = _with_corpus(settings.run_config(common.chosen_levels(ctx, "train")))
    request = TrainRequest(
        config=config, name=ctx.params["name"], init_from=ctx.params["init_from"], model_path=model_path
    )
    return request, notes


def _holds_run(folder: Path) -> bool:
    from tui_gpt.runs import RunStore

    try:
        RunStore().open_at(folder)
    except NotFoundError:
        return False
    return True


def _with_corpus(config: RunConfig) -> tuple[RunConfig, tuple[str, ...]]:
    """The config with a text that can be read again from anywhere, and notes on what was left out of it."""
    from tui_gpt.corpora import read_corpus

    text = read_corpus(config.corpus)
    return dataclasses.replace(config, corpus=text.source), text.notes


def _resume_request(ctx: click.Context) -> TrainRequest:
    model_path: Path | None = ctx.params["model_path"]
    name: str = ctx.params["resume"]
    common.refuse_together(resume=name, name=ctx.params["name"], init_from=ctx.params["init_from"])
    common.refuse_together(resume=name or None, model_path=model_path)
    config = _resumed_config(name, model_path)
    changes = _changes(ctx, config)
    if model_path is not None:
        return TrainRequest(config=config, model_path=model_path, resume=model_path.name, changes=changes)
    return TrainRequest(config=config, resume=name or _newest_name(), changes=changes)


def _resumed_config(name: str, model_path: Path | None) -> RunConfig:
    from tui_gpt.runs import RunStore

    store = RunStore()
    run = store.open_at(model_path) if model_path is not None else store.get(name or _newest_name())
    return run.config


def _newest_name() -> str:
    from tui_gpt.runs import RunStore

    run = RunStore().newest(with_checkpoint=True)
    if run is None:
        raise NotFoundError("there is no run to go on with: start one with `tui-gpt train --headless`")
    return run.name


def _changes(ctx: click.Context, config: RunConfig) -> Mapping[str, Setting]:
    """The settings that were asked for by command line or environment, not by the file: it is about new runs."""
    explicit = [level for source, level in common.chosen_levels(ctx, "train")[:2]]
    changes = settings.merged(*explicit)
    fixed = [name for name in _FIXED_ON_RESUME if name in changes]
    if fixed:
        option = fixed[0].upper() if fixed[0] == "corpus" else "--" + fixed[0].replace("_", "-")
        raise IncompatibleError(
            f"a run keeps its {fixed[0]} when it is resumed: leave {option} out, or use --init-from"
        )
    _check_changes(changes)
    if "max_iters" in changes and "max_seconds" not in changes and config.train.max_seconds is not None:
        changes["max_seconds"] = None
    return changes


def _check_changes(changes: Mapping[str, Any]) -> None:
    """Raise ConfigError for a value out of range."""
    TrainConfig.from_dict({"max_iters": 1, **changes})
