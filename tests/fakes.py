"""Fakes for all tests: events, a model that generates from a script, and a session that needs no torch."""

import dataclasses
import itertools
import math
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tui_gpt.config import RunConfig, SampleConfig
from tui_gpt.control import Control
from tui_gpt.errors import TuiGptError
from tui_gpt.events import (
    Evaluated,
    Event,
    Finished,
    FinishReason,
    Paused,
    Progress,
    Resumed,
    Sampled,
    Saved,
    Started,
)
from tui_gpt.generation.branches import Branch, Level, TokenPath, TreeShape
from tui_gpt.generation.decoder import LogitTerms
from tui_gpt.generation.explanation import (
    Attention,
    Explanation,
    Match,
    Member,
    Occurrence,
    Occurrences,
    PriorUse,
)
from tui_gpt.generation.explanation.shares import shares_of
from tui_gpt.generation.text_model import Changes, Piece, TextModel
from tui_gpt.requests import Estimate, Evaluation, TrainRequest


def started(max_iters: int = 40, step: int = 0, preset: str = "nano") -> Started:
    """Return the first event of a run on TinyShakespeare."""
    return Started(
        step=step,
        max_iters=max_iters,
        parameters=809_856,
        device="cpu",
        train_tokens=1_003_854,
        val_tokens=111_540,
        preset=preset,
        seed=1337,
        vocab_size=65,
    )


def progress(step: int, loss: float = 2.0) -> Progress:
    """Return a progress event at 20 steps per second."""
    return Progress(
        step=step, loss=loss, learning_rate=1e-3, grad_norm=0.5, tokens_per_second=20_000.0, elapsed_seconds=step / 20
    )


def evaluated(step: int, val_loss: float, *, is_best: bool = True) -> Evaluated:
    """Return an evaluation whose training loss is a little below its validation loss."""
    return Evaluated(
        step=step,
        train_loss=val_loss - 0.1,
        val_loss=val_loss,
        bits_per_char=val_loss / 0.693147,
        bits_per_byte=val_loss / 0.693147,
        is_best=is_best,
        val_tokens=111_540,
    )


def estimated(step: int, val_loss: float, *, is_best: bool = True) -> Evaluated:
    """Return an evaluation on a small part of the validation split."""
    return dataclasses.replace(evaluated(step, val_loss, is_best=is_best), val_tokens=8_192, is_estimate=True)


def finished(step: int = 40, best: float | None = 1.8812, reason: FinishReason = "completed") -> Finished:
    """Return the last event of a run."""
    bits = None if best is None else best / 0.693147
    return Finished(
        step=step,
        reason=reason,
        best_val_loss=best,
        elapsed_seconds=step / 20,
        best_bits_per_char=bits,
        best_bits_per_byte=bits,
    )


def short_script() -> list[Event]:
    """Return the five events of a successful run of 40 steps."""
    return [started(), progress(20), evaluated(20, 1.8812), Saved(step=40, path="/home/runs/one/last"), finished()]


