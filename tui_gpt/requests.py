"""The requests to a session, and its answers besides events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tui_gpt.config import RunConfig, TokenizerName
from tui_gpt.errors import IncompatibleError
from tui_gpt.events import SettingValue
from tui_gpt.ranks import ALONE, Ranks


@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """A request to train a new run, or to resume one."""

    config: RunConfig = field(default_factory=RunConfig)
    """The config of a new run; a resumed run keeps its own."""
    name: str | None = None
    """Name of a new run; None derives one from corpus and preset."""
    resume: str | None = None
    """Name of the run to resume."""
    changes: Mapping[str, SettingValue] = field(default_factory=dict)
    """Settings of TrainConfig that change when a run is resumed, e.g. {"max_iters": 4000}."""
    init_from: str | None = None
    """The model (see `SessionLike.open_model`) whose weights a new run starts from."""
    chosen: Mapping[str, SettingValue] = field(default_factory=dict)
    """Model settings that the user has chosen; with `init_from` the others are those of that model."""
    preset_chosen: bool = False
    """Whether the user has chosen the preset."""
    model_path: Path | None = None
    """Folder for the run, instead of one in the run store."""
    corpus: str | None = None
    """The new place of a resumed run's text, if it has moved."""
    ranks: Ranks = ALONE
    """The processes that train the run, of which this one is rank 0."""
    began: float | None = None
    """`time.monotonic()` at the start of the time budget, e.g. of the process; None is now."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The expected training time of a run on this machine."""

    seconds: float
    iterations: int
    parameters: int
    train_tokens: int
    tokenizer: TokenizerName = "character"
    ngram_loss: float | None = None
    """Validation loss of the n-gram prior alone, in nats per token; None for a model without one."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The metrics of a model on the validation split of its training text."""

    name: str
    step: int
    val_loss: float
    """Nats per token."""
    bits_per_char: float
    bits_per_byte: float
    perplexity: float
    """Per token."""
    val_tokens: int


@dataclass(frozen=True, kw_only=True)
class TorchInfo:
    """The installed PyTorch."""

    version: str
    build: str
    """`CPU build`, or the version of CUDA."""
    threads: int
    """CPU threads that it uses by default."""
    devices: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class MachineSpeed:
    """How fast the CPU is."""

    flops: float
    """Floating-point operations per second of a matrix product in single precision."""
    copied_bytes: float
    """Bytes read and written per second of a copy in memory."""


@dataclass(frozen=True, kw_only=True)
class StepComparison:
    """A training step on one device in one precision, compared with the CPU's in float32."""

    device: str
    precision: str
    seconds: float | None = None
    """Of a forward and a backward pass of a small model; None where it failed."""
    loss_difference: float | None = None
    """Nats per character."""
    gradient_difference: float | None = None
    """Relative to the norm of the gradient."""
    problem: str = ""
    """Why the step failed, in one line."""


def require_more_steps(run: str, step: int, max_iters: SettingValue, command: str | None = None) -> None:
    """Raise IncompatibleError if a run that has done `step` steps is resumed for no more than that.

    `command` resumes the run; None for that of a run in the store.
    """
    if isinstance(max_iters, int) and max_iters <= step:
        command = command or f"tui-gpt train --headless --resume {run}"
        raise IncompatibleError(
            f"the run {run} has done {step:,} steps, and --max-iters is {max_iters}: "
            f"resume it with `{command} --max-iters {2 * step}`"
        )
