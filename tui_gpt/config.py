"""The settings of a model, a training and a generation, with units and ranges, and the presets.

Configs are frozen and check their ranges when they are made, so a config that exists can run. A setting comes from the
command line, else the environment, else `config.toml`, else the preset, else the default given here; `resolve`
implements the last two steps, `storage.settings` the others.
"""

import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Self, TypeVar

from tui_gpt.character_sets import CharacterSet
from tui_gpt.errors import ConfigError
from tui_gpt.records import check_value, field_types, read_record

Architecture = Literal["classic", "modern"]
Activation = Literal["relu", "gelu"]
OptimizerName = Literal["adamw", "muon"]
Schedule = Literal["linear", "cosine", "constant"]
DeviceName = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["fp32", "tf32", "bf16"]
PrecisionName = Literal["auto", "fp32", "tf32", "bf16"]
TokenizerName = Literal["character", "byte", "bpe"]
Until = Literal["length", "line", "sentence", "blank-line", "speaker"]

_Config = TypeVar("_Config", "ModelConfig", "TrainConfig")

DEFAULT_PRESET = "quick"
DEFAULT_CORPUS = "tinyshakespeare"
DEFAULT_VAL_SHARE = 0.1
DEFAULT_VOCAB_SIZE = 1_024
"""Tokens of a BPE tokenizer."""

MAX_STOPS = 100
MAX_STOP_LENGTH = 1_000

# What the models that train and the decoders that generate have in common, besides their configuration.
LOGIT_CAP = 15.0
"""The own logits of a `modern` network stay within plus and minus this."""
ROTARY_BASE = 10_000.0
NGRAM_TABLES = (2**13, 2**14, 2**15)
"""Rows for the last 2, 3 and 4 characters in a `modern` network that has no prior."""
MATCH_LENGTH = 8
"""Characters of a match (see models/induction.py) that count; longer ones are as good as this."""
MATCH_REACH = 1024
"""How many positions back a match may lie: in a text that is generated, four times what a window holds in training, and
the shipped model is the better for it (1.331 nats per character; 1.348 with 512, 1.330 with 2,048)."""


