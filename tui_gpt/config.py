"""Every setting of a run, with its unit and its range, and the presets that are read like a menu.

Settings are frozen and check themselves when they are made, so a config that exists is a config that can run. A setting
comes from the command line, else the environment, else `config.toml`, else the preset, else the default written here;
`resolve` is that rule's last two steps.
"""

import dataclasses
import functools
import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Literal, Self, TypeVar

from tui_gpt.errors import ConfigError

Architecture = Literal["classic", "modern"]
OptimizerName = Literal["adamw", "muon"]
Schedule = Literal["linear", "cosine", "constant"]
DeviceName = Literal["auto", "cpu", "cuda", "mps"]

_Config = TypeVar("_Config", "ModelConfig", "TrainConfig")

DEFAULT_PRESET = "quick"
DEFAULT_CORPUS = "tinyshakespeare"
DEFAULT_VAL_SHARE = 0.1

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
    """Reading a config back from JSON, refusing what the class does not know."""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """The config that `dataclasses.asdict` took apart. Raises ConfigError on unknown, missing or wrongly typed
        keys."""
        hints = setting_types(cls)
        unknown = sorted(record.keys() - hints.keys())
        if unknown:
            raise ConfigError(f"unknown setting {unknown[0]!r}: it was written by another version, or by hand")
        return cls(**{name: checked_setting(name, value, hints[name]) for name, value in record.items()})


def setting_types(config: Any) -> Mapping[str, Any]:
    """The type of each setting of a config class, by its name."""
    return _cached_hints(config)


_cached_hints = functools.cache(typing.get_type_hints)


def checked_setting(name: str, value: Any, hint: Any) -> Any:
    """`value` if it is of the type `hint` (a whole number will do for a float). Raises ConfigError otherwise."""
    options = typing.get_args(hint) if isinstance(hint, UnionType) else (hint,)
    for option in options:
        if typing.get_origin(option) is Literal:
            if value in typing.get_args(option):
                return value
        elif option is float and type(value) is int and abs(value) < 2**53:
            return float(value)
        elif type(value) is (NoneType if option is None else option):
            return value
    raise ConfigError(f"{name} cannot be {value!r}: it takes {_spelled(options)}")


def _spelled(options: tuple[Any, ...]) -> str:
    names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", NoneType: "nothing"}
    return " or ".join(
        "one of " + ", ".join(map(str, typing.get_args(option)))
        if typing.get_origin(option) is Literal
        else names.get(option, str(option))
        for option in options
    )


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise ConfigError(sentence)


def _require_whole(name: str, value: int, least: int, most: int) -> None:
    _require(least <= value <= most, f"{name} is {value}: choose a whole number from {least:,} to {most:,}")


def _require_number(name: str, value: float, least: float, most: float) -> None:
    _require(
        math.isfinite(value) and least <= value <= most,
        f"{name} is {value:g}: choose a number from {least:,.10g} to {most:,.10g}",
    )


