"""Several networks that vote: trained side by side, averaged in what they predict.

Networks that start from different weights make different mistakes about text they have not read, and the average of
their predictions makes fewer (deep ensembles, Lakshminarayanan et al. 2017). On a small corpus that is worth more than
one larger network, which only learns the training text by heart sooner. Each member learns as if it were alone, from
windows of its own, which makes them differ more; only what is predicted is shared.
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


def mean_of_probabilities(logits: Sequence[Tensor]) -> Tensor:
    """(..., V): log-probabilities, the mean of the probabilities that some logits (..., V) stand for."""
    return torch.logsumexp(torch.stack([F.log_softmax(one, dim=-1) for one in logits]), dim=0) - math.log(len(logits))


class Ensemble(nn.Module):
    """`config.members` networks; `forward` is that of a single one.

    In training each member gets its part of the batch, and the loss is the mean of theirs; else all read everything,
    and the loss is that of the averaged prediction.
    """

    def __init__(self, config: ModelConfig, vocab_size: int) -> None:
        super().__init__()
        self.config = config
        self.vocab_size = vocab_size
        self.dropout = Dropout(config.dropout, torch.Generator())
        self.members = nn.ModuleList(Modern(config, vocab_size, self.dropout) for _ in range(config.members))

    @property
    def networks(self) -> Sequence[Modern]:
        """The members, each a model of its own."""
        return cast("Sequence[Modern]", self.members)

    def forward(
        self, tokens: Tensor, targets: Tensor | None = None, prior: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Logits (B, T, V) after each of `tokens` (B, T), and the loss if there are `targets` (B, T).

        In training B is at least the number of members.
        """
        if self.training and targets is not None:
            return self._learned(tokens, targets, prior)
        logits = mean_of_probabilities([network(tokens, None, prior)[0] for network in self.networks])
        if targets is None:
            return logits, None
        return logits, F.nll_loss(logits.view(-1, self.vocab_size), targets.reshape(-1))

    def _learned(self, tokens: Tensor, targets: Tensor, prior: Tensor | None) -> tuple[Tensor, Tensor]:
        count = len(self.members)
        priors = [None] * count if prior is None else prior.tensor_split(count)
        parts = zip(self.networks, tokens.tensor_split(count), targets.tensor_split(count), priors, strict=True)
        logits, losses = zip(*(network(*part) for network, *part in parts), strict=True)
        return torch.cat(logits), torch.stack(losses).mean()


def networks_of(model: Modern | Ensemble) -> Sequence[Modern]:
    """The networks whose predictions are averaged; often just one."""
    return model.networks if isinstance(model, Ensemble) else [model]