class _FromDict:
    """Adds the reading of a config from JSON."""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Make a config of some of its settings; the others have their defaults. Raises ConfigError."""
        return read_record(cls, record, partial=True)


def _require(condition: bool, setting: str, sentence: str) -> None:
    if not condition:
        raise ConfigError(sentence, setting)


RANGES: Mapping[str, tuple[int, int] | tuple[float, float]] = MappingProxyType(
    {
        "vocab_size": (257, 65_536),
        "block_size": (1, 65_536),
        "n_layer": (0, 256),
        "n_head": (1, 256),
        "n_embd": (1, 16_384),
        "dropout": (0.0, 0.9),
        "ngram_order": (0, 16),
        "members": (0, 64),
        "max_iters": (1, 100_000_000),
        "max_seconds": (1.0, 31_536_000.0),
        "batch_size": (1, 1_000_000),
        "gradient_accumulation": (1, 1_000_000),
        "eval_interval": (1, 1_000_000),
        "log_interval": (1, 1_000_000),
        "warmup_iters": (0, 1_000_000),
        "sample_interval": (0, 1_000_000),
        "patience": (0, 1_000_000),
        "seed": (0, 2**63 - 1),
        "threads": (0, 1024),
        "learning_rate": (1e-9, 10.0),
        "min_lr_ratio": (0.0, 1.0),
        "weight_decay": (0.0, 10.0),
        "beta1": (0.0, 0.99999),
        "beta2": (0.0, 0.99999),
        "grad_clip": (0.0, 1e6),
        "autosave_seconds": (1.0, 86_400.0),
        "val_share": (0.001, 0.5),
        "max_new_tokens": (1, 100_000_000),
        "temperature": (0.0, 100.0),
        "top_k": (0, 10_000_000),
        "top_p": (1e-6, 1.0),
        "min_p": (0.0, 1.0),
        "repetition_penalty": (1.0, 100.0),
        "repetition_window": (1, 1_000_000),
        "repetition_length": (1, 1_000),
    }
)
"""The lowest and the highest value of each numeric setting; integers for whole numbers."""


def range_words(name: str) -> str:
    """Return the range of a numeric setting, e.g. `1 to 65,536`."""
    low, high = RANGES[name]
    return f"{low:,} to {high:,}" if isinstance(low, int) else f"{low:,.10g} to {high:,.10g}"


@functools.cache
def _ranges_of(kind: Any) -> Mapping[str, tuple[float, float]]:
    names = {field.name for field in dataclasses.fields(kind)}
    return {name: limits for name, limits in RANGES.items() if name in names}


def _require_ranges(config: Any) -> None:
    """Raise ConfigError for the first setting of a config that is out of its range; None is in every range."""
    kind: Any = type(config)
    for name, (low, high) in _ranges_of(kind).items():
        value = getattr(config, name)
        if value is not None and not (math.isfinite(value) and low <= value <= high):
            kind, shown = ("whole number", f"{value}") if isinstance(low, int) else ("number", f"{value:g}")
            raise ConfigError(f"{name} is {shown}: choose a {kind} from {range_words(name)}", name)


@dataclass(frozen=True, kw_only=True)
class ModelConfig(_FromDict):
    """The shape of a model; with the vocabulary size it determines the shape of every parameter."""

    tokenizer: TokenizerName = "character"
    """What the model reads and predicts: the characters of its text, bytes, or frequent sequences of bytes (byte pair
    encoding), which need the package `tokenizers` for training."""
    vocab_size: int | None = None
    """Tokens of the tokenizer `bpe`, 257 to 65,536; None is 1,024."""
    architecture: Architecture = "classic"
    block_size: int = 256
    """Context length in tokens, which are characters unless `tokenizer` says otherwise."""
    n_layer: int = 6
    """Transformer blocks; `classic` with 0 is the bigram model, which maps token embeddings to logits."""
    n_head: int = 6
    n_embd: int = 384
    """Width of the residual stream, a multiple of n_head."""
    dropout: float = 0.0
    """Dropout probability, 0 to 0.9."""
    activation: Activation = "relu"
    """Activation inside the feed-forward layers of a `classic` model; a `modern` one has squared ReLU."""
    ngram_order: int = 0
    """Maximum order of the Kneser-Ney n-gram prior of a `modern` model (large vocabularies use a lower one); 0
    disables it."""
    induction: bool = False
    """Whether a `modern` model is fed earlier matches of the current context."""
    members: int = 1
    """Members of an ensemble of `modern` models: networks of this shape whose predicted probabilities are averaged; 0
    chooses the number that the time allows."""

    @property
    def networks(self) -> int:
        """Return the number of networks to build: `members`, or 1 while that is 0."""
        return max(1, self.members)

    @property
    def reads_bytes(self) -> bool:
        """Return whether the bytes of a text are read as they are, so that it need not be UTF-8."""
        return self.tokenizer == "byte"

    def __post_init__(self) -> None:
        _require(
            self.vocab_size is None or self.tokenizer == "bpe",
            "vocab_size",
            "vocab_size is for the tokenizer bpe: leave it out, or choose that tokenizer",
        )
        _require_ranges(self)
        _require(
            self.n_embd % self.n_head == 0,
            "n_embd",
            f"n_embd {self.n_embd} is not divisible by n_head ({self.n_head}): make it a multiple of n_head",
        )
        if self.architecture == "modern":
            _require(
                self.n_layer > 0,
                "n_layer",
                "n_layer is 0: a modern model has at least one block (preset bigram has none)",
            )
            _require(
                self.n_embd // self.n_head % 2 == 0,
                "n_embd",
                f"n_embd / n_head is {self.n_embd // self.n_head}: rotary positions need an even number",
            )
            _require(self.activation == "relu", "activation", "activation is for classic models: leave it at relu here")
        else:
            _require(self.ngram_order == 0, "ngram_order", "ngram_order is for modern models: leave it at 0 here")
            _require(not self.induction, "induction", "induction is for modern models: add --no-induction")
            _require(self.members == 1, "members", "members is for modern models: leave it at 1 here")


@dataclass(frozen=True, kw_only=True)
class TrainConfig(_FromDict):
    """How a model is trained: until `max_iters` or `max_seconds` is reached, at least one of which is set."""

    max_iters: int | None = None
    """Optimizer steps."""
    max_seconds: float | None = None
    """Seconds of training; a calibration converts them to a number of steps, so the schedule ends in time."""
    batch_size: int = 64
    """Sequences per forward pass of one network."""
    gradient_accumulation: int = 1
    """Forward passes per optimizer step."""
    optimizer: OptimizerName = "adamw"
    """`muon` trains the matrices inside the blocks of a modern model, and AdamW the other parameters."""
    learning_rate: float = 1e-3
    """Peak learning rate of the optimizer."""
    min_lr_ratio: float = 0.1
    """Learning rate of the last step as a fraction of the peak."""
    schedule: Schedule = "cosine"
    warmup_iters: int = 100
    """Steps of linear warm-up, limited to a tenth of all steps."""
    weight_decay: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.99
    grad_clip: float = 1.0
    """Maximum gradient norm; 0 disables clipping."""
    eval_interval: int = 250
    """Steps between evaluations; a run with a time budget is evaluated every tenth of its steps."""
    log_interval: int = 10
    """Steps between progress events."""
    sample_interval: int = 0
    """Steps between generated samples; 0 generates none."""
    patience: int = 0
    """Evaluations without improvement before training stops early; 0 disables early stopping."""
    autosave_seconds: float = 60.0
    """Maximum seconds between checkpoints."""
    seed: int = 1337
    device: DeviceName = "auto"
    precision: PrecisionName = "auto"
    """Precision of the matrix products; `auto` is fp32, or on CUDA the fastest, measured before the first step."""
    threads: int = 0
    """CPU threads; 0 uses one per core."""
    compile: bool = False
    """Whether to try `torch.compile` on the blocks."""
    val_share: float = DEFAULT_VAL_SHARE
    """Fraction of the text held out for validation, 0.001 to 0.5."""
    val_file: str | None = None
    """A separate validation text, given like `corpus`; the whole corpus is then used for training. Excludes a
    `val_share` other than the default."""
    shuffle_documents: bool = False
    """Whether the documents (the files of a folder, else blocks between blank lines) are shuffled by the seed, so that
    a random set of whole documents is held out."""

    @property
    def has_standard_split(self) -> bool:
        """Return whether the validation split is the last tenth of the unshuffled text."""
        return self.val_share == DEFAULT_VAL_SHARE and self.val_file is None and not self.shuffle_documents

    def __post_init__(self) -> None:
        _require(
            self.max_iters is not None or self.max_seconds is not None,
            "max_iters",
            "the run has no end: set --max-iters or --max-seconds",
        )
        _require_ranges(self)
        _require(
            self.val_file is None or self.val_share == DEFAULT_VAL_SHARE,
            "val_share",
            "val_share and val_file cannot be used together: leave one of them out",
        )


LIVE_SETTINGS = frozenset(
    {
        "learning_rate", "min_lr_ratio", "max_iters", "max_seconds", "grad_clip", "eval_interval", "log_interval",
        "sample_interval", "patience", "autosave_seconds",
    }
)  # fmt: skip
"""Settings of a TrainConfig that can change during a run."""


def require_live(settings: Iterable[str]) -> None:
    """Raise ConfigError unless all of these settings can change during a run."""
    fixed = sorted(set(settings) - LIVE_SETTINGS)
    if fixed:
        raise ConfigError(f"{fixed[0]} cannot change during a run: start a new run for it", fixed[0])


def require_more_steps(max_iters: int | float | str | bool | None, step: int) -> None:
    """Raise ConfigError if a run that has made `step` steps is asked for fewer."""
    if isinstance(max_iters, int) and max_iters < step:
        raise ConfigError(
            f"max_iters is {max_iters:,} and {step:,} steps are done: choose a larger number", "max_iters"
        )


def changed(config: TrainConfig, changes: Mapping[str, int | float | str | bool | None]) -> TrainConfig:
    """Return `config` with some settings replaced. Raises ConfigError for a wrong type or a value out of range."""
    return TrainConfig.from_dict({**dataclasses.asdict(config), **changes})


@dataclass(frozen=True, kw_only=True)
class SampleConfig(_FromDict):
    """How tokens (characters, unless the model has another tokenizer) are sampled. The filters apply in this order:
    top_k, top_p, min_p."""

    max_new_tokens: int = 500
    """Tokens to generate."""
    temperature: float = 0.8
    """0 always takes the most likely character, 1 samples the model's probabilities, above 1 flattens them."""
    top_k: int = 0
    """Keep the k most likely characters; 0 keeps all."""
    top_p: float = 1.0
    """Keep the most likely characters whose probabilities add up to this."""
    min_p: float = 0.0
    """Drop characters below this fraction of the highest probability."""
    seed: int | None = None
    """Equal seeds generate equal text; None draws a new seed."""
    stop: tuple[str, ...] = ()
    """Strings before the first of which a text ends."""
    until: Until = "length"
    """What ends a text before `max_new_tokens`, see generation/until.py; `length` is nothing."""
    max_seconds: float | None = None
    """Seconds after which a text ends."""
    allow: str = ""
    """The only characters that may be generated, see `CharacterSet`; "" allows all."""
    forbid: str = ""
    """Characters that must not be generated, see `CharacterSet`."""
    match: str = ""
    """A regular expression that the generated text must match from its beginning to its end; "" is none."""
    repetition_penalty: float = 1.0
    """Multiplies the log-probability of tokens that would repeat what is in the window; 1 disables it."""
    repetition_window: int = 256
    """Tokens, with those of the prompt, in which repetitions are searched."""
    repetition_length: int = 6
    """Tokens of a repetition; 1 penalises every token in the window."""

    def __post_init__(self) -> None:
        _require_ranges(self)
        _require(len(self.stop) <= MAX_STOPS, "stop", f"stop has {len(self.stop)} strings: use {MAX_STOPS} at most")
        for one in self.stop:
            is_valid = 0 < len(one) <= MAX_STOP_LENGTH
            _require(is_valid, "stop", f"stop has a string of {len(one):,} characters: use 1 to {MAX_STOP_LENGTH:,}")
        CharacterSet.parse("allow", self.allow)
        CharacterSet.parse("forbid", self.forbid)


