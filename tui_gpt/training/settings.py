"""The training settings of a run, some of which can change while it trains.

`RunSettings.config` is replaced as a whole, so a `TrainConfig` that was read from it stays consistent.
"""

import dataclasses
from collections.abc import Mapping

from tui_gpt.config import TrainConfig, changed, require_live, require_more_steps
from tui_gpt.events import SettingValue
from tui_gpt.training.state import TrainerState


class RunSettings:
    """The current settings of a run, and the changes that are allowed."""

    def __init__(self, config: TrainConfig, state: TrainerState) -> None:
        self.config = config
        self._state = state

    def change(self, changes: Mapping[str, SettingValue]) -> None:
        """Change all of these settings. Raises ConfigError, with nothing changed, where one of them is impossible.

        A learning rate that the user sets gives the NaN guard its full count of bad steps again.
        """
        require_live(changes)
        require_more_steps(changes.get("max_iters"), self._state.step)
        self.config = changed(self.config, changes)
        if "learning_rate" in changes:
            self._state.bad_steps = 0
        if isinstance(max_iters := changes.get("max_iters"), int):
            self._state.max_iters = max_iters

    def halve_learning_rate(self) -> None:
        """Continue at half the learning rate."""
        self.config = dataclasses.replace(self.config, learning_rate=self.config.learning_rate / 2)
