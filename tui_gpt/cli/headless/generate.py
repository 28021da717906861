"""Generating text without a screen: `tui-gpt generate`."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from tui_gpt.cli.headless.samples import Samples
from tui_gpt.cli.headless.streams import Streams, busy, detach_stdout
from tui_gpt.cli.headless.tally import Tally
from tui_gpt.cli.headless.text_output import TextOutput
from tui_gpt.cli.signals import StopOnSignals
from tui_gpt.config import SampleConfig
from tui_gpt.control import Control
from tui_gpt.errors import EXIT_DONE, EXIT_SIGPIPE
from tui_gpt.escaping import escape_controls, spell_bytes
from tui_gpt.formatting import format_loss
from tui_gpt.generation.steering.endings import END_WORDS
from tui_gpt.generation.text_model import Piece, TextModel, without
from tui_gpt.seeds import draw_seed
from tui_gpt.session import SessionLike

T = TypeVar("T")


def generate(
    session: SessionLike,
    source: str | Path | None,
    prompt: str,
    config: SampleConfig,
    streams: Streams,
    *,
    samples: int,
    as_json: bool,
    with_prompt: bool = False,
    adapt: bool = False,
) -> int:
    """Generate text after `prompt` on stdout until the end, or a signal, and return the exit code. Raises TuiGptError.

    Sample k has the first one's seed plus k - 1 and is the same text however many are generated. With `adapt` the model
    learns from the prompt first.
    """
    control = Control()
    with StopOnSignals(control) as signals:
        signals.nothing_to_lose = True
        with busy(streams, "loading the model"):
            model = session.open_model(source)
        known = _without_unknown(model, prompt, streams)
        if adapt:
            with busy(streams, "learning from the prompt", control):
                model = model.adapted(known, control)
        signals.nothing_to_lose = False
        seeded = config if config.seed is not None else replace(config, seed=draw_seed())
        streams.write_line(_heading(model, seeded))
        began = time.monotonic()
        output = TextOutput(streams.out)
        texts = Samples(model, known, seeded, samples, control)
        tally = Tally(None if streams.quiet else model)
        try:
            if as_json:
                _write_json(texts, output, streams, tally)
            else:
                _write_text(texts, output, streams, prompt if with_prompt else "", tally)
        except BrokenPipeError:
            detach_stdout()
            return EXIT_SIGPIPE
        line = tally.sentence(time.monotonic() - began - control.suspended_seconds)
        streams.write_line("; ".join([line, *_ends(texts)]))
    return signals.exit_code or EXIT_DONE


def _without_unknown(model: TextModel, prompt: str, streams: Streams) -> str:
    """Return the prompt without the characters that the model does not know, and name them on stderr."""
    unknown = model.unknown(prompt)
    if unknown:
        shown = " ".join(repr(character) for character in unknown[:10]) + (" …" if len(unknown) > 10 else "")
        streams.write_line(f"skipped in the prompt, as they are not in the model's alphabet: {shown}")
    return without(prompt, unknown)


def _heading(model: TextModel, config: SampleConfig) -> str:
    shown = format_loss(model.val_loss, is_estimate=model.val_is_estimate)
    loss = "" if model.val_loss is None else f", validation loss {shown}"
    return f"{escape_controls(model.name)}, step {model.step:,}{loss}, seed {config.seed}"


def _write_text(samples: Samples, output: TextOutput, streams: Streams, prompt: str, tally: Tally) -> None:
    """Write one text as it is generated, or several with a heading each; `prompt` comes before each."""
    for number, text in enumerate(samples.texts(), start=1):
        for k, part in enumerate(_awaited(text, output, streams, samples.control)):
            if k == 0:
                _begin_text(number, samples, output, streams, prompt)
            output.put(part)
            tally.note(part)
        tally.end_text()
    if output.terminal or samples.count > 1:
        output.end_line()
    output.flush()


def _begin_text(number: int, samples: Samples, output: TextOutput, streams: Streams, prompt: str) -> None:
    """Write what comes before a text: its heading or, on a terminal, the prompt, so that both read as one text."""
    if samples.count > 1:
        output.end_line()
        output.put(f"--- sample {number} ---\n")
    elif not prompt and output.terminal and streams.messages.isatty() and not streams.quiet:
        streams.put(escape_controls(samples.prompt))
    if prompt:
        output.put(prompt)


def _awaited(parts: Iterator[T], output: TextOutput, streams: Streams, control: Control) -> Iterator[T]:
    """Yield the parts, and show on stderr that they are awaited.

    That ends with the first part, unless stdout is a file: elsewhere the text is seen, possibly on the same screen.
    """
    with busy(streams, "preparing to generate", control):
        if output.is_file:
            yield from parts
            return
        first = next(parts, None)
    if first is not None:
        yield first
        yield from parts


def _write_json(samples: Samples, output: TextOutput, streams: Streams, tally: Tally) -> None:
    """Write one JSON line per token, with its log-probability and its alternatives, and one without a token
    for the reason why the text ended, if it was not the length."""
    for number, pieces in enumerate(samples.detailed(), start=1):
        sample = {"sample": number} if samples.count > 1 else {}
        for piece in _awaited(pieces, output, streams, samples.control):
            output.put(json.dumps({**sample, **_piece_record(piece)}, ensure_ascii=output.terminal) + "\n")
            tally.note(piece.text)
        tally.end_text()
    output.flush()


def _piece_record(piece: Piece) -> dict[str, object]:
    alternatives = [[spell_bytes(text), probability] for text, probability in piece.alternatives]
    end = {} if piece.end is None else {"end": piece.end}
    return {"text": piece.text, "logprob": piece.logprob, "alternatives": alternatives, **end}


def _ends(samples: Samples) -> Iterator[str]:
    """Yield why texts ended, with their number if there are several."""
    for reason, count in samples.ends.items():
        yield END_WORDS[reason] if samples.count == 1 else f"{count:,} {END_WORDS[reason]}"