@dataclass(frozen=True, kw_only=True)
class AlertConfig(_FromDict):
    """How the terminal draws attention to a run."""

    title: bool = True
    """Whether the terminal's title shows the progress."""
    bell: bool = True
    """Whether the bell rings when a run ends, diverges or cannot be saved."""
    notification: bool = True
    """Whether there is a desktop notification as well, where the terminal has one."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A named model and training configuration."""

    summary: str
    model: ModelConfig
    train: TrainConfig


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "quick": Preset(
            summary="readable text in a minute: a transformer over an n-gram prior",
            model=ModelConfig(
                architecture="modern",
                block_size=256,
                n_layer=3,
                n_head=5,
                n_embd=160,
                ngram_order=7,
                induction=True,
                members=0,
            ),
            train=TrainConfig(
                max_seconds=60,
                batch_size=8,
                optimizer="muon",
                learning_rate=0.02,
                schedule="linear",
                min_lr_ratio=0.0,
                warmup_iters=20,
                grad_clip=0.0,
                eval_interval=300,
                sample_interval=100,
            ),
        ),
        "best": Preset(
            summary="the best text, in up to an hour: an ensemble of eight",
            model=ModelConfig(
                architecture="modern",
                block_size=256,
                n_layer=3,
                n_head=4,
                n_embd=144,
                ngram_order=7,
                induction=True,
                members=8,
            ),
            train=TrainConfig(
                max_iters=650,
                max_seconds=3600,
                batch_size=8,
                optimizer="muon",
                learning_rate=0.02,
                schedule="linear",
                min_lr_ratio=0.0,
                warmup_iters=20,
                grad_clip=0.0,
                eval_interval=325,
                sample_interval=130,
            ),
        ),
        "classic": Preset(
            summary="the lecture's 10.8 M model: hours on a CPU, minutes on a GPU",
            model=ModelConfig(block_size=256, n_layer=6, n_head=6, n_embd=384, dropout=0.2),
            train=TrainConfig(
                max_iters=5_000,
                batch_size=64,
                learning_rate=3e-4,
                schedule="constant",
                warmup_iters=0,
                weight_decay=0.01,
                beta2=0.999,
                grad_clip=0.0,
                eval_interval=500,
            ),
        ),
        "nano": Preset(
            summary="nanoGPT's CPU demo: 4 x 128, context 64, 2,000 steps",
            model=ModelConfig(block_size=64, n_layer=4, n_head=4, n_embd=128),
            train=TrainConfig(
                max_iters=2_000,
                batch_size=12,
                learning_rate=1e-3,
                schedule="cosine",
                min_lr_ratio=0.1,
                warmup_iters=100,
                weight_decay=0.1,
                beta2=0.99,
                grad_clip=1.0,
                eval_interval=250,
            ),
        ),
        "bigram": Preset(
            summary="the lecture's first model: each character from the one before it",
            model=ModelConfig(block_size=8, n_layer=0, n_head=1, n_embd=1),
            train=TrainConfig(
                max_iters=3_000,
                batch_size=256,
                learning_rate=2e-2,
                schedule="linear",
                min_lr_ratio=0.0,
                warmup_iters=0,
                weight_decay=0.0,
                beta2=0.99,
                grad_clip=0.0,
                eval_interval=500,
                log_interval=50,
            ),
        ),
    }
)


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """The configuration of one run."""

    preset: str = DEFAULT_PRESET
    corpus: str = DEFAULT_CORPUS
    """A file, a folder of text files, or a name from `data list`."""
    model: ModelConfig = field(default_factory=lambda: PRESETS[DEFAULT_PRESET].model)
    train: TrainConfig = field(default_factory=lambda: PRESETS[DEFAULT_PRESET].train)

    def to_dict(self) -> dict[str, Any]:
        """Return the config as plain data for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Inverse of `to_dict`. Raises ConfigError."""
        return read_record(cls, record)


