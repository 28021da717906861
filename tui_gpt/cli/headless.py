"""The face without a screen: progress on stderr, JSONL or text on stdout, exit codes after signals.

It iterates what the session yields and owns no logic of training or writing. stdout is data, stderr is talk. Once the
reader of stdout has gone away, the work is saved and ended as after a signal.
"""

import errno
import json
import math
import os
import secrets
import shlex
import stat
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO, TypeVar

from tui_gpt.cli.out_of_memory import OUT_OF_MEMORY, is_out_of_memory
from tui_gpt.cli.progress_line import ProgressLine, Standing
from tui_gpt.cli.signals import StopOnSignals
from tui_gpt.config import SampleConfig
from tui_gpt.control import Control
from tui_gpt.errors import EXIT_DONE, EXIT_FAILED, StorageError, TuiGptError
from tui_gpt.escaping import escape_controls
from tui_gpt.events import Event, Finished, to_json
from tui_gpt.formatting import format_duration, format_loss, format_rate
from tui_gpt.generation.text_model import Piece, TextModel
from tui_gpt.metrics import COPIED_LENGTH, bits_per_character, perplexity
from tui_gpt.requests import Evaluation, TrainRequest
from tui_gpt.session import SessionLike
from tui_gpt.storage import crash

EXIT_READER_GONE = 141
"""What a shell shows for a program whose output nobody reads any more."""

T = TypeVar("T")

_FLUSH_SECONDS = 0.03
_SEEDS = 2**31
_RECENT_EVENTS = 20
_SAMPLES_AT_ONCE = 64
"""Most texts written side by side: each has keys and values of its own in memory."""
_HELD_CHARACTERS = 1 << 24
"""Most characters of texts that wait until those before them are written out."""
_COMPARED_AT_ONCE = 1 << 20
"""Most parts of a text, mostly characters, that are kept to be compared with the training text."""
_REPORT_EVERY = 1_000
"""Characters between two reports of how much of a text was measured."""


@dataclass(frozen=True)
class Streams:
    """Where a command writes: data to `out`, talk to `talk`, nothing to `talk` when `quiet`."""

    out: TextIO
    talk: TextIO
    quiet: bool = False

    @classmethod
    def standard(cls, *, quiet: bool = False) -> "Streams":
        """The process's own stdout and stderr."""
        return cls(sys.stdout, sys.stderr, quiet)

    def say(self, line: str) -> None:
        """A line for people, if they listen: a terminal that was closed is no reason to fail."""
        if not self.quiet:
            self.put(line + "\n")

    def put(self, text: str) -> None:
        """Write for people, also where quiet was asked for."""
        with suppress(OSError, ValueError):
            self.talk.write(text)
            self.talk.flush()