@dataclass(frozen=True, kw_only=True)
class ModelConfig(_FromDict):
    """The shape of a model; with the number of distinct characters it fixes every parameter's shape."""

    architecture: Architecture = "classic"
    block_size: int = 256
    """Context, in characters."""
    n_layer: int = 6
    """Transformer blocks; 0 with `classic` is the bigram model: token embedding to logits."""
    n_head: int = 6
    n_embd: int = 384
    """Width of the residual stream, a multiple of n_head."""
    dropout: float = 0.0
    """Share of activations dropped in training, 0 to 0.9."""
    ngram_order: int = 0
    """Order of the Kneser-Ney n-gram prior under a `modern` model at most, a large alphabet fills a lower one; 0 is
    none."""
    induction: bool = False
    """Whether a `modern` model is told where its window has gone on from the same characters before."""
    members: int = 1
    """Networks of this shape that a `modern` model trains side by side and whose predictions it averages; 0 is as many
    as the time allows."""

    @property
    def networks(self) -> int:
        """Networks that a model of this shape is built of; one where their number is still open."""
        return max(1, self.members)

    def __post_init__(self) -> None:
        _require_whole("block_size", self.block_size, 1, 65_536)
        _require_whole("n_layer", self.n_layer, 0, 256)
        _require_whole("n_head", self.n_head, 1, 256)
        _require_whole("n_embd", self.n_embd, 1, 16_384)
        _require_number("dropout", self.dropout, 0.0, 0.9)
        _require_whole("ngram_order", self.ngram_order, 0, 16)
        _require_whole("members", self.members, 0, 64)
        _require(
            self.n_embd % self.n_head == 0,
            f"n_embd {self.n_embd} cannot be shared out among {self.n_head} heads: make it a multiple of n_head",
        )
        if self.architecture == "modern":
            _require(self.n_layer > 0, "n_layer is 0: a modern model has at least one block (preset bigram has none)")
            _require(
                self.n_embd // self.n_head % 2 == 0,
                f"n_embd / n_head is {self.n_embd // self.n_head}: rotary positions need an even number",
            )
        else:
            _require(self.ngram_order == 0, "ngram_order is for modern models: leave it at 0 here")
            _require(not self.induction, "induction is for modern models: leave it out here (--no-induction)")
            _require(self.members == 1, "members are for modern models: leave it at 1 here")


@dataclass(frozen=True, kw_only=True)
class TrainConfig(_FromDict):
    """How a model is trained. At least one of max_iters and max_seconds is set; with both, whichever ends first."""

    max_iters: int | None = None
    """Optimizer steps."""
    max_seconds: float | None = None
    """Seconds of training; a calibration turns them into a number of steps, so that the schedule ends in time."""
    batch_size: int = 64
    """Sequences in one forward pass of one network."""
    gradient_accumulation: int = 1
    """Forward passes to one optimizer step."""
    optimizer: OptimizerName = "adamw"
    """`muon` holds for the matrices inside the blocks of a modern model; the rest is AdamW's."""
    learning_rate: float = 1e-3
    """The peak rate: AdamW's, or Muon's for the matrices it holds."""
    min_lr_ratio: float = 0.1
    """The last step's rate as a share of the peak."""
    schedule: Schedule = "cosine"
    warmup_iters: int = 100
    """Steps in which the rate climbs to its peak, at most a tenth of all steps."""
    weight_decay: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.99
    grad_clip: float = 1.0
    """Largest norm of the gradient; 0 leaves it alone."""
    eval_interval: int = 250
    """Steps between two evaluations; in a run with a time budget, a tenth of the run."""
    log_interval: int = 10
    """Steps between two progress events."""
    sample_interval: int = 0
    """Steps between two written samples; 0 is none."""
    patience: int = 0
    """Evaluations without a new best before training stops early; 0 never stops."""
    autosave_seconds: float = 60.0
    """Longest time between two checkpoints."""
    seed: int = 1337
    device: DeviceName = "auto"
    threads: int = 0
    """CPU threads; 0 is one a core."""
    compile: bool = False
    """Whether PyTorch's compiler is to be tried on the blocks."""
    val_share: float = DEFAULT_VAL_SHARE
    """Share of the text that is held out to validate, 0.001 to 0.5."""
    val_file: str | None = None
    """A text to validate on, named as the text to learn from, all of which is then trained on; excludes a val_share
    other than the default."""
    shuffle_documents: bool = False
    """Whether documents (the files of a folder, else blocks between blank lines) come in an order drawn by the seed, so
    that a random set of whole ones is held out."""

    @property
    def has_standard_split(self) -> bool:
        """Return whether the last tenth of the text as it is validates."""
        return self.val_share == DEFAULT_VAL_SHARE and self.val_file is None and not self.shuffle_documents

    def __post_init__(self) -> None:
        _require(
            self.max_iters is not None or self.max_seconds is not None,
            "the run has no end: set --max-iters or --max-seconds",
        )
        if self.max_iters is not None:
            _require_whole("max_iters", self.max_iters, 1, 100_000_000)
        if self.max_seconds is not None:
            _require_number("max_seconds", self.max_seconds, 1.0, 31_536_000.0)
        for name in ("batch_size", "gradient_accumulation", "eval_interval", "log_interval"):
            _require_whole(name, getattr(self, name), 1, 1_000_000)
        for name in ("warmup_iters", "sample_interval", "patience"):
            _require_whole(name, getattr(self, name), 0, 1_000_000)
        _require_whole("seed", self.seed, 0, 2**63 - 1)
        _require_whole("threads", self.threads, 0, 1024)
        _require_number("learning_rate", self.learning_rate, 1e-9, 10.0)
        _require_number("min_lr_ratio", self.min_lr_ratio, 0.0, 1.0)
        _require_number("weight_decay", self.weight_decay, 0.0, 10.0)
        _require_number("beta1", self.beta1, 0.0, 0.99999)
        _require_number("beta2", self.beta2, 0.0, 0.99999)
        _require_number("grad_clip", self.grad_clip, 0.0, 1e6)
        _require_number("autosave_seconds", self.autosave_seconds, 1.0, 86_400.0)
        _require_number("val_share", self.val_share, 0.001, 0.5)
        _require(
            self.val_file is None or self.val_share == DEFAULT_VAL_SHARE,
            "val_share cannot go together with val_file: leave one of them out",
        )


