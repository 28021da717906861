"""Dropout with a private random generator."""

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """Zero each activation with probability `p` in training, and scale the others by 1 / (1 - p).

    The identity in evaluation (Srivastava et al. 2014). One random byte decides each activation, which is cheaper than
    a Bernoulli draw and rounds `p` to a multiple of 1/256. The bytes come from `generator` and not from PyTorch's
    global one, so that nothing else that draws random numbers can change a training run.
    """

    def __init__(self, p: float, generator: torch.Generator) -> None:
        super().__init__()
        self.generator = generator
        self.threshold = round(p * 256)

    def move_generator(self, device: torch.device) -> None:
        """Draw on `device`, if it is a CUDA device, from a generator of the same seed; elsewhere draw on the CPU."""
        if device.type == "cuda":
            self.generator = torch.Generator(device).manual_seed(self.generator.initial_seed())

    def forward(self, x: Tensor) -> Tensor:
        """Return `x`, of any shape, with dropout applied."""
        if not self.training or self.threshold == 0:
            return x
        words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64, device=self.generator.device)
        words.random_(-(2**63), None, generator=self.generator)
        kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= self.threshold
        return x * kept.to(x.device, x.dtype).mul_(256 / (256 - self.threshold))