def detach_stdout() -> None:
    """Point a broken stdout nowhere, so that the interpreter's own last flush cannot fail on it."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        sys.stdout = None


@contextmanager
def busy(streams: Streams, name: str, control: Control | None = None) -> Iterator[None]:
    """Meanwhile say every other second what is going on: `name`, until `control` reports something else."""
    reporting = control or Control()
    reporting.report(name)
    line = ProgressLine(streams.talk, silent=streams.quiet, activity=lambda: reporting.activity)
    try:
        with line.heartbeat():
            yield
    finally:
        line.clear()


def unwritable_stdout(error: OSError) -> str:
    """Return what is wrong with stdout, and the remedy."""
    if error.errno == errno.EBADF:
        return "stdout is closed: send it somewhere, e.g. with `> FILE`"
    return f"stdout cannot be written ({error.strerror}): free some space, or send it elsewhere"


# Training


def train(session: SessionLike, request: TrainRequest, streams: Streams, *, as_json: bool) -> int:
    """Train to the end, or until a signal; the exit code. Raises TuiGptError."""
    control = Control()
    line = ProgressLine(streams.talk, silent=streams.quiet, activity=lambda: control.activity)
    log = _EventWriter(streams.out if as_json else None, control)
    message = "" if streams.quiet else "stopping: saving first (once more leaves at once)"
    with StopOnSignals(control, message) as signals:
        signals.nothing_to_lose = True
        try:
            with line.heartbeat():
                for event in session.train(request, control):
                    signals.nothing_to_lose = False
                    line.note(event)
                    log.write(event)
        except TuiGptError:
            raise
        except Exception as error:
            line.say(f"error: {_failure(error, line.standing, log)}", urgent=True)
            return EXIT_FAILED
        finally:
            line.clear()
        _say_summary(line, session, request)
    if log.failure is not None:
        return _say_unread(log.failure, line)
    return signals.exit_code or EXIT_DONE


def _failure(error: Exception, standing: Standing, log: "_EventWriter") -> str:
    """Return what to tell about an error that nobody expected, and where the run is saved if it ever was."""
    told = OUT_OF_MEMORY if is_out_of_memory(error) else crash.sentence(crash.write_report(error, log.recent))
    return (
        told
        if standing.saved_path is None
        else f"{told}; the run is saved in {escape_controls(_saved_in(standing.saved_path))}"
    )


def _saved_in(checkpoint: str) -> str:
    return str(Path(checkpoint).parent)


def _say_unread(failure: OSError, line: ProgressLine) -> int:
    if isinstance(failure, BrokenPipeError):
        line.say("nobody reads stdout any more, so the run was saved and stopped")
        return EXIT_READER_GONE
    raise StorageError(f"the run was saved and stopped, as {unwritable_stdout(failure)}")


class _EventWriter:
    """Writes events as JSON lines; where that fails, it stops the work instead of failing in the middle of it."""

    def __init__(self, out: TextIO | None, control: Control) -> None:
        self.failure: OSError | None = None
        self.recent: deque[Event] = deque(maxlen=_RECENT_EVENTS)
        self._out = out
        self._control = control

    def write(self, event: Event) -> None:
        self.recent.append(event)
        if self._out is None or self.failure is not None:
            return
        try:
            line = to_json(event)
            self._out.write((escape_controls(line) if self._out.isatty() else line) + "\n")
            self._out.flush()
        except OSError as error:
            self.failure = error
            self._control.stop()
            detach_stdout()


def _say_summary(line: ProgressLine, session: SessionLike, request: TrainRequest) -> None:
    finished = line.standing.finished
    if finished is None:
        return
    for sentence in summary(finished, line.standing, session.run_name, request.model_path):
        line.say(sentence)


def summary(finished: Finished, standing: Standing, run_name: str | None, model_path: Path | None) -> Iterator[str]:
    """What a run came to, a line a fact, and the commands that go on from there."""
    if finished.step == standing.first_step and finished.reason != "stopped":
        yield f"nothing is left to do: the run has made all its {finished.step:,} steps"
    else:
        seconds = format_duration(finished.elapsed_seconds)
        yield f"{_ENDINGS[finished.reason]} after {finished.step:,} steps, {seconds}"
    if finished.best_val_loss is not None:
        yield f"best validation loss {finished.best_val_loss:.4f} ({_measured_on(finished, standing)})"
    if standing.saved_path is not None:
        yield f"saved in {escape_controls(_saved_in(standing.saved_path))}"
    place = f"--model-path {shlex.quote(str(model_path))}" if model_path else run_name
    yield f"write with it:  tui-gpt generate {place if model_path else f'--run {run_name}'}"
    if finished.reason == "stopped":
        yield f"go on with it:  tui-gpt train --headless --resume {place}"
    else:
        yield f"train on:       tui-gpt train --headless --resume {place} --max-iters {2 * max(1, finished.step)}"


def _measured_on(finished: Finished, standing: Standing) -> str:
    """Return the best loss in bits, and how much of the validation split it is the mean of."""
    assert finished.best_val_loss is not None
    bits = f"{bits_per_character(finished.best_val_loss):.3f} bits per character"
    if standing.best is None:
        return bits + (", an estimate" if finished.best_is_estimate else "")
    kind = "estimate on" if finished.best_is_estimate else "on"
    return f"{bits}, {kind} {standing.best.val_tokens:,} characters"


_ENDINGS = {
    "completed": "done",
    "stopped": "stopped",
    "time_limit": "time is up",
    "early_stop": "stopped early, as it no longer improved,",
}


# Writing


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
) -> int:
    """Write after `prompt` on stdout until the end, or a signal; the exit code. Raises TuiGptError.

    Sample k has the seed of the first plus k - 1 and is the same text however many are written.
    """
    control = Control()
    with StopOnSignals(control) as signals:
        signals.nothing_to_lose = True
        with busy(streams, "opening the model"):
            model = session.open_model(source)
        signals.nothing_to_lose = False
        known = _without_unknown(model, prompt, streams)
        seeded = config if config.seed is not None else replace(config, seed=secrets.randbelow(_SEEDS))
        streams.say(_heading(model, seeded))
        began = time.monotonic()
        paper = _TextOutput(streams.out)
        writing = _Writing(model, known, seeded, samples, control)
        tally = _Tally(None if streams.quiet else model)
        try:
            if as_json:
                _write_json(writing, paper, streams, tally)
            else:
                _write_text(writing, paper, streams, prompt if with_prompt else "", tally)
        except BrokenPipeError:
            detach_stdout()
            return EXIT_READER_GONE
        streams.say(tally.sentence(time.monotonic() - began - control.suspended_seconds))
    return signals.exit_code or EXIT_DONE


def _without_unknown(model: TextModel, prompt: str, streams: Streams) -> str:
    unknown = model.unknown(prompt)
    if unknown:
        shown = " ".join(repr(character) for character in unknown[:10]) + (" …" if len(unknown) > 10 else "")
        streams.say(f"left out of the prompt, as the model never saw it: {shown}")
    return prompt.translate(dict.fromkeys(map(ord, unknown)))


def _heading(model: TextModel, config: SampleConfig) -> str:
    shown = format_loss(model.val_loss, is_estimate=model.val_is_estimate)
    loss = "" if model.val_loss is None else f", validation loss {shown}"
    return f"{escape_controls(model.name)}, step {model.step:,}{loss}, seed {config.seed}"


def _is_file(out: TextIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(out.fileno()).st_mode)
    except (OSError, ValueError):
        return False


class _TextOutput:
    """What is written on: made harmless for a terminal, raw for anything else, never more than a moment late."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.terminal = out.isatty()
        self.is_file = _is_file(out)
        self._out = out
        self._clock = clock
        self._last_flush = -math.inf
        self._at_line_start = True

    def put(self, text: str) -> None:
        self._out.write(escape_controls(text) if self.terminal else text)
        self._at_line_start = text.endswith("\n") if text else self._at_line_start
        if self._clock() - self._last_flush >= _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        self._out.flush()
        self._last_flush = self._clock()

    def end_line(self) -> None:
        """Go to the start of a line, unless it stands there."""
        if not self._at_line_start:
            self.put("\n")
        self.flush()


