"""What the commands share: options made from the table of settings, the source of a value, tables, and the session.

An option is never written by hand if the table of settings has it, so that the command line, the environment and
`config.toml` know the same names.
"""

import sys
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click
from click.core import ParameterSource

from tui_gpt.character_sets import unescaped
from tui_gpt.cli.commands import completion
from tui_gpt.config import TrainConfig
from tui_gpt.errors import NotFoundError, UsageError
from tui_gpt.escaping import escape_controls
from tui_gpt.storage import settings
from tui_gpt.storage.names import SHIPPED

if TYPE_CHECKING:
    from tui_gpt.session import SessionLike
    from tui_gpt.storage.runs import Run

RESUMING = "tui_gpt.resuming"
"""In a click context's `meta`: whether --resume is on the command line."""

F = TypeVar("F", bound=Callable[..., Any])


_STRINGS = tuple[str, ...]
_TYPES = {int: click.INT, float: click.FLOAT, str: click.STRING, _STRINGS: click.STRING}
_METAVARS = {int: "N", float: "X", str: "TEXT", _STRINGS: "TEXT"}
_OWN_METAVARS = {"val_file": "FILE", "allow": "CHARS", "forbid": "CHARS", "match": "REGEX"}
_COMPLETIONS = {"preset": completion.presets, "run": completion.models, "val_file": completion.files}


def make_session(place: TrainConfig | None = None) -> "SessionLike":
    """Return the session of a command; `place` holds the device and the threads to evaluate with."""
    from tui_gpt.session import HERE, Session

    return Session(place=place or HERE)


def own_run(name: str) -> "Run":
    """Return the run of that name. Raises NotFoundError, which for `shipped` explains how to use that model."""
    from tui_gpt.storage.runs import RunStore

    if name.partition("@")[0] == SHIPPED:
        raise NotFoundError(
            f"{SHIPPED} is the model that comes with the program, and not a run: generate with it by `tui-gpt generate "
            f"--run {SHIPPED}`, or start a run from it by `tui-gpt train --headless --init-from {SHIPPED}`"
        )
    return RunStore().get(name)


