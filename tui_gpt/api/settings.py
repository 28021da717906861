"""The keyword arguments of `train`, `resume`, `generate` and `stream`, by name and type, for type checkers and editors.

Each is a setting of the command line under the same name; `tui_gpt.config` describes them, with units and ranges.
"""

from collections.abc import Iterable
from typing import TypedDict

from tui_gpt.config import (
    Activation,
    Architecture,
    DeviceName,
    OptimizerName,
    PrecisionName,
    Schedule,
    TokenizerName,
    Until,
)
from tui_gpt.errors import UsageError
from tui_gpt.storage.names import did_you_mean


class Filters(TypedDict, total=False):
    """Which of the next tokens are drawn at all, and where a text ends; see `config.SampleConfig`."""

    top_k: int
    top_p: float
    min_p: float
    stop: tuple[str, ...]
    until: Until
    max_seconds: float | None
    allow: str
    forbid: str
    match: str
    repetition_penalty: float
    repetition_window: int
    repetition_length: int


class ResumeSettings(TypedDict, total=False):
    """What can change when a run is resumed; see `config.TrainConfig`."""

    max_iters: int
    max_seconds: float
    learning_rate: float
    min_lr_ratio: float
    grad_clip: float
    eval_interval: int
    log_interval: int
    sample_interval: int
    patience: int
    autosave_seconds: float
    device: DeviceName
    precision: PrecisionName
    threads: int
    compile: bool


class TrainSettings(ResumeSettings, total=False):
    """The settings of a new run; see `config.ModelConfig` and `config.TrainConfig`."""

    tokenizer: TokenizerName
    vocab_size: int
    architecture: Architecture
    block_size: int
    n_layer: int
    n_head: int
    n_embd: int
    dropout: float
    activation: Activation
    ngram_order: int
    induction: bool
    members: int
    batch_size: int
    gradient_accumulation: int
    optimizer: OptimizerName
    schedule: Schedule
    warmup_iters: int
    weight_decay: float
    beta1: float
    beta2: float
    seed: int
    val_share: float
    val_file: str
    shuffle_documents: bool


def require_known(given: Iterable[str], known: type) -> None:
    """Raise UsageError for a keyword argument that is not in the TypedDict `known`."""
    names = known.__annotations__
    for name in given:
        if name not in names and known is ResumeSettings and name in TrainSettings.__annotations__:
            raise UsageError(f"{name} cannot change when a run is resumed: leave it out, or start a new run")
        if name not in names:
            raise UsageError(
                f"there is no setting {name!r}{did_you_mean(name, names)}: choose one of {', '.join(names)}"
            )
