"""`tui-gpt generate`: text on stdout, as it is written."""

from pathlib import Path
from typing import Any

import click

from tui_gpt import settings
from tui_gpt.commands import common
from tui_gpt.commands.source import chosen_source, read_text
from tui_gpt.errors import UsageError

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
    "--json",
    "as_json",
    is_flag=True,
    cls=common.Option,
    heading="Output",
    help="A line a character, with its log-probability and the likeliest others.",
)
@click.option("--quiet", is_flag=True, cls=common.Option, heading="Output", help="Nothing on stderr but errors.")
@click.pass_context
def generate(
    ctx: click.Context,
    /,
    prompt: str | None,
    prompt_file: str | None,
    num_samples: int | None,
    as_json: bool,
    quiet: bool,
    **_: Any,
) -> int:
    """Write a text that goes on from PROMPT, with the newest run's best model, else the one that came along."""
    if prompt is not None and prompt_file is not None:
        raise UsageError("PROMPT and --prompt-file cannot go together: leave one of them out")
    samples = 1 if num_samples is None else num_samples
    if not 1 <= samples <= _MOST_SAMPLES:
        raise UsageError(f"num_samples is {samples}: choose a whole number from 1 to {_MOST_SAMPLES:,}")
    config = settings.sample_config(common.chosen_levels(ctx, "generate"))
    source = chosen_source(ctx)
    text = read_text(prompt_file) if prompt_file is not None else prompt or ""
    from tui_gpt import headless

    streams = headless.Streams.standard(quiet=quiet)
    return headless.generate(common.make_session(), source, text, config, streams, samples=samples, as_json=as_json)
