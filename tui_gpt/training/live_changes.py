"""Changes of settings while a run trains: requested by the user, repeated from the log, or made by a resume.

The settings of one request change together or, with one `ChangeRefused` event for each, not at all. What the plan of
the time budget has decided is logged in the same way, so that a resumed run can repeat it (see `replay.py`).
"""

from collections.abc import Generator, Iterator, Mapping

from tui_gpt.errors import ConfigError
from tui_gpt.events import ChangeRefused, Event, SettingChanged, SettingValue
from tui_gpt.training.budget.time_budget import ESTIMATE, PLAN, TimeBudget
from tui_gpt.training.settings import RunSettings
from tui_gpt.training.state import TrainerState


class LiveChanges:
    """Applies changes of settings between two steps, and reports them as events."""

    def __init__(self, state: TrainerState, settings: RunSettings, budget: TimeBudget) -> None:
        self._state = state
        self._settings = settings
        self._budget = budget

    def apply(self, changes: Mapping[str, SettingValue]) -> Iterator[Event]:
        """Apply a request of the user: all of these changes, or none."""
        is_accepted = yield from self._change(changes)
        if is_accepted and changes.get("max_seconds") is not None:
            yield from self._budget.begin()

    def repeat(self, changes: Mapping[str, SettingValue]) -> Iterator[Event]:
        """Apply changes from the log of an interrupted run, which include what the budget's plan decided."""
        requested = {setting: value for setting, value in changes.items() if setting not in (PLAN, ESTIMATE)}
        is_accepted = yield from self._change(requested)
        if is_accepted:
            yield from self._budget.repeat(changes)

    def announce(self, changes: Mapping[str, SettingValue]) -> Iterator[Event]:
        """Report the changes that a run was resumed with, which its settings include already."""
        yield from self._events(changes)
        if changes.get("max_seconds") is not None:
            yield from self._budget.announce()

    def _change(self, changes: Mapping[str, SettingValue]) -> Generator[Event, None, bool]:
        """Change the settings, or none of them, and report it; return whether they have changed."""
        try:
            self._settings.change(changes)
        except ConfigError as error:
            yield from (ChangeRefused(step=self._state.step, setting=setting, reason=str(error)) for setting in changes)
            return False
        yield from self._events(changes)
        return True

    def _events(self, changes: Mapping[str, SettingValue]) -> Iterator[Event]:
        for setting, value in changes.items():
            yield SettingChanged(step=self._state.step, setting=setting, value=value)
