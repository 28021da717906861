"""The time budget of a run: how many steps it holds, corrected while the costs of a step become known.

The plan changes `TrainerState.max_iters` and reports each change as an event, so that a resumed run can follow the log
instead of the clock and stays exact. The arithmetic is in `planner.py`; here are the measured costs, the clock and the
moments at which to plan again. Without `max_seconds` all of it does nothing.
"""

from collections.abc import Iterator, Mapping

from tui_gpt.events import Event, SettingChanged, SettingValue
from tui_gpt.training.budget.planner import Costs, Planner, is_replanning_step, is_worth_changing
from tui_gpt.training.clock import RunClock
from tui_gpt.training.intervals import sample_interval
from tui_gpt.training.settings import RunSettings
from tui_gpt.training.state import TrainerState

PLAN = "plan"
"""Name of a repeated change: the number of steps that the plan came to."""
ESTIMATE = "estimate_tokens"
"""Name of a repeated change: the validation characters of an evaluation, where the budget was set during the run."""
MIN_BUDGET_USED = 0.85
"""A run whose plan ends before this fraction of its budget is used gets more steps."""


class TimeBudget:
    """Plans the steps of one run."""

    def __init__(self, state: TrainerState, settings: RunSettings, clock: RunClock, costs: Costs) -> None:
        self.costs = costs
        """Measured seconds of steps, evaluations, samples and checkpoints."""
        self._state = state
        self._settings = settings
        self._clock = clock
        self._began = state.elapsed_seconds
        self._timed_from, self._timed_from_step = clock.seconds(), state.step

    def make_plan(self) -> None:
        """Set the number of steps from the settings or, with a budget whose plan may follow the clock, from the time
        that is left."""
        state, config = self._state, self._settings.config
        if config.max_seconds is None:
            state.max_iters = state.max_iters or config.max_iters or 0
        elif state.max_iters == 0 or state.follows_clock:
            state.estimate_tokens = state.estimate_tokens or self._planner(config.max_seconds).estimate_tokens()
            state.max_iters = self._planned_iters(config.max_seconds)

    def begin(self) -> Iterator[Event]:
        """Begin a budget that was set during the run, and report its plan."""
        self._state.budget_step, self._state.budget_evaluations = self._state.step, 0
        self._note_steps()
        self._began = self._clock.seconds()
        self._state.follows_clock, self._state.estimate_tokens = True, 0
        self.make_plan()
        yield from self.announce()

    def announce(self) -> Iterator[Event]:
        """Report the plan of a budget that begins now."""
        yield self._event("max_iters", self._state.max_iters)
        yield self._event(ESTIMATE, self._state.estimate_tokens)

    def repeat(self, changes: Mapping[str, SettingValue]) -> Iterator[Event]:
        """Apply what an interrupted run's log records of its budget at this step."""
        if changes.get("max_seconds") is not None:
            self._state.budget_step, self._state.budget_evaluations = self._state.step, 0
        if isinstance(tokens := changes.get(ESTIMATE), int):
            self._state.estimate_tokens = tokens
            yield self._event(ESTIMATE, tokens)
        if isinstance(planned := changes.get(PLAN), int):
            self._state.max_iters = max(planned, self._state.step)
            yield self._event("max_iters", planned)

    def correct(self) -> Iterator[Event]:
        """Plan again where it is time to, and report the new number of steps if it differs enough."""
        state, seconds = self._state, self._settings.config.max_seconds
        if seconds is None or not state.follows_clock or state.evaluated_step == state.max_iters:
            return
        done, all_steps = state.step - state.budget_step, state.max_iters - state.budget_step
        if not is_replanning_step(done, all_steps):
            return
        self._note_steps()
        left = self._planner(seconds).remaining(self._clock.seconds())
        if state.step >= state.max_iters and left < (1 - MIN_BUDGET_USED) * seconds:
            return
        planned = self._planned_iters(seconds)
        if is_worth_changing(planned - state.budget_step, all_steps, done):
            state.max_iters = planned
            yield self._event("max_iters", planned)

    def deadline(self, measurements: int) -> float | None:
        """Return the clock's reading at which the first of that many equal measurements at the end of the run has to
        be finished; None without a budget that follows the clock."""
        seconds = self._settings.config.max_seconds
        if seconds is None or not self._state.follows_clock:
            return None
        now = self._clock.seconds()
        return now + (self._planner(seconds).remaining(now) - self.costs.end) / measurements

    def restart_timing(self) -> None:
        """Time the steps from now on."""
        self._timed_from = self._clock.seconds()

    def exclude(self, seconds: float) -> None:
        """Do not count some seconds as the steps'."""
        self._timed_from += seconds

    def _note_steps(self) -> None:
        """Update the cost of a step by the steps since the last call."""
        steps, elapsed = self._state.step - self._timed_from_step, self._clock.seconds()
        if steps:
            self.costs.note_step(elapsed - self._timed_from, steps)
        self._timed_from, self._timed_from_step = elapsed, self._state.step

    def _planned_iters(self, max_seconds: float) -> int:
        state, limit = self._state, self._settings.config.max_iters
        planned = self._planner(max_seconds).plan(
            state.step,
            self._clock.seconds(),
            state.estimate_tokens,
            final_passes=2 if state.evaluations_without_best else 1,
            least=1 if state.step == state.budget_step else 0,
        )
        return planned if limit is None else min(planned, max(limit, state.step))

    def _planner(self, max_seconds: float) -> Planner:
        return Planner(
            seconds=max_seconds,
            began=self._began,
            record_tokens=self._state.record_tokens,
            costs=self.costs,
            sample_interval=sample_interval(self._settings.config, self._state),
        )

    def _event(self, setting: str, value: int) -> SettingChanged:
        return SettingChanged(step=self._state.step, setting=setting, value=value, origin="plan")
