"""The training settings of a run, some of which can change while it trains.

`RunSettings.config` is replaced as a whole, so a `TrainConfig` that was read from it stays consistent.
"""

import dataclasses
from collections.abc import Mapping

from tui_gpt.config import TrainConfig
from tui_gpt.errors import ConfigError
from tui_gpt.events import SettingValue
from tui_gpt.training.state import TrainerState

LIVE_SETTINGS = frozenset(
    {
        "learning_rate", "min_lr_ratio", "max_iters", "max_seconds", "grad_clip", "eval_interval", "log_interval",
        "sample_interval", "patience", "autosave_seconds",
    }
)  # fmt: skip
"""Settings that can change during a run."""


class RunSettings:
    """The current settings of a run, and the changes that are allowed."""

    def __init__(self, config: TrainConfig, state: TrainerState) -> None:
        self.config = config
        self._state = state

    def change(self, changes: Mapping[str, SettingValue]) -> None:
        """Change all of these settings. Raises ConfigError, with nothing changed, where one of them is impossible.

        A learning rate that the user sets gives the NaN guard its full count of bad steps again.
        """
        self._require_live(changes)
        self._require_steps(changes.get("max_iters"))
        self.config = changed(self.config, changes)
        if "learning_rate" in changes:
            self._state.bad_steps = 0
        if isinstance(max_iters := changes.get("max_iters"), int):
            self._state.max_iters = max_iters

    def halve_learning_rate(self) -> None:
        """Continue at half the learning rate."""
        self.config = dataclasses.replace(self.config, learning_rate=self.config.learning_rate / 2)

    def _require_live(self, changes: Mapping[str, SettingValue]) -> None:
        fixed = sorted(changes.keys() - LIVE_SETTINGS)
        if fixed:
            raise ConfigError(f"{fixed[0]} cannot change during a run: start a new run for it")

    def _require_steps(self, max_iters: SettingValue) -> None:
        if isinstance(max_iters, int) and max_iters < self._state.step:
            raise ConfigError(
                f"max_iters is {max_iters:,} and {self._state.step:,} steps are done: choose a larger number"
            )


def changed(config: TrainConfig, changes: Mapping[str, SettingValue]) -> TrainConfig:
    """Return `config` with some settings replaced. Raises ConfigError for a wrong type or a value out of range."""
    return TrainConfig.from_dict({**dataclasses.asdict(config), **changes})
