"""What a new run starts from: new weights, or those of another model. Pure: no widget, no disk."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from tui_gpt.config import DEFAULT_PRESET, PRESETS, ModelConfig, RunConfig
from tui_gpt.events import SettingValue
from tui_gpt.formatting import format_loss
from tui_gpt.storage.names import SHIPPED
from tui_gpt.storage.runs import RunSummary
from tui_gpt.tui.train.form import FieldError

NEW_WEIGHTS = ""
"""The source of a run that starts from random weights."""


@dataclass(frozen=True)
class StartFrom:
    """The model whose weights a new run starts from."""

    source: str
    """As `SessionLike.open_model` takes it."""
    config: RunConfig

    @property
    def model(self) -> ModelConfig:
        """Return the model's settings for the new run; the time chooses how many members of an ensemble it trains."""
        own = self.config.model
        return dataclasses.replace(own, members=0) if own.networks > 1 else own

    def preset(self, current: str) -> str:
        """Return `current` or, if that is for another architecture, a preset for this model's."""
        for name in (current, self.config.preset, DEFAULT_PRESET):
            if name in PRESETS and self._fits(name):
                return name
        return current

    def _fits(self, preset: str) -> bool:
        return PRESETS[preset].model.architecture == self.config.model.architecture

    def require_preset(self, preset: str) -> None:
        """Raise FieldError unless the preset is for a model of this architecture."""
        if not self._fits(preset):
            fitting = " or ".join(name for name in PRESETS if self._fits(name))
            raise FieldError(
                "start",
                f"{self.source} is a {self.config.model.architecture} model, and {preset} is for another architecture: "
                f"choose {fitting}, or start from new weights",
            )

    def chosen(self, config: RunConfig) -> dict[str, SettingValue]:
        """Return the settings of the model that differ from those of the source."""
        own, wanted = dataclasses.asdict(self.model), dataclasses.asdict(config.model)
        return {name: value for name, value in wanted.items() if value != own[name]}


def start_label(source: str) -> str:
    """Return a source in words."""
    return {NEW_WEIGHTS: "new weights", SHIPPED: "the shipped model"}.get(source, source)


def start_choices(runs: Sequence[RunSummary]) -> list[tuple[str, str]]:
    """Return the sources to choose from, each with a remark."""
    return [
        (NEW_WEIGHTS, "random, the usual start"),
        (SHIPPED, "trained on TinyShakespeare"),
        *((run.name, _remark(run)) for run in runs if run.has_checkpoint),
    ]


def _remark(run: RunSummary) -> str:
    loss = format_loss(run.best_val_loss, is_estimate=run.best_is_estimate, digits=3)
    return f"step {run.step:,}" + ("" if run.best_val_loss is None else f", loss {loss}")
