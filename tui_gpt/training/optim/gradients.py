"""What a training step does with gradients: add, clip, update the weights, clear."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from tui_gpt.training.optim.adamw import Optimizer


def add_gradients(parameters: Iterable[nn.Parameter], gradients: Iterable[Tensor], divisor: int = 1) -> None:
    """Add to each parameter's gradient a `divisor`-th of another one, as gradient accumulation does."""
    for parameter, gradient in zip(parameters, gradients, strict=True):
        gradient = gradient / divisor if divisor > 1 else gradient
        parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient


def clip_gradients(model: nn.Module, max_norm: float) -> Tensor:
    """Scale the gradients down to `max_norm` if they are longer; return their norm before. 0 does not clip."""
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    if max_norm > 0:
        nn.utils.clip_grads_with_norm_(model.parameters(), max_norm, norm)
    return norm


def is_finite(loss: Tensor, grad_norm: Tensor) -> Tensor:
    """Return whether a step with this loss and gradient norm may change the weights: a boolean scalar."""
    return torch.isfinite(loss) & torch.isfinite(grad_norm)


def update_weights(optimizers: Sequence[Optimizer], rate: float, is_finite: Tensor | None = None) -> None:
    """Make a step of every optimizer; each parameter group has its multiple of the run's learning rate.

    With `is_finite`, see `Optimizer.step`.
    """
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate * group["lr_scale"]
        optimizer.step(is_finite)


def clear_gradients(optimizers: Sequence[Optimizer]) -> None:
    """Remove the gradients of all parameters."""
    for optimizer in optimizers:
        optimizer.zero_grad()
