"""Checks that a resumed run computes what the interrupted one would have computed.

Each `last` checkpoint holds the loss of a few windows of the next batch, with dropout. After a resume it is computed
again: any difference, however small, means another PyTorch, processor, or number of threads.
"""

import math
from collections.abc import Iterator, Mapping

import torch

from tui_gpt.events import ResumeDiffers
from tui_gpt.training.batches import Batches
from tui_gpt.training.checkpoints.copies import copied_generators, restore_generators
from tui_gpt.training.compute.replicas import Replicas
from tui_gpt.training.state import TrainerState


class ResumeCheck:
    """Computes the loss that an interrupted and a resumed run have in common."""

    def __init__(
        self, replicas: Replicas, batches: Batches, generators: Mapping[str, torch.Generator], *, networks: int
    ) -> None:
        """`networks` is the number of members of an ensemble; the check reads one window for each."""
        self._replicas = replicas
        self._batches = batches
        self._generators = generators
        self._networks = networks

    def next_loss(self, batch_number: int) -> float | None:
        """Return the loss of a few windows of that batch, in nats per character; None where it is not finite.

        The random generators are left as they were.
        """
        batch = self._batches.training(batch_number)
        generators = copied_generators(self._generators)
        try:
            loss = self._replicas.loss(batch.thinned(self._networks))
            return loss if math.isfinite(loss) else None
        finally:
            restore_generators(self._generators, generators)

    def compare(self, state: TrainerState, batch_number: int) -> Iterator[ResumeDiffers]:
        """Report where the loss of that batch is not the one that the checkpoint holds."""
        expected = state.next_loss
        if expected is None:
            return
        loss = self.next_loss(batch_number)
        if loss is not None and loss != expected:
            yield ResumeDiffers(step=state.step, expected_loss=expected, loss=loss)
