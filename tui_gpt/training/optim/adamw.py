"""AdamW, and the base class of the optimizers.

PyTorch's own optimizers import its compiler when the first one is created, which takes two to four seconds, a large
part of a one-minute run. So this module calls the fused AdamW operator directly. It has no hooks and no schedulers: the
trainer sets the learning rate of each parameter group before each step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor


class Optimizer:
    """Holds parameters in groups with settings (`param_groups`), and tensors for each parameter (`state`)."""

    def __init__(self, params: Iterable[Tensor] | Iterable[dict[str, Any]], **defaults: Any) -> None:
        """`params` are parameters, or groups with settings that override `defaults`."""
        listed: list[Any] = list(params)
        groups = listed if listed and isinstance(listed[0], dict) else [{"params": listed}]
        self.param_groups: list[dict[str, Any]] = [
            {**defaults, **group, "params": list(group["params"])} for group in groups
        ]
        self.state: dict[Tensor, dict[str, Tensor]] = {}

    def parameters(self) -> Iterator[Tensor]:
        """Yield every parameter, group by group; this order numbers them in a checkpoint."""
        for group in self.param_groups:
            yield from group["params"]

    def zero_grad(self) -> None:
        """Remove all gradients."""
        for parameter in self.parameters():
            parameter.grad = None

    def step(self, is_finite: Tensor | None = None) -> None:
        """Update every parameter that has a gradient.

        With `is_finite`, a boolean scalar on the parameters' device, nothing changes where it is false; it is not read,
        as that would wait for a GPU.
        """
        raise NotImplementedError


class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019), computed by PyTorch's fused operator."""

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, weight_decay=weight_decay, eps=eps)

    @torch.no_grad()
    def step(self, is_finite: Tensor | None = None) -> None:
        skipped = None if is_finite is None else is_finite.logical_not().float()
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            if parameters:
                self._step_group(group, parameters, skipped)

    def _step_group(self, group: dict[str, Any], parameters: list[Tensor], skipped: Tensor | None) -> None:
        """Update parameters; `skipped` is 1 where the step is to be skipped, which the operator reads on the device."""
        states = [self._state_of(parameter) for parameter in parameters]
        steps = [state["step"] for state in states]
        torch._foreach_add_(steps, 1)
        torch._fused_adamw_(
            parameters,
            [parameter.grad.contiguous() for parameter in parameters if parameter.grad is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            steps,
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
            found_inf=skipped,
        )
        if skipped is not None:
            torch._foreach_sub_(steps, [skipped] * len(steps))

    def _state_of(self, parameter: Tensor) -> dict[str, Tensor]:
        if parameter not in self.state:
            self.state[parameter] = {
                "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        return self.state[parameter]
