"""`tui-gpt generate`: text on stdout, as it is written."""

from pathlib import Path
from typing import Any

import click

from tui_gpt.cli.commands import common
from tui_gpt.cli.commands.source import chosen_source, read_text
from tui_gpt.errors import UsageError
from tui_gpt.storage import settings
from tui_gpt.text.reading import STDIN

_MOST_SAMPLES = 10_000


class _GenerateCommand(common.SettingsCommand):
    section = "generate"


@click.command(cls=_GenerateCommand)
@click.argument("prompt", required=False, envvar="TUI_GPT_GENERATE_PROMPT")
@common.setting_option("generate", "run", "The model", metavar="RUN[@best|@last]")
@click.option(
    "--model-path", metavar="DIR", type=click.Path(path_type=Path), cls=common.Option, heading="The model",
    help="A run's folder, or a checkpoint's.",
)  # fmt: skip
@click.option(
    "--prompt-file", metavar="F", cls=common.Option, heading="The text", help="Read the prompt there; - is stdin."
)
@common.setting_options("generate", settings.SAMPLE_HELP, "The text")
@common.setting_option("generate", "num_samples", "The text")
@click.option(
    "--with-prompt", is_flag=True, default=None, cls=common.Option, heading="Output",
    help="Print the prompt before what follows it.",
)  # fmt: skip
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    default=None,
    cls=common.Option,
    heading="Output",
    help="A line a character, with its log-probability and the likeliest others.",
)
@click.option("--quiet", is_flag=True, cls=common.Option, heading="Output", help="Nothing on stderr but errors.")
@click.pass_context
def generate(
    ctx: click.Context,
    /,
    num_samples: int | None,
    with_prompt: bool | None,
    as_json: bool | None,
    quiet: bool,
    **_: Any,
) -> int:
    """Write a text that goes on from PROMPT, with the newest run's best model, else the one that came along.

    PROMPT - is read from stdin.
    """
    common.keep_one(ctx, "prompt", "prompt_file")
    samples = 1 if num_samples is None else num_samples
    if not 1 <= samples <= _MOST_SAMPLES:
        raise UsageError(f"num_samples is {samples}: choose a whole number from 1 to {_MOST_SAMPLES:,}")
    if with_prompt and as_json:
        raise UsageError("--with-prompt and --json cannot go together: leave one of them out")
    config = settings.sample_config(common.chosen_levels(ctx, "generate"))
    source = chosen_source(ctx)
    prompt = _prompt(ctx.params["prompt"], ctx.params["prompt_file"])
    from tui_gpt.cli import headless

    return headless.generate(
        common.make_session(),
        source,
        prompt,
        config,
        headless.Streams.standard(quiet=quiet),
        samples=samples,
        as_json=bool(as_json),
        with_prompt=bool(with_prompt),
    )


def _prompt(prompt: str | None, file: str | None) -> str:
    """Return the prompt that was given, or read it from a file or stdin. Raises UsageError."""
    if file is None and prompt == STDIN:
        file = STDIN
    return prompt or "" if file is None else read_text(file)
