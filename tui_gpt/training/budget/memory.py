"""Estimates how much memory a training run takes, so that it is bounded before it starts, for any vocabulary.

The figures are upper estimates. On a CPU a run may take a fixed amount, on a GPU what is free there. What is too large
for one pass is processed in smaller ones; a run that takes too much even so is refused, with settings that fit.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from tui_gpt.config import ModelConfig, Precision, RunConfig, resolve
from tui_gpt.errors import ConfigError
from tui_gpt.formatting import token_noun
from tui_gpt.training.compute.capabilities import Capabilities

LIMIT_BYTES = 1_400_000_000
"""On a CPU: memory for parameters, their copies, and one pass; PyTorch and the n-gram prior take up to 600 MB more."""
PASS_BYTES = 600_000_000
"""On a CPU: memory for the activations of one pass, of all replicas together."""
COPIES = 10
"""Copies of the parameters: gradients, optimizer state, and what checkpoints are written from."""
GPU_COPIES = 6
"""The same without what checkpoints are written from, which is in the computer's memory; and a bfloat16 copy."""
GPU_FRACTION = 0.9
"""Fraction of a GPU's free memory that a run may plan with: the rest is lost between allocations."""
LOGITS_KEPT = {"modern": 20, "classic": 8}
"""Numbers per character of the vocabulary that a pass keeps for each position, measured."""
CHANNELS_KEPT = 32
"""Numbers per block and channel that a pass keeps for each position, measured."""
BF16_CHANNELS_KEPT = 20
"""The same in bfloat16, counted as numbers of four bytes: the normalised and the residual stream stay in float32."""


@dataclass(frozen=True)
class MemoryLimits:
    """How much memory a run may take where it trains."""

    total: int = LIMIT_BYTES
    """Bytes for everything."""
    one_pass: int | None = PASS_BYTES
    """Bytes for the activations of one pass; None for what the parameters and their copies leave."""
    copies: int = COPIES
    channels_kept: int = CHANNELS_KEPT
    place: str = ""
    """The GPU's name; empty for the computer's memory."""

    @classmethod
    def of(cls, capabilities: Capabilities, precision: Precision) -> "MemoryLimits":
        """Return the limits of a device, from the memory that is free there."""
        if capabilities.free_bytes is None:
            return cls()
        return cls(
            total=int(capabilities.free_bytes * GPU_FRACTION),
            one_pass=None,
            copies=GPU_COPIES,
            channels_kept=BF16_CHANNELS_KEPT if precision == "bf16" else CHANNELS_KEPT,
            place=capabilities.name,
        )

    def pass_bytes(self, config: ModelConfig, vocab_size: int) -> int:
        """Return the bytes for the activations of one pass of a model."""
        left = self.total - self.copies * 4 * parameter_count(config, vocab_size)
        return max(0, left) if self.one_pass is None else self.one_pass


HERE = MemoryLimits()
"""The limits of a CPU."""


def window_bytes(config: ModelConfig, vocab_size: int, limits: MemoryLimits = HERE) -> int:
    """Return the bytes of the activations of one window of one network."""
    numbers = LOGITS_KEPT[config.architecture] * vocab_size + limits.channels_kept * config.n_layer * config.n_embd
    return 4 * config.block_size * (numbers + 2 * config.block_size)


def windows_per_pass(config: ModelConfig, vocab_size: int, replicas: int, limits: MemoryLimits = HERE) -> int:
    """Return how many windows each replica can process in one pass, at least one for each network."""
    available = limits.pass_bytes(config, vocab_size)
    return max(config.networks, available // (replicas * window_bytes(config, vocab_size, limits)))


def parameter_count(config: ModelConfig, vocab_size: int) -> int:
    """Return the approximate number of parameters of a model."""
    blocks, channels = config.n_layer, config.n_embd
    if not blocks:
        return vocab_size**2
    tables = 2 + 2 * bool(config.ngram_order) + 9 * config.induction
    return config.networks * (12 * blocks * channels**2 + (tables * vocab_size + config.block_size) * channels)


def training_bytes(config: RunConfig, vocab_size: int, replicas: int, limits: MemoryLimits = HERE) -> int:
    """Return the approximate bytes that a run takes besides PyTorch and the tables of the n-gram prior."""
    model, windows = config.model, config.train.batch_size * config.model.networks
    in_a_pass = replicas * windows_per_pass(model, vocab_size, replicas, limits)
    prior = 2 * 4 * windows * model.block_size * vocab_size if model.ngram_order else 0
    passing = min(windows, in_a_pass) * window_bytes(model, vocab_size, limits)
    return limits.copies * 4 * parameter_count(model, vocab_size) + passing + prior


def members_that_fit(config: RunConfig, vocab_size: int, replicas: int, most: int, limits: MemoryLimits = HERE) -> int:
    """Return how many ensemble members fit into memory, at least one and at most `most`."""
    counts = range(most, 1, -1)
    fitting = (count for count in counts if _fits(_with(config, members=count), vocab_size, replicas, limits))
    return next(fitting, 1)


def require_memory(config: RunConfig, vocab_size: int, replicas: int, limits: MemoryLimits = HERE) -> None:
    """Raise ConfigError, with settings that fit, when a run takes too much memory."""
    if _fits(config, vocab_size, replicas, limits):
        return
    unit, gigabytes = token_noun(config.model.tokenizer), training_bytes(config, vocab_size, replicas, limits) / 1e9
    options = (words for words, smaller in _smaller(config) if _fits(smaller, vocab_size, replicas, limits))
    remedy = next(options, "a smaller vocabulary")
    allowed = f"{limits.total / 1e9:.1f} GB are {f'free on {limits.place}' if limits.place else 'allowed'}"
    raise ConfigError(
        f"with a vocabulary of {vocab_size:,} {unit}s this model takes about {gigabytes:.1f} GB of memory, and "
        f"{allowed}: choose {remedy}"
    )


def _smaller(config: RunConfig) -> Iterator[tuple[str, RunConfig]]:
    """Yield smaller configurations, and the options that ask for them."""
    if config.model.networks > 1:
        yield "--members 1", _with(config, members=1)
    if config.model.architecture == "modern":
        small = _with(config, members=1, induction=False)
        yield "--members 1 --no-induction", small
        yield "--members 1 --no-induction --batch-size 1", _with(small, batch_size=1)
    if config.model.block_size > 64:
        yield "--block-size 64", _with(config, block_size=64)
    yield "--preset nano", resolve("nano", corpus=config.corpus)
    yield "--preset nano --n-embd 32", resolve("nano", corpus=config.corpus, n_embd=32)


def _with(config: RunConfig, **settings: int | bool) -> RunConfig:
    names = {field.name for field in dataclasses.fields(ModelConfig)}
    model = {name: value for name, value in settings.items() if name in names}
    train = {name: value for name, value in settings.items() if name not in names}
    return dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, **model),  # type: ignore[arg-type]  # names and types are the callers'
        train=dataclasses.replace(config.train, **train),  # type: ignore[arg-type]
    )


def _fits(config: RunConfig, vocab_size: int, replicas: int, limits: MemoryLimits) -> bool:
    return training_bytes(config, vocab_size, replicas, limits) <= limits.total
