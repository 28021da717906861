"""A session without torch for the tests of the command line, and a way to run a command as a user would."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tui_gpt.cli import main as cli
from tui_gpt.cli.commands import common
from tui_gpt.config import RunConfig, SampleConfig, TrainConfig
from tui_gpt.control import Control
from tui_gpt.errors import TuiGptError
from tui_gpt.events import Evaluated, Event, Finished, FinishReason, Progress, Saved, Started
from tui_gpt.generation.text_model import Piece
from tui_gpt.requests import Estimate, Evaluation, TrainRequest


def started(max_iters: int = 40) -> Started:
    return Started(
        step=0,
        max_iters=max_iters,
        parameters=10_788_929,
        device="cpu",
        train_tokens=1_003_854,
        val_tokens=111_540,
        preset="nano",
        seed=1337,
    )


def progress(step: int, loss: float = 2.0) -> Progress:
    return Progress(
        step=step, loss=loss, learning_rate=1e-3, grad_norm=0.5, tokens_per_second=12_345.0, elapsed_seconds=step / 10
    )


def evaluated(step: int, val_loss: float) -> Evaluated:
    return Evaluated(
        step=step,
        train_loss=1.5,
        val_loss=val_loss,
        bits_per_char=val_loss / 0.6931,
        is_best=True,
        val_tokens=1000,
        is_estimate=False,
    )


def finished(step: int = 40, reason: FinishReason = "completed") -> Finished:
    return Finished(step=step, reason=reason, best_val_loss=1.8812, elapsed_seconds=100.0)


def short_run() -> list[Event]:
    return [started(), progress(20), evaluated(20, 1.8812), Saved(step=40, path="/home/runs/one/last"), finished()]


class FakeModel:
    """Writes "abcabc…"; it knows every character but é and ñ, and is never surprised by more than a bit."""

    name = "one@best"
    step = 40
    val_loss: float | None = 1.8812
    val_is_estimate = False
    copied_share: float | None = None

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.configs: list[SampleConfig] = []
        self.groups: list[tuple[int | None, int]] = []
        """The first seed and the number of texts of each call of `stream_many`."""
        self.characters = "abc"
        self.compared: list[str] = []

    def unknown(self, text: str) -> str:
        return "".join(character for character in "éñ" if character in text)

    def stream(
        self, prompt: str, config: SampleConfig, control: Control | None = None, *, details: bool = False
    ) -> Iterator[Piece]:
        self.prompts.append(prompt)
        self.configs.append(config)
        for k in range(config.max_new_tokens):
            yield Piece(self.characters[k % len(self.characters)], -0.5, (("a", 0.6), ("b", 0.4)) if details else ())

    def stream_many(
        self, prompt: str, config: SampleConfig, count: int, control: Control | None = None
    ) -> Iterator[tuple[Piece, ...]]:
        self.groups.append((config.seed, count))
        for piece in self.stream(prompt, config, control):
            yield tuple(Piece(piece.text.upper() if k else piece.text, piece.logprob) for k in range(count))

    def copied(self, text: str) -> float | None:
        self.compared.append(text)
        return self.copied_share

    def score(self, text: str, *, details: bool = False) -> Iterable[Piece]:
        return [Piece(character, -0.6931471805599453) for character in text if character not in "éñ"]


class FakeSession:
    """Yields a script of events and remembers what it was asked for."""

    run_name: str | None = "one"

    def __init__(self, events: Sequence[Event | Exception] = ()) -> None:
        self.events: list[Event | Exception] = list(events or short_run())
        self.requests: list[TrainRequest] = []
        self.sources: list[str | Path | None] = []
        self.places: list[TrainConfig | None] = []
        self.control = Control()
        self.model = FakeModel()

    def load_torch(self) -> None:
        """Nothing to import."""

    def collect_garbage(self) -> None:
        """Nothing either."""

    def train(self, request: TrainRequest, control: Control) -> Iterator[Event]:
        self.requests.append(request)
        self.control = control
        for event in self.events:
            if isinstance(event, Exception):
                raise event
            if control.stop_requested:
                yield finished(event.step, "stopped")
                return
            yield event

    def estimate(self, config: RunConfig, control: Control) -> Estimate:
        raise TuiGptError("nobody asks for this here")

    def open_model(self, source: str | Path | None) -> FakeModel:
        self.sources.append(source)
        return self.model

    def evaluate(self, source: str | Path | None, control: Control) -> Evaluation:
        self.sources.append(source)
        return Evaluation(
            name="one@best", step=40, val_loss=1.5, bits_per_char=2.1640, perplexity=4.4817, val_tokens=111_540
        )


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str


class CommandLine:
    """Runs commands in this process, on a session that the test can look into."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.session = FakeSession()
        self._capsys = capsys
        monkeypatch.setattr(common, "make_session", self._make_session)

    def _make_session(self, place: TrainConfig | None = None) -> FakeSession:
        self.session.places.append(place)
        return self.session

    def __call__(self, *arguments: str) -> Result:
        self._capsys.readouterr()
        code = cli.run(arguments)
        captured = self._capsys.readouterr()
        return Result(code, captured.out, captured.err)

    @property
    def request(self) -> TrainRequest:
        """What the last `train` asked for."""
        return self.session.requests[-1]