@dataclass(frozen=True, kw_only=True)
class SampleConfig(_FromDict):
    """How text is drawn from a model's predictions. The filters hold one after the other: top_k, top_p, min_p."""

    max_new_tokens: int = 500
    """Characters to write."""
    temperature: float = 0.8
    """0 always takes the likeliest character; 1 draws as the model predicts; above 1 is wilder."""
    top_k: int = 0
    """Keep the k likeliest characters; 0 keeps all."""
    top_p: float = 1.0
    """Keep the likeliest characters that together hold this share of the probability."""
    min_p: float = 0.0
    """Keep characters at least this share as likely as the likeliest."""
    seed: int | None = None
    """Equal seeds write equal texts; none draws a new seed."""

    def __post_init__(self) -> None:
        _require_whole("max_new_tokens", self.max_new_tokens, 1, 100_000_000)
        _require_number("temperature", self.temperature, 0.0, 100.0)
        _require_whole("top_k", self.top_k, 0, 10_000_000)
        _require_number("top_p", self.top_p, 1e-6, 1.0)
        _require_number("min_p", self.min_p, 0.0, 1.0)
        if self.seed is not None:
            _require_whole("seed", self.seed, 0, 2**63 - 1)


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A named recipe."""

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
            summary="the best text, in an hour at most: eight such networks that vote",
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
    """Everything that was asked of one run."""

    preset: str = DEFAULT_PRESET
    corpus: str = DEFAULT_CORPUS
    """A file, a folder of text files, or a name from `data list`."""
    model: ModelConfig = field(default_factory=lambda: PRESETS[DEFAULT_PRESET].model)
    train: TrainConfig = field(default_factory=lambda: PRESETS[DEFAULT_PRESET].train)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """The config that `to_dict` took apart. Raises ConfigError on anything else."""
        if record.keys() != {"preset", "corpus", "model", "train"}:
            raise ConfigError("a run's configuration has the parts preset, corpus, model and train")
        parts = {name: record[name] for name in ("model", "train")}
        if not all(isinstance(part, dict) for part in parts.values()):
            raise ConfigError("the parts model and train hold settings")
        return cls(
            preset=checked_setting("preset", record["preset"], str),
            corpus=checked_setting("corpus", record["corpus"], str),
            model=ModelConfig.from_dict(parts["model"]),
            train=TrainConfig.from_dict(parts["train"]),
        )


def resolve(preset: str = DEFAULT_PRESET, corpus: str = DEFAULT_CORPUS, **overrides: Any) -> RunConfig:
    """A preset with some settings replaced; an override of None leaves the preset's value.

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
    """`config` with its own settings taken out of `chosen`."""
    hints = setting_types(type(config))
    mine = {name: checked_setting(name, chosen.pop(name), hints[name]) for name in list(chosen) if name in hints}
    return dataclasses.replace(config, **mine)
