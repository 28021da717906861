"""How good a model is: mean cross-entropy over windows it is not trained on, in nats per character.

The whole validation split is measured, always the same way: non-overlapping windows of block_size, each starting with
no context before it, dropout off. That is harder than letting windows overlap, and the same for every model.
"""

import math
from collections.abc import Iterable

import torch
from torch import nn

from tui_gpt.control import Control
from tui_gpt.gpt.batches import Batch


def mean_loss(model: nn.Module, batches: Iterable[Batch], device: torch.device, control: Control) -> float | None:
    """Mean loss over all targets, in nats per character; None when `control` asked to stop on the way."""
    was_training = model.training
    model.eval()
    total, count = 0.0, 0
    try:
        with torch.inference_mode():
            for batch in batches:
                if control.stop_requested:
                    return None
                moved = batch.to(device)
                _, loss = model(moved.inputs, moved.targets, moved.prior)
                total += float(loss) * batch.targets.numel()
                count += batch.targets.numel()
    finally:
        model.train(was_training)
    return total / max(count, 1)


def bits_per_character(loss: float) -> float:
    """Nats per character as bits per character."""
    return loss / math.log(2)


def perplexity(loss: float) -> float:
    """Among how many equally likely characters the model is left to choose, on average."""
    return math.exp(min(loss, 700.0))
