"""A time budget as a plan: how many steps it holds, and how many characters each evaluation reads.

All of it is arithmetic on measured costs. The budget counts everything from the start of the process: set-up, steps,
evaluations, samples, and the last save.
"""

import math
from dataclasses import dataclass

EVALUATIONS = 10
"""Evaluations of a run with a time budget; a plan that shrinks on the way can leave out two of them."""
EVALUATION_SHARE = 0.09
"""Of a budget, for all evaluations together."""
ESTIMATES_SHARE = 0.3
"""Of that, for those before the last one; the last one measures the loss of record."""
MIN_ESTIMATE_TOKENS = 512
TRAIN_TOKENS_PER_VAL_TOKEN = 0.5
"""How many training characters an evaluation reads beside each character of the validation split."""
EXIT_SECONDS = 0.3
"""Kept for the last events and for the process to end."""
WORTH_CHANGING = 0.05
"""A new plan is announced when it moves the end by more than this share of the steps left ..."""
WORTH_CHANGING_OF_ALL = 0.02
"""... and of all steps."""


def evaluation_seconds(step_seconds: float, tokens_per_network: int) -> float:
    """Return about what evaluating one character takes: a forward pass of every network, about a quarter of a step's
    work, in which each network reads `tokens_per_network` characters."""
    return step_seconds / (4 * max(1, tokens_per_network))


def is_replanning_step(steps_done: int, max_iters: int) -> bool:
    """Return whether to look at the clock after that many steps: 1, 2, 4, 8 ..., every 5 % of the run, and always in
    its last tenth."""
    if steps_done & (steps_done - 1) == 0 or steps_done >= 0.9 * max_iters:
        return steps_done > 0
    return steps_done % max(1, max_iters // 20) == 0


@dataclass
class Costs:
    """What the parts of a run take, in seconds, as measured last."""

    step: float
    """One optimizer step."""
    token: float
    """Evaluating one character."""
    sample: float = 0.0
    save: float = 0.0
    """Writing one checkpoint."""

    @property
    def end(self) -> float:
        """What comes after the last evaluation: both checkpoints, and the end of the process."""
        return 2 * self.save + EXIT_SECONDS

    def note_step(self, seconds: float, steps: int) -> None:
        """Take in the newest steps; a few of them count less than many."""
        self.step += min(1.0, steps / 4) * (seconds / steps - self.step)

    def note_evaluation(self, seconds: float, tokens: int) -> None:
        """Take in an evaluation of `tokens` characters, training characters included."""
        self.token = 0.5 * (self.token + seconds / max(tokens, 1))

    def note_save(self, seconds: float) -> None:
        """Take in a checkpoint written beside the training."""
        self.save = max(self.save, seconds)


@dataclass
class Planner:
    """The plan of one run with a time budget."""

    seconds: float
    """The budget."""
    began: float
    """The run's elapsed seconds when the budget began: 0, or where the run was resumed with a new budget."""
    record_tokens: int
    """Characters that the loss of record is measured on."""
    costs: Costs
    sample_interval: int = 0

    def estimate_tokens(self) -> int:
        """Return how many validation characters an evaluation before the last one reads."""
        share = ESTIMATES_SHARE * EVALUATION_SHARE * self.seconds / (EVALUATIONS - 1)
        affordable = int(share / (self.costs.token * (1 + TRAIN_TOKENS_PER_VAL_TOKEN)))
        return min(self.record_tokens, max(MIN_ESTIMATE_TOKENS, affordable))

    def final_tokens(self, estimate_tokens: int) -> int:
        """Return how many validation characters the last evaluation reads: all of record, or what the time allows."""
        share = (1 - ESTIMATES_SHARE) * EVALUATION_SHARE * self.seconds
        return min(self.record_tokens, max(estimate_tokens, int(share / self.costs.token)))

    def remaining(self, elapsed_seconds: float) -> float:
        """Return the seconds left of the budget."""
        return self.seconds - (elapsed_seconds - self.began)

    def plan(
        self, step: int, elapsed_seconds: float, estimate_tokens: int, *, final_passes: int = 1, least: int = 1
    ) -> int:
        """Return the step at which to end, at least `least` above `step`, so that evaluations, samples and the last
        save fit in.

        `final_passes` is how many models the last evaluation measures.
        """
        left = self.remaining(elapsed_seconds) - self._end_seconds(estimate_tokens, final_passes)
        per_step = self.costs.step + self.costs.sample / max(self.sample_interval, 1)
        estimates = math.ceil((EVALUATIONS - 1) * max(0.0, min(1.0, left / self.seconds)))
        steps = int((left - estimates * self._estimate_seconds(estimate_tokens)) / max(per_step, 1e-9))
        if steps < 1:  # an estimate is not worth a step
            steps = int(left >= per_step)
        return step + max(least, steps)

    def _estimate_seconds(self, tokens: int) -> float:
        return tokens * (1 + TRAIN_TOKENS_PER_VAL_TOKEN) * self.costs.token

    def _end_seconds(self, estimate_tokens: int, passes: int) -> float:
        final = passes * self.final_tokens(estimate_tokens) * self.costs.token
        return self._estimate_seconds(estimate_tokens) + final + self.costs.sample + self.costs.end


def is_worth_changing(planned: int, max_iters: int, step: int) -> bool:
    """Return whether a new plan differs enough from the old one to be announced."""
    least = max(WORTH_CHANGING * max(0, max_iters - step), WORTH_CHANGING_OF_ALL * max_iters)
    return abs(planned - max_iters) > least
