"""`tui-gpt eval`: evaluate a model on its validation split or on any text."""

import dataclasses
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from tui_gpt.cli.commands import common, completion
from tui_gpt.cli.commands.source import chosen_source, read_text
from tui_gpt.config import DeviceName, TrainConfig
from tui_gpt.errors import TuiGptError, UsageError
from tui_gpt.session import source_config
from tui_gpt.text.reading import STDIN

if TYPE_CHECKING:
    from tui_gpt.cli.headless.streams import Streams
    from tui_gpt.session import SessionLike


def _none_one_or_several(_: click.Context, __: click.Parameter, runs: tuple[str, ...]) -> str | tuple[str, ...] | None:
    """Return the distinct runs; a single one as it is."""
    distinct = tuple(dict.fromkeys(runs))
    return distinct if len(distinct) > 1 else distinct[0] if distinct else None


@click.command("eval")
@click.option(
    "--run", metavar="RUN[@best|@last]", shell_complete=completion.models, multiple=True, callback=_none_one_or_several,
    help="Run to evaluate; unset is the newest. Several, with --file, are compared in a table.",
)  # fmt: skip
@click.option("--model-path", metavar="DIR", type=click.Path(path_type=Path), help="Folder of a run or a checkpoint.")
@click.option("--file", metavar="F", shell_complete=completion.files, help="Evaluate on this text instead; - is stdin.")
@click.option(
    "--adapt", is_flag=True, help="With --file: measure it also while it learns from the text it has read so far."
)
@click.option(
    "--device", type=click.Choice(get_args(DeviceName)), default="auto", show_default=True,
    help="Device for the validation split; --file is read on the CPU.",
)  # fmt: skip
@click.option("--threads", metavar="N", type=click.INT, default=0, help="CPU threads for it; 0 uses one per core.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def evaluate(
    ctx: click.Context, /, file: str | None, adapt: bool, device: DeviceName, threads: int, as_json: bool, **_: Any
) -> None:
    """Evaluate a model: validation loss (nats per token), bits per character and per byte, perplexity.

    A token is a character, unless the model has another tokenizer. Bits per character compare models of all tokenizers.

    The validation split of the model's own text is read, of a long one 120,000 evenly spread tokens; --file reads
    any other text. Several --run with --file compare the models in a table: each is scored on the characters that all
    of them know, in bits per character and perplexity per character; * marks the best.

    With --adapt, the text is also predicted by counts, matches and mixing weights that learn from each character after
    it was predicted; the model itself stays as it is.
    """
    if adapt and file is None:
        raise UsageError("--adapt reads a text: name it by --file")
    source = chosen_source(ctx)
    several = ctx.params["run"]
    if adapt and isinstance(several, tuple):
        raise UsageError("--adapt measures one model: give --run once")
    place = TrainConfig(max_iters=1, device=device, threads=threads)
    from tui_gpt.cli.headless import evaluate as headless
    from tui_gpt.cli.headless.streams import Streams

    session, streams = common.make_session(place), Streams.standard()
    if isinstance(several, tuple):
        _compare(session, several, file, streams, as_json)
    elif file is not None:
        score = headless.score_adapting if adapt else headless.score
        _print(score(session, source, _text_in(file, source), streams), as_json)
    else:
        _print(headless.evaluate(session, source, streams), as_json)


def _compare(
    session: "SessionLike", sources: tuple[str, ...], file: str | None, streams: "Streams", as_json: bool
) -> None:
    """Print how well several models predict one text."""
    from tui_gpt.cli.headless import authors

    if file is None:
        raise UsageError("several --run are compared on one text: name it with --file, or evaluate one run at a time")
    found = authors.compare(session, sources, _text_in(file, *sources), streams)
    if as_json:
        click.echo(json.dumps(authors.record(found), ensure_ascii=False))
    else:
        click.echo(common.table(authors.HEADINGS, authors.rows(found), frozenset({2, 3, 4, 5})))


def _text_in(file: str, *sources: str | Path | None) -> str:
    """Return the text of a file: any file if all models read bytes, else one in UTF-8."""
    text = read_text(file, as_bytes=all(map(_reads_bytes, sources)))
    if not text:
        raise UsageError(f"{'stdin' if file == STDIN else file} is empty: name a file that is not")
    return text


def _reads_bytes(source: str | Path | None) -> bool:
    """Return whether the model reads any file; opening it reports what is wrong with it."""
    with suppress(TuiGptError):
        return source_config(source).model.reads_bytes
    return False


_LABELS = {
    "name": "model",
    "val_loss": "validation loss",
    "loss": "loss",
    "bits_per_char": "bits per character",
    "bits_per_byte": "bits per byte",
    "val_tokens": "tokens",
    "left_out": "left out",
    "adapted_loss": "adapting: loss",
    "adapted_bits_per_char": "bits per character",
    "adapted_bits_per_byte": "bits per byte",
    "adapted_perplexity": "perplexity",
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
