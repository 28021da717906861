"""The face without a screen: progress on stderr, JSONL or text on stdout, exit codes after signals.

It iterates what the session yields and owns no logic of training or writing. stdout is data, stderr is talk. Once the
reader of stdout has gone away, the work is saved and ended as after a signal.
"""

import json
import math
import os
import secrets
import shlex
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from tui_gpt import crash
from tui_gpt.config import SampleConfig
from tui_gpt.control import Control
from tui_gpt.errors import EXIT_DONE, EXIT_FAILED, StorageError, TuiGptError
from tui_gpt.eta import format_duration, format_rate
from tui_gpt.events import Event, Finished, to_json
from tui_gpt.inert import inert
from tui_gpt.progress import ProgressLine, Standing
from tui_gpt.session import Evaluation, SessionLike, TrainRequest
from tui_gpt.signals import StopOnSignals
from tui_gpt.writing import Piece, TextModel

EXIT_READER_GONE = 141
"""What a shell shows for a program whose output nobody reads any more."""

_FLUSH_SECONDS = 0.03
_SEEDS = 2**31
_RECENT_EVENTS = 20


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


def let_go_of_stdout() -> None:
    """Point a broken stdout nowhere, so that the interpreter's own last flush cannot fail on it."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        sys.stdout = None


# Training


def train(session: SessionLike, request: TrainRequest, streams: Streams, *, as_json: bool) -> int:
    """Train to the end, or until a signal; the exit code. Raises TuiGptError."""
    control = Control()
    line = ProgressLine(streams.talk, silent=streams.quiet)
    log = _EventWriter(streams.out if as_json else None, control)
    message = "" if streams.quiet else "stopping: saving first (once more leaves at once)"
    with StopOnSignals(control, message) as signals:
        signals.nothing_to_lose = True
        try:
            for event in session.train(request, control):
                signals.nothing_to_lose = False
                line.note(event)
                log.write(event)
        except TuiGptError:
            raise
        except Exception as error:
            line.clear()
            streams.put(f"error: {crash.sentence(crash.write_report(error, log.recent))}\n")
            return EXIT_FAILED
        finally:
            line.clear()
        _say_summary(line, session, request)
    if log.failure is not None:
        return _say_unread(log.failure, line)
    return signals.exit_code or EXIT_DONE


def _say_unread(failure: OSError, line: ProgressLine) -> int:
    if isinstance(failure, BrokenPipeError):
        line.say("nobody reads stdout any more, so the run was saved and stopped")
        return EXIT_READER_GONE
    raise StorageError(
        f"stdout cannot be written ({failure.strerror}), so the run was saved and stopped: free some space"
    )


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
            self._out.write((inert(line) if self._out.isatty() else line) + "\n")
            self._out.flush()
        except OSError as error:
            self.failure = error
            self._control.stop()
            let_go_of_stdout()


def _say_summary(line: ProgressLine, session: SessionLike, request: TrainRequest) -> None:
    finished = line.standing.finished
    if finished is None:
        return
    for sentence in summary(finished, line.standing, session.run_name, request.model_path):
        line.say(sentence)


def summary(finished: Finished, standing: Standing, run_name: str | None, model_path: Path | None) -> Iterator[str]:
    """What a run came to, a line a fact, and the commands that go on from there."""
    yield f"{_ENDINGS[finished.reason]} after {finished.step:,} steps, {format_duration(finished.elapsed_seconds)}"
    if finished.best_val_loss is not None:
        bits = finished.best_val_loss / math.log(2)
        yield f"best validation loss {finished.best_val_loss:.4f} ({bits:.3f} bits per character)"
    if standing.saved_path is not None:
        yield f"saved in {inert(str(Path(standing.saved_path).parent))}"
    source = f"--model-path {shlex.quote(str(model_path))}" if model_path else f"--run {run_name}"
    yield f"write with it:  tui-gpt generate {source}"
    if finished.reason == "stopped":
        target = f" {source}" if model_path else f" {run_name}"
        yield f"go on with it:  tui-gpt train --headless --resume{target}"


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
) -> int:
    """Write after `prompt` on stdout until the end, or a signal; the exit code. Raises TuiGptError."""
    control = Control()
    with StopOnSignals(control) as signals:
        signals.nothing_to_lose = True
        model = session.open_model(source)
        signals.nothing_to_lose = False
        known = _without_unknown(model, prompt, streams)
        seeded = config if config.seed is not None else replace(config, seed=secrets.randbelow(_SEEDS))
        streams.say(_heading(model, seeded))
        began = time.monotonic()
        paper = _Paper(streams.out)
        try:
            if as_json:
                count = _write_json(model, known, seeded, samples, control, paper)
            else:
                count = _write_text(model, known, seeded, samples, control, paper, streams)
        except BrokenPipeError:
            let_go_of_stdout()
            return EXIT_READER_GONE
        seconds = time.monotonic() - began
        streams.say(f"{count:,} characters in {format_duration(seconds)}, {format_rate(count / max(seconds, 1e-9))}")
    return signals.exit_code or EXIT_DONE


def _without_unknown(model: TextModel, prompt: str, streams: Streams) -> str:
    unknown = model.unknown(prompt)
    if unknown:
        shown = " ".join(repr(character) for character in unknown[:10]) + (" …" if len(unknown) > 10 else "")
        streams.say(f"left out of the prompt, as the model never saw it: {shown}")
    return prompt.translate(dict.fromkeys(map(ord, unknown)))


def _heading(model: TextModel, config: SampleConfig) -> str:
    loss = "" if model.val_loss is None else f", validation loss {model.val_loss:.4f}"
    return f"{inert(model.name)}, step {model.step:,}{loss}, seed {config.seed}"


class _Paper:
    """What is written on: made harmless for a terminal, raw for anything else, never more than a moment late."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.terminal = out.isatty()
        self._out = out
        self._clock = clock
        self._last_flush = -math.inf
        self._at_line_start = True

    def put(self, text: str) -> None:
        self._out.write(inert(text) if self.terminal else text)
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


