"""What the interfaces ask of a session, and what it answers besides events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tui_gpt.config import RunConfig
from tui_gpt.errors import IncompatibleError
from tui_gpt.events import SettingValue


@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """What a face asks for: a new run, or an old one to go on with."""

    config: RunConfig = field(default_factory=RunConfig)
    """Of a new run; a resumed run keeps its own."""
    name: str | None = None
    """Name of a new run; None makes one up from corpus and preset."""
    resume: str | None = None
    """Name of the run to go on with."""
    changes: Mapping[str, SettingValue] = field(default_factory=dict)
    """Settings of TrainConfig that take a new value when a run is resumed, e.g. {"max_iters": 4000}."""
    init_from: str | None = None
    """Source (see `SessionLike.open_model`) whose weights a new run starts from."""
    chosen: Mapping[str, SettingValue] = field(default_factory=dict)
    """Settings of the model that the user has asked for; with `init_from` the others are the source's."""
    preset_chosen: bool = False
    """Whether the user has named the preset."""
    model_path: Path | None = None
    """Folder that is to hold the run, instead of one in the run store."""
    corpus: str | None = None
    """Where the text of a resumed run is now, if it has moved."""
    began: float | None = None
    """`time.monotonic()` when the time budget began, e.g. when the process did; None is now."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """How long a run would take on this machine."""

    seconds: float
    iterations: int
    parameters: int
    train_tokens: int


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How good a model is on the validation split of the text it was trained on."""

    name: str
    step: int
    val_loss: float
    """Nats per character."""
    bits_per_char: float
    perplexity: float
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


def require_more_steps(run: str, step: int, max_iters: SettingValue, command: str | None = None) -> None:
    """Raise IncompatibleError where a run that has made `step` steps is resumed for no more than that.

    `command` resumes the run; None for that of a run in the store.
    """
    if isinstance(max_iters, int) and max_iters <= step:
        command = command or f"tui-gpt train --headless --resume {run}"
        raise IncompatibleError(
            f"the run {run} has made {step:,} steps, and --max-iters {max_iters} asks for no more: "
            f"resume it with `{command} --max-iters {2 * step}`"
        )
