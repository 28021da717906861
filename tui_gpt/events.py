"""Events of a run: frozen records that the trainer yields, the log stores and the screens draw.

An event is plain data. It holds no tensor, widget or reference to its run, so the same record can be drawn live,
written to `events.jsonl`, and replayed from there. Losses are in nats per token, and
a token is a character unless the run has another tokenizer.
"""

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from tui_gpt.config import TokenizerName
from tui_gpt.metrics import ASCII_CHARACTER, TokenSize
from tui_gpt.records import parse_object, read_record

FinishReason = Literal["completed", "stopped", "time_limit", "early_stop"]
ChangeOrigin = Literal["user", "plan", "trainer"]
"""What changed a setting: the user, the time budget's plan, or the trainer itself (a rollback)."""
SettingValue = int | float | str | bool | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Started:
    """Training began, or was resumed if `step` is above zero."""

    type: ClassVar[str] = "started"
    step: int
    max_iters: int
    parameters: int
    device: str
    train_tokens: int
    val_tokens: int
    preset: str
    seed: int
    vocab_size: int = 0
    """Distinct tokens that the model predicts; 0 if unknown."""
    tokenizer: TokenizerName = "character"
    token_size: TokenSize = ASCII_CHARACTER
    """Of the validation text; it converts losses to bits per character and per byte."""
    precision: str = "fp32"
    """Precision of the matrix products: `fp32`, `tf32` or `bf16`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """Some steps were done. `loss` is the mean training loss since the last such event."""

    type: ClassVar[str] = "progress"
    step: int
    loss: float
    learning_rate: float
    grad_norm: float
    tokens_per_second: float
    elapsed_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluated:
    """The model was evaluated without dropout, on the validation split and on a small part of the training split."""

    type: ClassVar[str] = "evaluated"
    step: int
    train_loss: float
    val_loss: float
    bits_per_char: float
    """Validation loss in bits per character, which compares models of different tokenizers."""
    bits_per_byte: float
    is_best: bool
    """Whether this is the best model so far. The newest such event holds the loss of the best model."""
    val_tokens: int
    """Tokens of the validation split that were read."""
    is_estimate: bool = False
    """Whether only an evenly spread part of what the loss of record is computed on was read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampled:
    """The model generated a short sample."""

    type: ClassVar[str] = "sampled"
    step: int
    prompt: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """A checkpoint was written to disk."""

    type: ClassVar[str] = "saved"
    step: int
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Paused:
    """Training was paused by the user."""

    type: ClassVar[str] = "paused"
    step: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Resumed:
    """Training continues after a pause."""

    type: ClassVar[str] = "resumed"
    step: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingChanged:
    """A setting got a new value during the run, which takes effect with the step after `step`."""

    type: ClassVar[str] = "setting_changed"
    step: int
    setting: str
    value: SettingValue
    origin: ChangeOrigin = "user"


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeRefused:
    """A requested change of a setting was invalid and nothing changed."""

    type: ClassVar[str] = "change_refused"
    step: int
    setting: str
    reason: str
    """One sentence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestRefused:
    """A request to a run of another process was refused or not answered. The log has no such event."""

    type: ClassVar[str] = "request_refused"
    step: int
    request: str
    """`pause`, `resume`, `stop`, `save` or `change`."""
    reason: str
    """One sentence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StepSkipped:
    """Step number `step` left the weights unchanged, because its loss or gradient was NaN or infinite."""

    type: ClassVar[str] = "step_skipped"
    step: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RolledBack:
    """At step number `step` the loss or gradient was not finite again, so the state of `to_step` was restored.

    The step counter is not reset. The learning rate is halved, which a `SettingChanged` event reports.
    """

    type: ClassVar[str] = "rolled_back"
    step: int
    to_step: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StorageProblem:
    """A checkpoint or log entry could not be written; training continues and the write is retried."""

    type: ClassVar[str] = "storage_problem"
    step: int
    problem: str
    """One sentence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StorageRecovered:
    """Everything that a `StorageProblem` had held back has been written."""

    type: ClassVar[str] = "storage_recovered"
    step: int


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryRanOut:
    """The device's memory ran out in step number `step`, which was repeated in smaller passes, as are all later steps.

    The gradients are the same, up to the order of summation.
    """

    type: ClassVar[str] = "memory_ran_out"
    step: int
    windows: int
    """Windows in one pass from then on, at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CompileFailed:
    """The model could not be compiled with `torch.compile`; training continues without."""

    type: ClassVar[str] = "compile_failed"
    step: int
    problem: str
    """One line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Initialized:
    """A new run was initialized with the weights of another model."""

    type: ClassVar[str] = "initialized"
    step: int
    source: str
    new_characters: str
    """Characters that are not in that model's alphabet; their weights were initialized at random."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResumeDiffers:
    """The first loss after a resume is not the one that the interrupted run would have computed."""

    type: ClassVar[str] = "resume_differs"
    step: int
    expected_loss: float
    loss: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """Training ended; everything is saved."""

    type: ClassVar[str] = "finished"
    step: int
    reason: FinishReason
    best_val_loss: float | None
    elapsed_seconds: float
    best_is_estimate: bool = False
    """Whether `best_val_loss` is an estimate, computed on a part of the validation split."""
    best_bits_per_char: float | None = None
    """`best_val_loss` in bits per character."""
    best_bits_per_byte: float | None = None


Event = (
    Started
    | Progress
    | Evaluated
    | Sampled
    | Saved
    | Paused
    | Resumed
    | SettingChanged
    | ChangeRefused
    | RequestRefused
    | StepSkipped
    | RolledBack
    | StorageProblem
    | StorageRecovered
    | MemoryRanOut
    | CompileFailed
    | Initialized
    | ResumeDiffers
    | Finished
)

EVENT_TYPES: Mapping[str, type[Event]] = types.MappingProxyType({kind.type: kind for kind in typing.get_args(Event)})


def scalars(event: Event) -> dict[str, float]:
    """Return what an event has measured by the tags of a curve; losses are in nats per token.

    Empty for all but `Progress` and `Evaluated`.
    """
    match event:
        case Progress():
            names = ("learning_rate", "grad_norm", "tokens_per_second")
            return {"loss/train": event.loss, **{name: getattr(event, name) for name in names}}
        case Evaluated():
            return {
                "loss/validation": event.val_loss,
                "loss/train_evaluated": event.train_loss,
                "bits_per_character/validation": event.bits_per_char,
            }
        case _:
            return {}


def to_json(event: Event) -> str:
    """Return one line of JSON, without a line break: `"type"` first, then the fields under their own names."""
    return json.dumps({"type": event.type, **dataclasses.asdict(event)}, ensure_ascii=False, allow_nan=False)


def from_json(line: str) -> Event:
    """Parse a line that `to_json` wrote. Raises ValueError on anything else, e.g. another type, field or value."""
    record = parse_object(line)
    name = record.pop("type", None)
    kind = EVENT_TYPES.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"unknown event type {name!r}")
    return read_record(kind, record)
