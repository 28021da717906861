"""A deep ensemble: networks trained independently whose predicted probabilities are averaged.

Networks that start from different weights make different mistakes on unseen text, and the average of their predictions
makes fewer (Lakshminarayanan et al. 2017). On a small corpus that is worth more than one larger network, which
over-fits sooner. Each member trains on different windows, which makes them differ more.
"""

import math
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tui_gpt.config import ModelConfig
from tui_gpt.models.dropout import Dropout
from tui_gpt.models.modern import Modern


def log_mean_probabilities(logits: Sequence[Tensor]) -> Tensor:
    """Return the log of the mean of the probabilities that several logits (..., V) predict."""
    log_probs = torch.stack([F.log_softmax(member, dim=-1) for member in logits])
    return torch.logsumexp(log_probs, dim=0) - math.log(len(logits))


class Ensemble(nn.Module):
    """`config.members` networks that share a dropout generator."""

    def __init__(self, config: ModelConfig, vocab_size: int) -> None:
        super().__init__()
        self.config = config
        self.vocab_size = vocab_size
        self.dropout = Dropout(config.dropout, torch.Generator())
        self.members = nn.ModuleList(Modern(config, vocab_size, self.dropout) for _ in range(config.members))

    @property
    def networks(self) -> Sequence[Modern]:
        """The members, each a complete model."""
        return cast("Sequence[Modern]", self.members)

    def forward(
        self, tokens: Tensor, targets: Tensor | None = None, prior: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Return logits (B, T, V) after each of `tokens` (B, T) and the loss of `targets` (B, T), as `Modern.forward`.

        In training each member gets a part of the batch, of at least as many windows as there are members, and the
        loss is the mean of theirs. In evaluation each gets all of it, and the loss is that of the averaged prediction.
        """
        if self.training and targets is not None:
            return self._training_forward(tokens, targets, prior)
        logits = log_mean_probabilities([network(tokens, None, prior)[0] for network in self.networks])
        if targets is None:
            return logits, None
        return logits, F.nll_loss(logits.view(-1, self.vocab_size), targets.reshape(-1))

    def _training_forward(self, tokens: Tensor, targets: Tensor, prior: Tensor | None) -> tuple[Tensor, Tensor]:
        count = len(self.members)
        priors = [None] * count if prior is None else prior.tensor_split(count)
        parts = zip(self.networks, tokens.tensor_split(count), targets.tensor_split(count), priors, strict=True)
        logits, losses = zip(*(network(*part) for network, *part in parts), strict=True)
        return torch.cat(logits), torch.stack(losses).mean()


def networks_of(model: Modern | Ensemble) -> Sequence[Modern]:
    """Return the networks whose predictions are averaged: the members of an ensemble, or the model itself."""
    return model.networks if isinstance(model, Ensemble) else [model]
