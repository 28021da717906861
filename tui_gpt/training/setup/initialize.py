"""Starts a new run from the weights of another model.

Settings that the weights fix (tokenizer, architecture, layers, width, heads, activation) are copied; others (context,
dropout, order of the n-gram prior, fewer members) may be chosen. The vocabulary is the other model's plus, for one of
characters, those that only the new text has.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from tui_gpt.config import PRESETS, ModelConfig, RunConfig
from tui_gpt.errors import ConfigError
from tui_gpt.events import Initialized, SettingValue
from tui_gpt.models.build import LanguageModel
from tui_gpt.prior.stored import without_prior
from tui_gpt.text.dataset import Corpus
from tui_gpt.text.tokenizers.choose import read_tokenizer
from tui_gpt.text.tokenizers.protocol import Tokenizer
from tui_gpt.training.checkpoints.tensors import Checkpoint, read_checkpoint
from tui_gpt.training.setup.transfer import transfer_weights

FIXED = ("tokenizer", "vocab_size", "architecture", "n_layer", "n_head", "n_embd", "activation", "induction")


@dataclass(frozen=True)
class Start:
    """The model that a new run starts from."""

    source: str
    checkpoint: Checkpoint

    @classmethod
    def read(cls, source: str, folder: Path) -> "Start":
        """Read the checkpoint in `folder`, which the user calls `source`. Raises CheckpointError."""
        return cls(source, read_checkpoint(folder))

    @property
    def networks(self) -> int:
        """The number of networks in the model."""
        return self.checkpoint.info.config.model.networks

    def configured(self, config: RunConfig, chosen: Mapping[str, SettingValue], *, preset_chosen: bool) -> RunConfig:
        """Return `config` with the shape of the model that the weights fit.

        `chosen` are the model's settings that the user has set, `preset_chosen` is whether they have set the preset.
        Raises ConfigError where the weights do not allow that.
        """
        own = self.checkpoint.info.config.model
        if preset_chosen and PRESETS[config.preset].model.architecture != own.architecture:
            raise ConfigError(
                f"{self.source} is a {own.architecture} model, and the preset {config.preset} is for another kind: "
                "leave --preset out, or train without --init-from"
            )
        return dataclasses.replace(config, model=self._model(own, chosen))

    def _model(self, own: ModelConfig, chosen: Mapping[str, SettingValue]) -> ModelConfig:
        for name in FIXED:
            if name in chosen and chosen[name] != getattr(own, name):
                raise self._refusal(name, getattr(own, name), chosen[name], "leave it out")
        members = chosen.get("members", 0 if own.networks > 1 else 1)
        if isinstance(members, int) and members > own.networks:
            raise self._refusal("members", own.networks, members, f"choose at most {own.networks}")
        order = chosen.get("ngram_order", own.ngram_order)
        if bool(order) != bool(own.ngram_order):
            remedy = "choose 1 or more" if own.ngram_order else "leave it out"
            raise self._refusal("ngram_order", own.ngram_order, order, remedy)
        block_size = chosen.get("block_size", own.block_size)
        if own.architecture == "classic" and isinstance(block_size, int) and block_size > own.block_size:
            raise self._refusal("block_size", own.block_size, block_size, f"choose at most {own.block_size}")
        dropout = chosen.get("dropout", own.dropout)
        changes = {"members": members, "ngram_order": order, "block_size": block_size, "dropout": dropout}
        return ModelConfig.from_dict({**dataclasses.asdict(own), **changes})

    def _refusal(self, name: str, own: object, asked: object, remedy: str) -> ConfigError:
        is_own = f"is {own} in" if own is not None else "is fixed by"
        return ConfigError(f"{name} {is_own} {self.source} and cannot become {asked}: {remedy}")

    def give_weights(self, model: LanguageModel, corpus: Corpus) -> None:
        """Put the weights into `model`. Raises IncompatibleError where they do not fit."""
        taken = _for_networks(without_prior(self.checkpoint.weights), self.networks, model.config.networks)
        transfer_weights(model, taken, self._tokenizer, corpus)

    @property
    def _tokenizer(self) -> Tokenizer:
        info = self.checkpoint.info
        return read_tokenizer(info.tokenizer, info.vocab_size)

    def event(self, corpus: Corpus) -> Initialized:
        """Return the event that reports the initialization."""
        new = self._tokenizer.unknown("".join(corpus.tokenizer.texts))
        return Initialized(step=0, source=self.source, new_characters=new)


def _for_networks(weights: Mapping[str, Tensor], own: int, wanted: int) -> Mapping[str, Tensor]:
    """Return the weights of the first `wanted` of `own` networks, named as in a model of `wanted` networks."""
    if own == wanted:
        return weights
    if wanted > 1:
        kept = tuple(f"members.{number}." for number in range(wanted))
        return {name: tensor for name, tensor in weights.items() if name.startswith(kept)}
    first = "members.0."
    return {name.removeprefix(first): tensor for name, tensor in weights.items() if name.startswith(first)}
