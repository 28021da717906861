"""`tui-gpt generate`: stream text to stdout."""

from pathlib import Path
from typing import Any

import click

from tui_gpt.character_sets import CLASSES
from tui_gpt.cli.commands import common, completion
from tui_gpt.cli.commands.source import chosen_source, read_text
from tui_gpt.errors import UsageError
from tui_gpt.storage import settings
from tui_gpt.text.reading import STDIN

_MAX_SAMPLES = 10_000
_SAMPLING = ("max_new_tokens", "temperature", "top_k", "top_p", "min_p", "seed")
_STEERING = tuple(name for name in settings.SAMPLE_HELP if name not in _SAMPLING)


_MENUS = {
    "Values of --until": [
        ("line", "the first line break"),
        ("sentence", "after . ! ? or … and white space, or the first blank line"),
        ("blank-line", "the first line that is empty"),
        ("speaker", "NAME: after a blank line, or NAME: and text at the beginning of a line"),
        ("length", "--max-new-tokens alone (default)"),
        ("", "Each after the first character that is not white space."),
    ],
    "Values of --allow and --forbid": [
        ("a-z", "characters and ranges; \\n \\t \\\\ \\- \\[ \\xHH \\uHHHH are escapes"),
        ("[:lower:]", "a class: " + " ".join(CLASSES)),
    ],
    "Examples": [
        ('tui-gpt generate "ROMEO:" --until speaker', "one speech"),
        (r'tui-gpt generate "KING:" --stop "\n\n" --stop JULIET', "up to either, without it"),
        (r'tui-gpt generate --allow "[:lower:] \n"', "small letters, spaces and line breaks"),
        (r'tui-gpt generate --match "[A-Z]+:\n[^:]+[.]\n"', "a name, and what it says up to a full stop"),
    ],
}


class _GenerateCommand(common.SettingsCommand):
    section = "generate"
    menus = _MENUS


@click.command(cls=_GenerateCommand)
@click.argument("prompt", required=False, envvar="TUI_GPT_GENERATE_PROMPT")
@common.setting_option("generate", "run", "The model", metavar="RUN[@best|@last]")
@click.option(
    "--model-path", metavar="DIR", type=click.Path(path_type=Path), cls=common.Option, heading="The model",
    help="Folder of a run or a checkpoint.",
)  # fmt: skip
@click.option(
    "--prompt-file",
    metavar="F",
    cls=common.Option,
    heading="The text",
    shell_complete=completion.files,
    help="Read the prompt from this file; - is stdin.",
)
@click.option(
    "--adapt", is_flag=True, cls=common.Option, heading="The text",
    help="Learn from the whole prompt first, to write in its manner; takes some seconds.",
)  # fmt: skip
@common.setting_options("generate", _SAMPLING, "The text")
@common.setting_option("generate", "num_samples", "The text")
@common.setting_options("generate", _STEERING, "Stop and constraints")
@click.option(
    "--with-prompt", is_flag=True, default=None, cls=common.Option, heading="Output",
    help="Print the prompt before the text.",
)  # fmt: skip
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    default=None,
    cls=common.Option,
    heading="Output",
    help="One line per token (character), with its log-probability and the most likely alternatives.",
)
@click.option("--quiet", is_flag=True, cls=common.Option, heading="Output", help="Print only errors on stderr.")
@click.pass_context
def generate(
    ctx: click.Context,
    /,
    num_samples: int | None,
    adapt: bool,
    with_prompt: bool | None,
    as_json: bool | None,
    quiet: bool,
    **_: Any,
) -> int:
    """Generate text that continues PROMPT, with the best model of the newest run, else with the shipped model.

    If PROMPT is -, it is read from stdin.
    """
    common.keep_one(ctx, "prompt", "prompt_file")
    samples = 1 if num_samples is None else num_samples
    if not 1 <= samples <= _MAX_SAMPLES:
        raise UsageError(f"num_samples is {samples}: choose a whole number from 1 to {_MAX_SAMPLES:,}")
    if with_prompt and as_json:
        raise UsageError("--with-prompt and --json cannot be used together")
    config = settings.sample_config(common.chosen_levels(ctx, "generate"))
    source = chosen_source(ctx)
    prompt = _prompt(ctx.params["prompt"], ctx.params["prompt_file"])
    if adapt and not prompt:
        raise UsageError("--adapt learns from the prompt: give one, or a file by --prompt-file")
    from tui_gpt.cli.headless import generate as headless
    from tui_gpt.cli.headless.streams import Streams
    from tui_gpt.generation.steering.pattern import check_pattern

    check_pattern(config.match)
    return headless.generate(
        common.make_session(),
        source,
        prompt,
        config,
        Streams.standard(quiet=quiet),
        samples=samples,
        adapt=adapt,
        as_json=bool(as_json),
        with_prompt=bool(with_prompt),
    )


def _prompt(prompt: str | None, file: str | None) -> str:
    """Return the prompt that was given, or read it from a file or stdin. Raises UsageError."""
    if file is None and prompt == STDIN:
        file = STDIN
    return prompt or "" if file is None else read_text(file)
