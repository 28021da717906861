"""AdamW against PyTorch's own."""

import subprocess
import sys
from typing import Any

import torch

from tui_gpt.training.optim.adamw import AdamW


def test_adamw_moves_parameters_exactly_as_pytorchs_own_does() -> None:
    generator = torch.Generator().manual_seed(0)
    values = [torch.randn(5, 3, generator=generator), torch.randn(4, generator=generator)]
    ours, theirs = ([torch.nn.Parameter(value.clone()) for value in values] for _ in range(2))

    def groups(parameters: list[torch.nn.Parameter]) -> list[dict[str, Any]]:
        one, other = parameters
        return [{"params": [one], "weight_decay": 0.1}, {"params": [other], "weight_decay": 0.0}]

    optimizers: tuple[AdamW | torch.optim.Optimizer, ...] = (
        AdamW(groups(ours), lr=1e-2, betas=(0.8, 0.95)),
        torch.optim.AdamW(groups(theirs), lr=1e-2, betas=(0.8, 0.95), fused=True),
    )
    for _ in range(5):
        gradients = [torch.randn(value.shape, generator=generator) for value in values]
        for optimizer, parameters in zip(optimizers, (ours, theirs), strict=True):
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient.clone()
            optimizer.step()
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))
    assert not torch.equal(ours[0], values[0])


def test_a_transposed_gradient_gives_the_same_update() -> None:
    gradient = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    one, other = torch.nn.Parameter(torch.zeros(5, 3)), torch.nn.Parameter(torch.zeros(5, 3))
    one.grad, other.grad = gradient.T, gradient.T.contiguous()
    AdamW([one]).step()
    AdamW([other]).step()
    assert torch.equal(one, other)


def test_a_parameter_without_a_gradient_does_not_change() -> None:
    moved, still = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))
    optimizer = AdamW([moved, still])
    moved.grad = torch.ones(2)
    optimizer.step()
    assert torch.equal(still, torch.ones(2))
    assert not torch.equal(moved, torch.ones(2))
    optimizer.zero_grad()
    assert moved.grad is None


def test_making_and_using_an_optimizer_does_not_import_pytorchs_compiler() -> None:
    """It takes seconds of every run."""
    program = """
import sys, torch
from tui_gpt.training.optim.muon import Muon
from tui_gpt.training.optim.adamw import AdamW
parameter = torch.nn.Parameter(torch.ones(4, 4))
for optimizer in (AdamW([parameter], lr=0.1), Muon([parameter])):
    parameter.grad = torch.ones(4, 4)
    optimizer.step()
    optimizer.zero_grad()
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
