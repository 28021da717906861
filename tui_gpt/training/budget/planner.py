"""Turns a time budget into a plan: how many steps it holds, and how many characters each evaluation reads.

All of it is arithmetic on measured costs; the clock and the moments at which to plan again are in `time_budget.py`. The
budget covers everything from the start of the process: set-up, steps, evaluations, samples, and the last checkpoint.
"""

import math
from dataclasses import dataclass

EVALUATIONS = 10
"""Evaluations of a run with a time budget; a plan that shrinks on the way can leave out two of them."""
EVALUATION_FRACTION = 0.09
"""Fraction of a budget for all evaluations together."""
ESTIMATES_FRACTION = 0.3
"""Fraction of the time for evaluations that is for those before the last one, which measures the loss of record."""
MIN_ESTIMATE_TOKENS = 512
TRAIN_TOKENS_PER_VAL_TOKEN = 0.5
"""Training characters that an evaluation reads per validation character."""
EXIT_SECONDS = 0.3
"""Time kept for the last events and for the process to exit."""
MIN_CHANGE = 0.05
"""A new plan is reported if it moves the end by more than this fraction of the remaining steps …"""
MIN_CHANGE_OF_ALL = 0.02
"""… and of all steps."""


def evaluation_seconds(step_seconds: float, tokens_per_network: int) -> float:
    """Return about how many seconds the evaluation of one character takes.

    It is a forward pass of every network, about a quarter of the work of a step, in which each network reads
    `tokens_per_network` characters.
    """
    return step_seconds / (4 * max(1, tokens_per_network))


def is_replanning_step(steps_done: int, max_iters: int) -> bool:
    """Return whether to plan again after that many steps: 1, 2, 4, 8 …, every 5 % of the run, and in its last tenth."""
    if steps_done & (steps_done - 1) == 0 or steps_done >= 0.9 * max_iters:
        return steps_done > 0
    return steps_done % max(1, max_iters // 20) == 0


@dataclass
class Costs:
    """The measured seconds of the parts of a run."""

    step: float
    """One optimizer step."""
    token: float
    """Evaluating one character."""
    sample: float = 0.0
    """Generating one sample."""
    save: float = 0.0
    """Writing one checkpoint."""

    @property
    def end(self) -> float:
        """Seconds after the last evaluation: both checkpoints, and the exit of the process."""
        return 2 * self.save + EXIT_SECONDS

    def note_step(self, seconds: float, steps: int) -> None:
        """Update by the newest steps, the less the fewer they are."""
        self.step += min(1.0, steps / 4) * (seconds / steps - self.step)

    def note_evaluation(self, seconds: float, tokens: int) -> None:
        """Update by an evaluation of `tokens` characters, including training characters."""
        self.token = 0.5 * (self.token + seconds / max(tokens, 1))

    def note_save(self, seconds: float) -> None:
        """Update by a checkpoint that was written in the background."""
        self.save = max(self.save, seconds)


@dataclass
class Planner:
    """The plan of one run with a time budget."""

    seconds: float
    """Length of the budget."""
    began: float
    """The run's elapsed seconds when the budget began: 0, or more where it was set during the run or for a resume."""
    record_tokens: int
    """Characters that the loss of record is measured on."""
    costs: Costs
    sample_interval: int = 0

    def estimate_tokens(self) -> int:
        """Return how many validation characters each evaluation before the last one reads."""
        share = ESTIMATES_FRACTION * EVALUATION_FRACTION * self.seconds / (EVALUATIONS - 1)
        affordable = int(share / (self.costs.token * (1 + TRAIN_TOKENS_PER_VAL_TOKEN)))
        return min(self.record_tokens, max(MIN_ESTIMATE_TOKENS, affordable))

    def final_tokens(self, estimate_tokens: int) -> int:
        """Return how many validation characters the last evaluation reads: those of record, if there is time."""
        share = (1 - ESTIMATES_FRACTION) * EVALUATION_FRACTION * self.seconds
        return min(self.record_tokens, max(estimate_tokens, int(share / self.costs.token)))

    def remaining(self, elapsed_seconds: float) -> float:
        """Return the seconds left of the budget."""
        return self.seconds - (elapsed_seconds - self.began)

    def plan(
        self, step: int, elapsed_seconds: float, estimate_tokens: int, *, final_passes: int = 1, least: int = 1
    ) -> int:
        """Return the step at which to end, so that evaluations, samples and the last checkpoint fit into the budget.

        It is at least `least` above `step`. `final_passes` is how many models the last evaluation measures.
        """
        left = self.remaining(elapsed_seconds) - self._end_seconds(estimate_tokens, final_passes)
        per_step = self.costs.step + self.costs.sample / max(self.sample_interval, 1)
        estimates = math.ceil((EVALUATIONS - 1) * max(0.0, min(1.0, left / self.seconds)))
        steps = int((left - estimates * self._estimate_seconds(estimate_tokens)) / max(per_step, 1e-9))
        if steps < 1:  # rather a step than another estimate
            steps = int(left >= per_step)
        return step + max(least, steps)

    def _estimate_seconds(self, tokens: int) -> float:
        return tokens * (1 + TRAIN_TOKENS_PER_VAL_TOKEN) * self.costs.token

    def _end_seconds(self, estimate_tokens: int, passes: int) -> float:
        final = passes * self.final_tokens(estimate_tokens) * self.costs.token
        return self._estimate_seconds(estimate_tokens) + final + self.costs.sample + self.costs.end


def is_worth_changing(planned: int, max_iters: int, step: int) -> bool:
    """Return whether a new plan differs enough from the old one to replace it."""
    least = max(MIN_CHANGE * max(0, max_iters - step), MIN_CHANGE_OF_ALL * max_iters)
    return abs(planned - max_iters) > least
