"""`tui-gpt eval`: how good a model is, on its validation split or on any text."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import click

from tui_gpt.commands import common
from tui_gpt.commands.source import chosen_source, read_text
from tui_gpt.errors import EXIT_DONE


@click.command("eval")
@click.option("--run", metavar="RUN[@best|@last]", help="The run to measure, the newest unless named.")
@click.option("--model-path", metavar="DIR", type=click.Path(path_type=Path), help="A run's folder, or a checkpoint's.")
@click.option("--file", metavar="F", help="Measure on this text instead; - is stdin.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def evaluate(ctx: click.Context, /, file: str | None, as_json: bool, **_: Any) -> int:
    """Measure a model: validation loss (nats per character), bits per character, perplexity.

    The validation split of its own text is read whole; --file measures any other text.
    """
    source = chosen_source(ctx)
    from tui_gpt import headless

    if file is not None:
        text = read_text(file)
        _print(headless.score(common.make_session(), source, text), as_json)
        return EXIT_DONE
    evaluation, code = headless.evaluate(common.make_session(), source)
    if evaluation is not None:
        _print(evaluation, as_json)
    return code


_LABELS = {
    "name": "model",
    "val_loss": "validation loss",
    "loss": "loss",
    "bits_per_char": "bits per character",
    "val_tokens": "characters",
}


def _print(measured: Any, as_json: bool) -> None:
    record = dataclasses.asdict(measured)
    if as_json:
        click.echo(json.dumps(record, ensure_ascii=False))
        return
    rows = [(_LABELS.get(name, name), _shown(value)) for name, value in record.items() if value != ""]
    click.echo(common.key_values(rows))


def _shown(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
