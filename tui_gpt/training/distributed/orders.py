"""What rank 0 orders the other ranks to do, and what they report with it, in one small all-reduce.

Rank 0 decides everything: when to make a step, evaluate, pause or end. The others obey the next order and do nothing
else, so all ranks stop, pause and change at the same step. Each exchange adds up a few numbers of all ranks: the order,
to which rank 0 alone contributes, and the number of ranks that were asked to stop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from tui_gpt.training.step_gradients import Step


class Action(IntEnum):
    """What to do next."""

    WAIT = 0
    """Nothing: rank 0 is busy with something else, or paused."""
    STEP = 1
    """Make a step."""
    TAKE_STATE = 2
    """Receive weights and optimizer state."""
    END = 3


NO_STEP = Step(0, 0.0, 0.0)


@dataclass(frozen=True)
class Order:
    """One order of rank 0."""

    action: Action
    step: Step = NO_STEP
    exit_code: int = 0
    """The exit code to end with."""


class Link(Protocol):
    """A connection of all ranks. Every method raises RankLostError where one of them does not take part in time."""

    def add_up(self, numbers: Sequence[float]) -> list[float]:
        """Return the sums over the numbers of all ranks."""

    def broadcast(self, content: bytes | None) -> bytes:
        """Return the content that rank 0 gives; the other ranks give None."""


def give(link: Link, order: Order) -> bool:
    """Give an order, as rank 0; return whether another rank was asked to stop."""
    step = order.step
    numbers = [0.0, order.action, step.number, step.learning_rate, step.grad_clip, order.exit_code]
    return link.add_up(numbers)[0] > 0


def take(link: Link, *, stop_requested: bool) -> Order:
    """Return the next order, as another rank than 0, and report whether this one was asked to stop."""
    _, action, number, rate, clip, code = link.add_up([float(stop_requested), 0.0, 0.0, 0.0, 0.0, 0.0])
    return Order(Action(int(action)), Step(int(number), rate, clip), int(code))