def resolve(preset: str = DEFAULT_PRESET, corpus: str = DEFAULT_CORPUS, **overrides: Any) -> RunConfig:
    """Return a preset with some settings replaced; an override of None keeps the preset's value.

    A lone `max_iters` replaces the preset's time budget and a lone `max_seconds` its number of steps.
    Raises ConfigError for an unknown preset or setting, or a value out of range.
    """
    if preset not in PRESETS:
        raise ConfigError(f"there is no preset {preset!r}: choose one of {', '.join(PRESETS)}")
    chosen = {name: value for name, value in overrides.items() if value is not None}
    if ("max_iters" in chosen) != ("max_seconds" in chosen):
        chosen = {"max_iters": None, "max_seconds": None, **chosen}
    base = PRESETS[preset]
    model, train = _taking(base.model, chosen), _taking(base.train, chosen)
    if chosen:
        raise ConfigError(f"there is no setting {min(chosen)!r}")
    return RunConfig(preset=preset, corpus=corpus, model=model, train=train)


def _taking(config: _Config, chosen: dict[str, Any]) -> _Config:
    """Return `config` with the settings that it has moved out of `chosen` into it."""
    hints = field_types(type(config))
    mine = {name: check_value(name, chosen.pop(name), hints[name]) for name in list(chosen) if name in hints}
    return dataclasses.replace(config, **mine)