class Option(click.Option):
    """An option with a heading in the help."""

    def __init__(self, *args: Any, heading: str = "Options", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.heading = heading


class NewRunOption(Option):
    """An option for new runs: with --resume on the command line, its environment variable is ignored."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the value of the environment variable, if it is not ignored."""
        return None if ctx.meta.get(RESUMING) else super().resolve_envvar_value(ctx)


class SettingsCommand(click.Command):
    """A command whose options may also be set in a section of `config.toml`."""

    section: settings.Section
    menus: Mapping[str, Sequence[tuple[str, str]]] = {}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, then fill in the settings of the environment and the file.

        These hold for new runs: with --resume they are ignored, so that nothing in them keeps a run from being resumed.
        A completion needs none of them.
        """
        ctx.meta[RESUMING] = any(word == "--resume" or word.startswith("--resume=") for word in args)
        rest = super().parse_args(ctx, args)
        skipped = ctx.meta[RESUMING] or ctx.resilient_parsing
        for source, values in [] if skipped else settings.config_layers(self.section):
            for name, value in values.items():
                if ctx.params[name] is None:
                    ctx.params[name] = value
                    ctx.set_parameter_source(name, _source_of(source))
        return rest

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under their headings, then the menus."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                groups.setdefault(getattr(parameter, "heading", "Options"), []).append(record)
        for heading, rows in [*groups.items(), *self.menus.items()]:
            with formatter.section(heading):
                formatter.write_dl(rows)


def _source_of(level: str) -> ParameterSource:
    return ParameterSource.ENVIRONMENT if level == settings.ENVIRONMENT else ParameterSource.DEFAULT_MAP


def setting_option(section: settings.Section, name: str, heading: str, **kwargs: Any) -> Callable[[F], F]:
    """Return the option of a setting. Its default is None."""
    setting = settings.SETTINGS[section][name]
    kind = settings.non_optional(setting.hint)
    flag = "--" + name.replace("_", "-")
    if kind is bool:
        flag += "/--no-" + name.replace("_", "-")
    elif typing.get_origin(kind) is Literal:
        kwargs.setdefault("type", click.Choice(typing.get_args(kind)))
    else:
        kwargs = {"type": _TYPES[kind], "metavar": _OWN_METAVARS.get(name, _METAVARS[kind])} | kwargs
    kwargs |= {"multiple": True, "callback": _without_escapes} if kind == _STRINGS else {}
    kwargs |= {"shell_complete": _COMPLETIONS.get(name)}
    kwargs |= {"cls": Option, "default": None, "allow_from_autoenv": False}  # `settings` reads the environment
    return click.option(flag, help=setting.help, heading=heading, **kwargs)


def setting_options(section: settings.Section, names: Iterable[str], heading: str) -> Callable[[F], F]:
    """Return the options of several settings, in that order."""

    def decorate(function: F) -> F:
        for name in reversed(list(names)):
            function = setting_option(section, name, heading)(function)
        return function

    return decorate


def chosen_levels(ctx: click.Context, section: settings.Section) -> settings.Levels:
    """Return the settings of the command line, the environment and the file. Raises ConfigError."""
    given = {name: _given(ctx.params[name]) for name in settings.SETTINGS[section] if typed(ctx, name)}
    return [(settings.COMMAND_LINE, given), *settings.config_layers(section)]


def _without_escapes(_: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return texts with the characters that their escapes describe. Raises ConfigError."""
    return tuple(unescaped(parameter.name or "", text) for text in texts)


def _given(value: Any) -> Any:
    """Return the value of an option; "" among several texts is none of them."""
    return tuple(filter(None, value)) if isinstance(value, tuple) else value


def typed(ctx: click.Context, name: str) -> bool:
    """Return whether an option was given on the command line."""
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def keep_one(ctx: click.Context, *names: str) -> None:
    """Keep only the strongest of options that exclude each other: command line before environment before file.

    Raises UsageError if several were given on the command line. The other sources only set defaults.
    """
    given = sorted(
        (name for name in names if ctx.params[name] is not None),
        key=lambda name: (not typed(ctx, name), ctx.get_parameter_source(name) is not ParameterSource.ENVIRONMENT),
    )
    explicit = [name for name in given if typed(ctx, name)]
    if len(explicit) > 1:
        raise UsageError(f"{flag(explicit[0])} and {flag(explicit[1])} cannot be used together")
    for name in given[1:]:
        ctx.params[name] = None


_ARGUMENTS = frozenset({"prompt", "corpus"})


def flag(name: str) -> str:
    """Return the name of a parameter on the command line."""
    return name.upper() if name in _ARGUMENTS else "--" + name.replace("_", "-")


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], right: frozenset[int] = frozenset()) -> str:
    """Return a table with aligned columns, those in `right` to the right. Safe for a terminal."""
    cells = [[escape_controls(cell).replace("\n", " ") for cell in row] for row in [headings, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if k in right else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )


def key_values(rows: Iterable[tuple[str, str]]) -> str:
    """Return one pair per line, with aligned values. Safe for a terminal."""
    pairs = [(name, escape_controls(value)) for name, value in rows]
    width = max((len(name) for name, _ in pairs), default=0)
    return "\n".join(f"{name.ljust(width)}  {value}".rstrip() for name, value in pairs)


def confirm_removal(names: Sequence[str]) -> None:
    """Ask before something is removed; abort on no. Raises UsageError when stdin is not a terminal."""
    if not sys.stdin.isatty():
        raise UsageError("stdin is not a terminal: pass --yes to remove without confirmation")
    click.confirm(f"Remove {', '.join(names)}? This cannot be undone.", abort=True, err=True)