def training_script(steps: int = 1_000, every: int = 10) -> list[Event]:
    """Return a run whose loss falls from 4.17 to about 1.6, with ten evaluations and a sample."""
    events: list[Event] = [started(steps, preset="quick")]
    for step in range(every, steps + 1, every):
        loss = 1.5 + 2.67 * (1.0 - step / steps) ** 3
        events.append(progress(step, loss + 0.05 * ((step // every) % 3 - 1)))
        if step % (steps // 10) == 0:
            events.append(evaluated(step, loss + 0.1))
            events.append(Sampled(step=step, prompt="", text="ROMEO:\nWhat say you, my lord? [b]The king[/b] is come."))
            events.append(Saved(step=step, path="last"))
    return [*events, finished(steps, 1.6)]


class FakeTextModel:
    """Writes its text over and over, whatever the prompt; of several texts, all but the first are in capitals."""

    def __init__(
        self, name: str = "shipped", step: int = 1_000, text: str = "To be, or not to be.\n", unknown: str = "¶"
    ) -> None:
        self.name = name
        self.step = step
        self.val_loss: float | None = 1.6
        self.val_is_estimate = False
        self.copied_share: float | None = None
        self.text = text
        self.not_in_alphabet = unknown
        self.prompts: list[str] = []
        self.configs: list[SampleConfig] = []
        self.groups: list[tuple[int | None, int]] = []
        """The first seed and the number of texts of each call of `stream_many`."""
        self.compared: list[str] = []
        self.adapted_to: list[str] = []
        self.continued: list[tuple[str, TreeShape, TokenPath]] = []
        """What `continuations` was called with."""

    def unknown(self, text: str) -> str:
        return "".join(dict.fromkeys(character for character in text if character in self.not_in_alphabet))

    def stream(
        self, prompt: str, config: SampleConfig, control: Control | None = None, *, details: bool = False
    ) -> Iterator[Piece]:
        self.prompts.append(prompt)
        self.configs.append(config)
        for k in range(config.max_new_tokens):
            if control is not None and control.stop_requested:
                return
            piece = self._piece(self.text[k % len(self.text)], details)
            yield piece._replace(changes=requested_changes(control)) if control is not None else piece

    def stream_many(
        self, prompt: str, config: SampleConfig, count: int, control: Control | None = None
    ) -> Iterator[tuple[Piece, ...]]:
        self.groups.append((config.seed, count))
        for piece in self.stream(prompt, config, control):
            yield (piece, *[piece._replace(text=piece.text.upper())] * (count - 1))

    def continuations(
        self, prompt: str, shape: TreeShape, control: Control | None = None, *, path: TokenPath = ()
    ) -> Iterator[Level]:
        """Continue with the text from its beginning; a token is the code point of a character."""
        self.continued.append((prompt, shape, path))
        parents: list[tuple[TokenPath, float]] = [((), 0.0)]
        for _ in range(shape.depth):
            if control is not None and control.stop_requested:
                return
            branches = [
                Branch((*parent, ord(text)), text, math.log(probability), total + math.log(probability))
                for parent, total in parents
                for text, probability in self._next(len(path) + len(parent))[: shape.width]
            ]
            yield Level(tuple(branches), math.log(0.01))
            best = sorted(branches, key=lambda branch: -branch.total)[: shape.width]
            parents = [(branch.path, branch.total) for branch in best]

    def _next(self, place: int) -> list[tuple[str, float]]:
        character = self.text[place % len(self.text)]
        return [(character, 0.5), *((other, 0.25 / 2**k) for k, other in enumerate("xyz") if other != character)]

    def copied(self, text: str) -> float | None:
        self.compared.append(text)
        return self.copied_share

    def score(self, text: str, *, after: str = "", details: bool = False) -> Iterator[Piece]:
        return (self._piece(character, details) for character in text if character not in self.not_in_alphabet)

    def score_adapting(self, text: str) -> Iterator[tuple[Piece, float]]:
        return ((piece, piece.logprob / 2) for piece in self.score(text))

    def adapted(self, text: str, control: Control | None = None) -> "FakeTextModel":
        self.adapted_to.append(text)
        return self

    def explain(self, text: str) -> Explanation:
        piece = next(iter(self.stream(text, SampleConfig(max_new_tokens=1), details=True)))
        return explained(text, piece.alternatives)

    def nearest(self, token: str, count: int = 10) -> tuple[tuple[str, float], ...]:
        return tuple((other, 0.9 - 0.1 * place) for place, other in enumerate("etaoinshr") if other != token)[:count]

    def _piece(self, character: str, details: bool) -> Piece:
        others = tuple((other, 0.5 / 2**rank) for rank, other in enumerate("etaoinshr"))
        return Piece(character, -0.6931471805599453, ((character, 0.5), *others) if details else ())


def explained(text: str, alternatives: Sequence[tuple[str, float]]) -> Explanation:
    """Return an explanation by two equal networks with two layers of two heads, over at most eight characters.

    Half of the logits are the network's; head h of layer l looks at the character l + 2h places before the newest.
    """
    texts, each = zip(*alternatives, strict=True)
    probs = np.array(each)
    half = np.log(probs).astype(np.float32) / np.float32(2)
    terms: LogitTerms = {"network": half, "matches": half / np.float32(4), "prior": half * np.float32(0.75)}
    seen = min(8, max(1, len(text)))
    weights = np.zeros((2, 2, 2, seen), np.float32)
    for layer, head in itertools.product(range(2), range(2)):
        weights[:, layer, head, max(0, seen - 1 - layer - 2 * head)] = 1.0
    places = tuple((index, index + 1) for index in range(len(text))[-seen:]) or ((0, 0),)
    orders = np.stack([0.1 * probs, 0.3 * probs, 0.6 * probs]).astype(np.float32)
    return Explanation(
        texts=texts,
        probs=probs,
        members=(Member(terms, probs), Member(terms, probs)),
        shares=shares_of({name: np.stack([term, term]) for name, term in terms.items()}),
        prior=PriorUse(text[-2:], 3, orders.sum(axis=0), orders),
        matches=(Match(2, 0, (0, 2), (2, 3), 1),),
        occurrences=Occurrences(4, 3, ((0, 3),), (Occurrence(120, "what is t", "o be done"),)),
        attention=Attention(weights, places),
        is_cut=len(text) > seen,
    )


def requested_changes(control: Control) -> Changes:
    """Return the sampling settings that `control` requests to change."""
    return tuple((name, value) for name, value in control.take_changes().items() if isinstance(value, int | float))


class FakeSession:
    """A session whose training yields `script`, obeys its control, and raises an exception where the script has one.

    `hold_at`: the step after which training waits until the test calls `gate.set()`, pauses or stops it.
    """

    def __init__(
        self,
        script: Sequence[Event | Exception] | None = None,
        *,
        hold_at: int | None = None,
        refuse_estimate: TuiGptError | None = None,
        model: FakeTextModel | None = None,
    ) -> None:
        self.script = list(training_script() if script is None else script)
        self.hold_at = hold_at
        self.refuse_estimate = refuse_estimate
        self.model = FakeTextModel() if model is None else model
        self.gate = threading.Event()
        self.control = Control()
        """The control of the newest training, or of the newest attachment."""
        self.attached: list[str] = []
        """The runs that `attach` was called with."""
        self.requests: list[TrainRequest] = []
        self.opened: list[str | Path | None] = []
        """What `open_model` and `evaluate` were called with."""
        self.estimated: list[RunConfig] = []
        self.releases = 0
        self.run_name: str | None = None
        self.has_loaded_torch = False
        self.has_collected_garbage = False

    def load_torch(self) -> None:
        self.has_loaded_torch = True

    def collect_garbage(self) -> None:
        self.has_collected_garbage = True

    def train(self, request: TrainRequest, control: Control) -> Iterator[Event]:
        self.requests.append(request)
        self.run_name = request.name or request.resume or "fake-run"
        yield from self._play(control)

    def attach(self, name: str, control: Control) -> Iterator[Event]:
        """Yield the script as the run of another process, until the test calls `control.detach()`."""
        self.attached.append(name)
        for event in self._play(control):
            if control.detach_requested:
                return
            yield event

    def _play(self, control: Control) -> Iterator[Event]:
        self.control = control
        step = 0
        for event in self.script:
            if control.stop_requested:
                yield Saved(step=step, path="last")
                yield finished(step, None, "stopped")
                return
            if isinstance(event, Exception):
                raise event
            step = event.step
            yield event
            if isinstance(event, Progress) and self.hold_at is not None and step >= self.hold_at:
                yield from self._held(step, control)

    def _held(self, step: int, control: Control) -> Iterator[Event]:
        """Wait at the gate, pausing and continuing as requested, until it opens or the run is stopped."""
        while not self.gate.wait(0.005) and not control.stop_requested and not control.detach_requested:
            if control.pause_requested:
                yield Paused(step=step)
                for _ in control.wait_while_paused():
                    if control.detach_requested:
                        return
                yield Resumed(step=step)

    def estimate(self, config: RunConfig, control: Control) -> Estimate:
        self.estimated.append(config)
        if self.refuse_estimate is not None:
            raise self.refuse_estimate
        return Estimate(seconds=62.0, iterations=1_200, parameters=809_856, train_tokens=1_003_854)

    def open_model(self, source: str | Path | None) -> TextModel:
        self.opened.append(source)
        return self.model

    def release_models(self) -> None:
        self.releases += 1

    def evaluate(self, source: str | Path | None, control: Control) -> Evaluation:
        assert not control.stop_requested
        self.opened.append(source)
        name = self.model.name if source is None else str(source)
        bits = {"bits_per_char": 2.31, "bits_per_byte": 2.31}
        return Evaluation(name=name, step=1_000, val_loss=1.6, **bits, perplexity=4.95, val_tokens=111_540)