def _write_text(
    model: TextModel,
    prompt: str,
    config: SampleConfig,
    samples: int,
    control: Control,
    paper: _Paper,
    streams: Streams,
) -> int:
    """One text as it comes, or several with a line before each; the number of characters."""
    if samples > 1:
        return _write_several(model, prompt, config, samples, control, paper)
    if paper.terminal and streams.talk.isatty() and not streams.quiet:
        streams.put(inert(prompt))
    count = 0
    for piece in model.stream(prompt, config, control):
        paper.put(piece.text)
        count += 1
    if paper.terminal:
        paper.end_line()
    paper.flush()
    return count


def _write_several(
    model: TextModel, prompt: str, config: SampleConfig, samples: int, control: Control, paper: _Paper
) -> int:
    """The first text as it comes, the others (written at the same time) after it."""
    others: list[list[str]] = [[] for _ in range(samples - 1)]
    paper.put(_divider(1))
    count = 0
    for first, *more in model.stream_many(prompt, config, samples, control):
        paper.put(first.text)
        for written, piece in zip(others, more, strict=True):
            written.append(piece.text)
        count += samples
    for number, written in enumerate(others, start=2):
        paper.end_line()
        paper.put(_divider(number) + "".join(written))
    paper.end_line()
    return count


def _divider(number: int) -> str:
    return f"--- sample {number} ---\n"


def _write_json(
    model: TextModel, prompt: str, config: SampleConfig, samples: int, control: Control, paper: _Paper
) -> int:
    """A line a character with what the model thought of it; sample k has the seed of the first plus k - 1."""
    assert config.seed is not None
    count = 0
    for k in range(samples):
        number = {"sample": k + 1} if samples > 1 else {}
        for piece in model.stream(prompt, replace(config, seed=(config.seed + k) % 2**63), control, details=True):
            paper.put(json.dumps({**number, **_piece_record(piece)}, ensure_ascii=paper.terminal) + "\n")
            count += 1
    paper.flush()
    return count


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
    unknown: str
    """The distinct characters that it does not know."""
    loss: float
    """Nats per character."""
    bits_per_char: float
    perplexity: float


def evaluate(session: SessionLike, source: str | Path | None) -> tuple[Evaluation | None, int]:
    """Measure a model on its validation split; None and the exit code when a signal came first. Raises TuiGptError."""
    control = Control()
    with StopOnSignals(control) as signals:
        try:
            return session.evaluate(source, control), signals.exit_code or EXIT_DONE
        except TuiGptError:
            if signals.exit_code:
                return None, signals.exit_code
            raise


def score(session: SessionLike, source: str | Path | None, text: str) -> TextScore:
    """Measure a model on any text. Raises TuiGptError."""
    model = session.open_model(source)
    pieces = model.surprise(text)
    if not pieces:
        raise TuiGptError("the model knows none of these characters: choose a text like those it learned from")
    loss = -math.fsum(piece.logprob for piece in pieces) / len(pieces)
    return TextScore(
        name=model.name,
        step=model.step,
        characters=len(pieces),
        unknown=model.unknown(text),
        loss=loss,
        bits_per_char=loss / math.log(2),
        perplexity=math.exp(min(loss, 700.0)),
    )
