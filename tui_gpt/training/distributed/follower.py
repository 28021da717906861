"""A rank other than 0: it makes the steps that rank 0 orders, and writes nothing, neither files nor stdout."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tui_gpt.control import Control
from tui_gpt.ranks import Ranks
from tui_gpt.training.checkpoints.copies import TrainingTensors
from tui_gpt.training.compute.compiling import compile_if_possible
from tui_gpt.training.compute.interruption import StepAbortedError
from tui_gpt.training.distributed.gradients import SharedGradients
from tui_gpt.training.distributed.group import joined
from tui_gpt.training.distributed.orders import Action, Link, Order, take
from tui_gpt.training.distributed.start import receive_start, receive_tensors
from tui_gpt.training.optim.gradients import clear_gradients, clip_gradients, is_finite, update_weights
from tui_gpt.training.setup.components import random_generators
from tui_gpt.training.setup.follow import prepare_follower
from tui_gpt.training.setup.prepared import Prepared
from tui_gpt.training.step_gradients import Step


def follow(ranks: Ranks, control: Control) -> Iterator[int]:
    """Compute with rank 0 until it ends; yield the exit code so far, 0 before the end, after each of its orders.

    A stop of `control` is passed on to rank 0, which decides. Raises TuiGptError, among them RankLostError.
    """
    with joined(ranks) as link:
        follower: Follower | None = None
        while (order := take(link, stop_requested=control.stop_requested)).action is not Action.END:
            if follower is None and order.action is Action.TAKE_STATE:
                name, checkpoint = receive_start(link)
                follower = Follower.of(prepare_follower(checkpoint, name, ranks, control), link, control)
            elif follower is not None:
                follower.obey(order)
            yield order.exit_code
        yield order.exit_code


@dataclass(frozen=True)
class Follower:
    """Makes the steps of one run."""

    prepared: Prepared
    shared: SharedGradients
    link: Link
    control: Control

    @classmethod
    def of(cls, prepared: Prepared, link: Link, control: Control) -> "Follower":
        """Get ready for the first step. Raises RankLostError."""
        batches, compute = prepared.batches, prepared.compute
        if prepared.config.train.compile:
            compile_if_possible(prepared.replicas, batches.training(0), random_generators(prepared.replicas), control)
        shared = SharedGradients(prepared.replicas, batches, compute.device, compute.ranks.world)
        return cls(prepared, shared, link, control)

    def obey(self, order: Order) -> None:
        """Do what rank 0 orders. Raises RankLostError."""
        match order.action:
            case Action.STEP:
                self._make_step(order.step)
            case Action.TAKE_STATE:
                self._tensors().restore(*receive_tensors(self.link))
            case _:
                return

    def _make_step(self, step: Step) -> None:
        """Make a step as rank 0 does, whose gradients are the same; one that is not finite changes nothing."""
        optimizers, model = self.prepared.optimizers, self.prepared.model
        self._seed_dropout(step.number)
        try:
            loss = self.shared.accumulate(step.number, self._stop_is_agreed)
            if is_finite(loss, clip_gradients(model, step.grad_clip)):
                update_weights(optimizers, step.learning_rate)
        except StepAbortedError:
            return
        finally:
            clear_gradients(optimizers)

    def _stop_is_agreed(self) -> bool:
        return self.link.add_up([float(self.control.stop_requested)])[0] > 0

    def _seed_dropout(self, step: int) -> None:
        """Seed the random generators by step and rank, so that no checkpoint needs their state."""
        words = np.random.SeedSequence([self.prepared.config.train.seed, self.prepared.compute.ranks.rank, step])
        for generator in random_generators(self.prepared.replicas).values():
            generator.manual_seed(int(words.generate_state(1, np.uint64)[0] >> np.uint64(1)))

    def _tensors(self) -> TrainingTensors:
        prepared = self.prepared
        return TrainingTensors(prepared.model, prepared.optimizers, random_generators(prepared.replicas))