@dataclass(frozen=True)
class _Writing:
    """Texts that a model writes to one prompt."""

    model: TextModel
    prompt: str
    config: SampleConfig
    count: int
    control: Control

    def texts(self) -> Iterator[Iterator[str]]:
        """Yield the characters of each text: the first of a group as they come, the others, written meanwhile, after.

        A group is as large as memory allows.
        """
        at_once = max(1, min(_SAMPLES_AT_ONCE, _HELD_CHARACTERS // self.config.max_new_tokens))
        for begin in range(0, self.count, at_once):
            if self.control.stop_requested:
                return
            others: list[list[str]] = [[] for _ in range(min(at_once, self.count - begin) - 1)]
            yield self._reported(self._group(begin, others), begin, len(others) + 1)
            yield from (iter(("".join(written),)) for written in others)

    def _group(self, begin: int, others: list[list[str]]) -> Iterator[str]:
        """Yield the characters of the text at `begin` and append those of the next ones to `others`."""
        if not others:
            yield from (piece.text for piece in self.model.stream(self.prompt, self._config(begin), self.control))
            return
        group = self.model.stream_many(self.prompt, self._config(begin), len(others) + 1, self.control)
        for first, *more in group:
            for written, piece in zip(others, more, strict=True):
                written.append(piece.text)
            yield first.text

    def _config(self, number: int) -> SampleConfig:
        assert self.config.seed is not None
        return replace(self.config, seed=(self.config.seed + number) % 2**63)

    def _reported(self, parts: Iterator[T], begin: int, size: int) -> Iterator[T]:
        """Yield the parts of the text at `begin`, one of `size` that are being written, and report how far all are."""
        for k, part in enumerate(parts):
            if k % _REPORT_EVERY == 0:
                done = begin + size * k / self.config.max_new_tokens
                self.control.report("writing", done / self.count)
            yield part

    def detailed(self) -> Iterator[Iterator[Piece]]:
        """Yield the pieces of each text, with the likeliest other characters."""
        for number in range(self.count):
            pieces = self.model.stream(self.prompt, self._config(number), self.control, details=True)
            yield self._reported(pieces, number, 1)


class _Tally:
    """How much was written, and how much of that is copied from the training text."""

    def __init__(self, model: TextModel | None) -> None:
        """Ask `model` what is copied; None asks nobody."""
        self.characters = 0
        self._model = model
        self._parts: list[str] = []
        self._compared = 0
        self._copied = 0.0

    def note(self, part: str) -> None:
        """Count some more characters of the text being written."""
        self.characters += len(part)
        if self._model is not None:
            self._parts.append(part)
            if len(self._parts) >= _COMPARED_AT_ONCE:
                self.end_text()

    def end_text(self) -> None:
        """Compare what was noted since the last call."""
        text = "".join(self._parts)
        self._parts.clear()
        share = self._model.copied(text) if self._model is not None else None
        if share is not None:
            self._compared += len(text)
            self._copied += share * len(text)

    def sentence(self, seconds: float) -> str:
        """Return the closing line."""
        pace = format_rate(self.characters / max(seconds, 1e-9))
        line = f"{self.characters:,} characters in {format_duration(seconds)}, {pace}"
        if not self._compared:
            return line
        share = f"{self._copied / self._compared:.1%}"
        return f"{line}; {share} copied from the training text, in pieces of {COPIED_LENGTH} characters or more"


def _write_text(writing: _Writing, paper: "_TextOutput", streams: Streams, prompt: str, tally: _Tally) -> None:
    """Write one text as it comes, or several with a line before each, with `prompt` before it."""
    for number, text in enumerate(writing.texts(), start=1):
        for k, part in enumerate(_awaited(text, paper, streams, writing.control)):
            if k == 0:
                _begin_text(number, writing, paper, streams, prompt)
            paper.put(part)
            tally.note(part)
        tally.end_text()
    if paper.terminal or writing.count > 1:
        paper.end_line()
    paper.flush()


def _begin_text(number: int, writing: _Writing, paper: "_TextOutput", streams: Streams, prompt: str) -> None:
    """Write what stands before a text: on a terminal the prompt, so that it can be read as one."""
    if writing.count > 1:
        paper.end_line()
        paper.put(f"--- sample {number} ---\n")
    elif not prompt and paper.terminal and streams.talk.isatty() and not streams.quiet:
        streams.put(escape_controls(writing.prompt))
    if prompt:
        paper.put(prompt)


def _awaited(parts: Iterator[T], paper: "_TextOutput", streams: Streams, control: Control) -> Iterator[T]:
    """Yield the parts; until the first one is there, and all along where they go to a file, say that they are awaited.

    Elsewhere the text itself is seen, maybe on the same screen.
    """
    with busy(streams, "preparing to write", control):
        if paper.is_file:
            yield from parts
            return
        first = next(parts, None)
    if first is not None:
        yield first
        yield from parts


def _write_json(writing: _Writing, paper: "_TextOutput", streams: Streams, tally: _Tally) -> None:
    """Write a line a character with what the model thought of it."""
    for number, pieces in enumerate(writing.detailed(), start=1):
        sample = {"sample": number} if writing.count > 1 else {}
        for piece in _awaited(pieces, paper, streams, writing.control):
            paper.put(json.dumps({**sample, **_piece_record(piece)}, ensure_ascii=paper.terminal) + "\n")
            tally.note(piece.text)
        tally.end_text()
    paper.flush()


def _piece_record(piece: Piece) -> dict[str, object]:
    return {"text": piece.text, "logprob": piece.logprob, "alternatives": [list(other) for other in piece.alternatives]}


# Measuring


@dataclass(frozen=True, kw_only=True)
class TextScore:
    """How well a model predicts one text."""

    name: str
    step: int
    characters: int
    """Those that the model knows; only they are counted."""
    left_out: int
    """Characters of the text that it does not know."""
    unknown: str
    """The distinct ones among them."""
    loss: float
    """Nats per character."""
    bits_per_char: float
    perplexity: float


def evaluate(session: SessionLike, source: str | Path | None, streams: Streams) -> Evaluation:
    """Measure a model on its validation split. Nothing can be lost, so that a signal ends it at once.

    Raises TuiGptError.
    """
    control = Control()
    with StopOnSignals(control) as signals, busy(streams, "opening the model", control):
        signals.nothing_to_lose = True
        return session.evaluate(source, control)


def score(session: SessionLike, source: str | Path | None, text: str, streams: Streams) -> TextScore:
    """Measure a model on any text. Nothing can be lost, so that a signal ends it at once. Raises TuiGptError."""
    control = Control()
    with StopOnSignals(control) as signals, busy(streams, "opening the model", control):
        signals.nothing_to_lose = True
        model = session.open_model(source)
        reading = _Reading(len(text), control)
        loss = -math.fsum(reading.logprobs(model.score(text)))
    if not reading.characters:
        raise TuiGptError("the model knows none of these characters: choose a text like those it learned from")
    loss /= reading.characters
    unknown = model.unknown(text)
    if unknown:
        share = sum(map(text.count, unknown)) / len(text)
        streams.say(
            f"warning: the model does not know {share:.1%} of the text's characters; the loss is that of the others"
        )
    return TextScore(
        name=model.name,
        step=model.step,
        characters=reading.characters,
        left_out=sum(map(text.count, unknown)),
        unknown=unknown,
        loss=loss,
        bits_per_char=bits_per_character(loss),
        perplexity=perplexity(loss),
    )


@dataclass
class _Reading:
    """A text being measured, of which no more than its sums is ever held."""

    length: int
    control: Control
    characters: int = 0
    """Those that the model knows."""

    def logprobs(self, pieces: Iterable[Piece]) -> Iterator[float]:
        """Yield what the model thought of each character, and report how much of the text is read."""
        for piece in pieces:
            if self.characters % _REPORT_EVERY == 0:
                self.control.report("measuring", self.characters / self.length)
            self.characters += 1
            yield piece.logprob
