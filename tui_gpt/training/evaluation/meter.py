"""Measures the model that is being trained, and other weights in its place.

A run with a time budget compares models on a part of the validation split, which is easier or harder than the whole.
The n-gram prior predicts both in a fraction of a second, so the difference of its losses corrects each estimate (a
control variate).
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from tui_gpt.control import Control
from tui_gpt.training.batches import Batch, Batches
from tui_gpt.training.checkpoints.copies import copied_weights
from tui_gpt.training.compute.replicas import Replicas
from tui_gpt.training.evaluation.loss import Measured, mean_loss


class Meter:
    """Measures losses in nats per character; each measurement returns None if `control` requests a stop meanwhile."""

    def __init__(
        self, model: nn.Module, replicas: Replicas, batches: Batches, device: torch.device, control: Control
    ) -> None:
        self._model = model
        self._replicas = replicas
        self._batches = batches
        self._device = device
        self._control = control
        self._corrections: dict[int, float] = {}

    def training(self, tokens: int) -> Measured | None:
        """Return the loss on about that many evenly spread characters of the training split."""
        return self._measure(self._batches.training_sample(tokens), tokens)

    def validation(self, tokens: int, is_enough: Callable[[int], bool] = lambda _: False) -> Measured | None:
        """Return the loss on about that many evenly spread characters of the validation split.

        `is_enough` is called with the number of characters measured so far, and ends the measurement when true.
        """
        return self._measure(self._batches.validation(tokens), tokens, is_enough)

    def validation_of(self, weights: Mapping[str, Tensor], tokens: int) -> Measured | None:
        """Return the corrected loss of other weights on exactly that many characters of the validation split."""
        own = copied_weights(self._model)
        try:
            self._model.load_state_dict(weights)
            measured = self.validation(tokens, lambda done: done >= tokens)
            return measured and self.corrected(measured)
        finally:
            self._model.load_state_dict(own)

    def corrected(self, estimate: Measured) -> Measured:
        """Correct an estimate by how much easier or harder its characters are than all of them."""
        if estimate.tokens not in self._corrections:
            self._corrections[estimate.tokens] = self._batches.difficulty(estimate.tokens)
        return dataclasses.replace(estimate, loss=estimate.loss + self._corrections[estimate.tokens])

    def _measure(
        self, batches: Iterable[Batch], tokens: int, is_enough: Callable[[int], bool] = lambda _: False
    ) -> Measured | None:
        def report(done: int) -> bool:
            self._control.report("evaluating", min(1.0, done / max(tokens, 1)))
            return is_enough(done)

        return mean_loss(self._replicas, batches, self._device, self._control, report)
