"""Fakes that read in ten seconds: a session that trains and writes from a script, without CPU and without sleeping."""

import dataclasses
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from tui_gpt.config import RunConfig, SampleConfig
from tui_gpt.control import Control
from tui_gpt.errors import TuiGptError
from tui_gpt.events import Evaluated, Event, Finished, Paused, Progress, Resumed, Sampled, Saved, Started
from tui_gpt.generation.text_model import Changes, Piece, TextModel
from tui_gpt.requests import Estimate, Evaluation, TrainRequest


def progress(step: int, loss: float) -> Progress:
    """A progress event where only the step and the loss matter."""
    return Progress(
        step=step, loss=loss, learning_rate=1e-3, grad_norm=0.5, tokens_per_second=20_000.0, elapsed_seconds=step / 20
    )


def evaluated(step: int, val_loss: float, *, is_best: bool = True) -> Evaluated:
    """An evaluation whose training loss lies a little below its validation loss."""
    return Evaluated(
        step=step,
        train_loss=val_loss - 0.1,
        val_loss=val_loss,
        bits_per_char=val_loss / 0.693147,
        is_best=is_best,
        val_tokens=111_540,
    )


def estimated(step: int, val_loss: float, *, is_best: bool = True) -> Evaluated:
    """An evaluation on a small part of the validation split."""
    return dataclasses.replace(evaluated(step, val_loss, is_best=is_best), val_tokens=8_192, is_estimate=True)


def started(max_iters: int, step: int = 0, preset: str = "quick") -> Started:
    """The first event of a run on TinyShakespeare."""
    return Started(
        step=step,
        max_iters=max_iters,
        parameters=809_856,
        device="cpu",
        train_tokens=1_003_854,
        val_tokens=111_540,
        preset=preset,
        seed=1337,
    )


def finished(step: int, best: float | None, reason: Any = "completed") -> Finished:
    """The last event of a run."""
    return Finished(step=step, reason=reason, best_val_loss=best, elapsed_seconds=step / 20)


def training_script(steps: int = 1_000, every: int = 10) -> list[Event]:
    """A run that goes well: the loss falls from 4.17 to about 1.6, is evaluated ten times, and writes a sample."""
    events: list[Event] = [started(steps)]
    for step in range(every, steps + 1, every):
        loss = 1.5 + 2.67 * (1.0 - step / steps) ** 3
        events.append(progress(step, loss + 0.05 * ((step // every) % 3 - 1)))
        if step % (steps // 10) == 0:
            events.append(evaluated(step, loss + 0.1))
            events.append(Sampled(step=step, prompt="", text="ROMEO:\nWhat say you, my lord? [b]The king[/b] is come."))
            events.append(Saved(step=step, path="last"))
    return [*events, finished(steps, 1.6)]


def changes_asked(control: Control) -> Changes:
    """What `control` wants to be drawn otherwise."""
    return tuple((name, value) for name, value in control.take_changes().items() if isinstance(value, int | float))


class FakeTextModel:
    """Writes its text over and over, whatever the prompt; it knows every character but `¶`."""

    def __init__(self, name: str = "shipped", step: int = 1_000, text: str = "To be, or not to be.\n") -> None:
        self.name = name
        self.step = step
        self.val_loss: float | None = 1.6
        self.val_is_estimate = False
        self.copied_share: float | None = None
        self.text = text
        self.prompts: list[str] = []
        self.configs: list[SampleConfig] = []

    def unknown(self, text: str) -> str:
        return "".join(dict.fromkeys(character for character in text if character == "¶"))

    def stream(
        self, prompt: str, config: SampleConfig, control: Control | None = None, *, details: bool = False
    ) -> Iterator[Piece]:
        self.prompts.append(prompt)
        self.configs.append(config)
        for k in range(config.max_new_tokens):
            if control is not None and control.stop_requested:
                return
            piece = self._piece(self.text[k % len(self.text)], details)
            yield piece._replace(changes=changes_asked(control)) if control is not None else piece

    def stream_many(
        self, prompt: str, config: SampleConfig, count: int, control: Control | None = None
    ) -> Iterator[tuple[Piece, ...]]:
        for piece in self.stream(prompt, config, control):
            yield (piece,) * count

    def copied(self, text: str) -> float | None:
        return self.copied_share

    def score(self, text: str, *, details: bool = False) -> Sequence[Piece]:
        return [self._piece(character, details) for character in text if character != "¶"]

    def _piece(self, character: str, details: bool) -> Piece:
        others = tuple((other, 0.5 / 2**rank) for rank, other in enumerate("etaoinshr"))
        return Piece(character, -0.6931, ((character, 0.5), *others) if details else ())


class FakeSession:
    """A session whose training yields `script`, waits at `gate` where the test wants to look, and obeys its control.

    `hold_at`: the step after which training waits until the test calls `gate.set()`, pauses or stops it.
    """

    def __init__(
        self,
        script: Sequence[Event] | None = None,
        *,
        hold_at: int | None = None,
        fail_with: Exception | None = None,
        refuse_estimate: TuiGptError | None = None,
        model: TextModel | None = None,
    ) -> None:
        self.script = list(training_script() if script is None else script)
        self.hold_at = hold_at
        self.fail_with = fail_with
        self.refuse_estimate = refuse_estimate
        self.model: TextModel = FakeTextModel() if model is None else model
        self.gate = threading.Event()
        self.requests: list[TrainRequest] = []
        self.opened: list[str | Path | None] = []
        self.estimated: list[RunConfig] = []
        self.run_name: str | None = None
        self.woken = False
        self.settled = False

    def load_torch(self) -> None:
        self.woken = True

    def collect_garbage(self) -> None:
        self.settled = True

    def evaluate(self, source: str | Path | None, control: Control) -> Evaluation:
        assert not control.stop_requested
        return Evaluation(
            name=str(source), step=1_000, val_loss=1.6, bits_per_char=2.31, perplexity=4.95, val_tokens=111_540
        )

    def train(self, request: TrainRequest, control: Control) -> Iterator[Event]:
        self.requests.append(request)
        self.run_name = request.name or request.resume or "fake-run"
        step = 0
        for event in self.script:
            if control.stop_requested:
                yield Saved(step=step, path="last")
                yield finished(step, None, "stopped")
                return
            step = event.step
            yield event
            if isinstance(event, Progress) and self.hold_at is not None and step >= self.hold_at:
                yield from self._held(step, control)
        if self.fail_with is not None:
            raise self.fail_with

    def _held(self, step: int, control: Control) -> Iterator[Event]:
        """Wait at the gate, pausing and resuming as asked, until it opens or the run is stopped."""
        while not self.gate.wait(0.005) and not control.stop_requested:
            if control.pause_requested:
                yield Paused(step=step)
                for _ in control.wait_while_paused():
                    pass
                yield Resumed(step=step)

    def estimate(self, config: RunConfig, control: Control) -> Estimate:
        self.estimated.append(config)
        if self.refuse_estimate is not None:
            raise self.refuse_estimate
        return Estimate(seconds=62.0, iterations=1_200, parameters=809_856, train_tokens=1_003_854)

    def open_model(self, source: str | Path | None) -> TextModel:
        self.opened.append(source)
        return self.model


async def wait_until(pilot: Pilot[Any], predicate: Callable[[], bool], tries: int = 400) -> None:
    """Let the app work until `predicate` holds; fails after about eight seconds."""
    for _ in range(tries):
        if predicate():
            return
        await pilot.pause(0.02)
    raise AssertionError("it never came true")
