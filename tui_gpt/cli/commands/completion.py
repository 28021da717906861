"""What the shell offers for an argument: names of runs, models and texts, presets and files (docs/completion.md).

Only names are read: a key press must not wait for a summary, let alone for numpy or torch. The stores are imported when
a name is completed, so that the other uses of a command do not wait for them.
"""

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from tui_gpt.config import PRESETS
from tui_gpt.storage.names import SHIPPED


def runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001  # click's signature
    """Return the names of the runs, newest first."""
    return _starting_with(incomplete, _run_names())


def models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001  # click's signature
    """Return the names of the models that can generate: runs, newest first, and the shipped one."""
    return _starting_with(incomplete, [*_run_names(), SHIPPED])


def texts(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return a request for file names, then the names of the texts.

    Bash shows files if no name fits, zsh and fish show both.
    """
    from tui_gpt.text.library import list_corpora

    return [*files(ctx, param, incomplete), *_starting_with(incomplete, (entry.name for entry in list_corpora()))]


def added_texts(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001  # click's signature
    """Return the names of the texts that can be renamed and removed."""
    from tui_gpt.text.library import list_corpora

    return _starting_with(incomplete, (entry.name for entry in list_corpora() if not entry.built_in))


def presets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001  # click's signature
    """Return the presets, with their summaries."""
    return [CompletionItem(name, help=PRESETS[name].summary) for name in PRESETS if name.startswith(incomplete)]


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001  # click's signature
    """Return the request that the shell completes a file name."""
    return [CompletionItem(incomplete, type="file")]


def _run_names() -> list[str]:
    from tui_gpt.storage.runs import RunStore

    return [run.name for run in sorted(RunStore().runs(), key=lambda run: (-run.updated(), run.name))]


def _starting_with(incomplete: str, names: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
