"""Copies of the weights of a run that is training, to generate text with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
from torch import nn

from tui_gpt.control import Control
from tui_gpt.training.checkpoints.copies import copied_weights
from tui_gpt.training.checkpoints.tensors import arrays_of
from tui_gpt.training.state import TrainerState


@dataclass(frozen=True)
class LiveWeights:
    """The answer to `Control.request_weights`."""

    step: int
    val_loss: float | None
    """The newest validation loss, in nats per character."""
    val_is_estimate: bool
    weights: Mapping[str, npt.NDArray[Any]]


def answer_weight_requests(control: Control, model: nn.Module, state: TrainerState) -> None:
    """Answer all pending requests for weights with one copy, which later steps do not change."""
    requests = [request for request in control.take_weight_requests() if request.set_running_or_notify_cancel()]
    if not requests:
        return
    answer = LiveWeights(
        step=state.step,
        val_loss=state.val_loss,
        val_is_estimate=state.is_estimate(state.val_tokens),
        weights=arrays_of(copied_weights(model)),
    )
    for request in requests:
        request.set_result(answer)
