"""What the model is fed: training batches, each a pure function of its number, and the evaluation windows.

With an n-gram prior a batch carries the prior's log-probabilities too: cross-fitted ones for training, so that what the
network sees in training looks like what it meets on new text, and plain ones, without context before the window, for
validation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tui_gpt.config import RunConfig
from tui_gpt.prior.ngram import NgramPrior
from tui_gpt.text.dataset import Corpus
from tui_gpt.text.windows import Starts, WindowOrder, Windows, gather, record_tokens, validation_windows

TRAIN_SAMPLE_TOKENS = 16_384
"""Training characters that an evaluation reads at most."""
TOKENS_PER_BATCH = 2_048
"""Characters of an evaluation that go through a replica together: what is computed of more does not stay in the
CPU's caches."""
LOGITS_PER_BATCH = 2**21
"""Logits of an evaluation that are computed together: with a large alphabet fewer characters are read at a time."""


@dataclass(frozen=True)
class Batch:
    """Windows and the characters that follow: `inputs` and `targets` (B, T), `prior` (B, T, V) log-probabilities."""

    inputs: Tensor
    targets: Tensor
    prior: Tensor | None = None

    def to(self, device: torch.device) -> "Batch":
        """The same batch on `device`."""
        prior = None if self.prior is None else self.prior.to(device)
        return Batch(self.inputs.to(device), self.targets.to(device), prior)

    def split(self, count: int) -> "list[Batch]":
        """The same windows in at most `count` batches of about equal size, in order."""
        count = min(count, len(self.inputs))
        priors = [None] * count if self.prior is None else self.prior.tensor_split(count)
        parts = zip(self.inputs.tensor_split(count), self.targets.tensor_split(count), priors, strict=True)
        return [Batch(inputs, targets, prior) for inputs, targets, prior in parts]

    def passes(self, count: int, networks: int) -> "list[Batch]":
        """The same windows in at most `count` batches, each with about equally many windows of each network."""
        shares = self.split(networks)
        count = min(count, *(len(share.inputs) for share in shares))
        parts = zip(*(share.split(count) for share in shares), strict=True)
        return [part[0] if networks == 1 else _joined(part) for part in parts]

    def thinned(self, count: int) -> "Batch":
        """`count` of the windows, evenly spread."""
        chosen = [k * len(self.inputs) // count for k in range(count)]
        prior = None if self.prior is None else self.prior[chosen]
        return Batch(self.inputs[chosen], self.targets[chosen], prior)


def _joined(batches: Sequence[Batch]) -> Batch:
    priors = [batch.prior for batch in batches if batch.prior is not None]
    return Batch(
        torch.cat([batch.inputs for batch in batches]),
        torch.cat([batch.targets for batch in batches]),
        torch.cat(priors) if priors else None,
    )


def window_order(config: RunConfig, train_tokens: int) -> WindowOrder:
    """Return which windows each batch of a run holds; each member of a committee has its own."""
    windows = config.train.batch_size * config.model.networks
    return WindowOrder(train_tokens, config.model.block_size, windows, config.train.seed)


class Batches:
    """The batches of one run."""

    def __init__(self, corpus: Corpus, order: WindowOrder, block_size: int, prior: NgramPrior | None) -> None:
        self._corpus = corpus
        self._order = order
        self._block_size = block_size
        self._prior = prior

    def training(self, number: int) -> Batch:
        """Batch `number` of the run."""
        starts = self._order.starts(number)
        return self._training_batch(starts)

    @property
    def record_tokens(self) -> int:
        """Characters of the validation split that the loss of record is measured on."""
        return record_tokens(len(self._corpus.val), self._block_size)

    def training_sample(self, tokens: int = TRAIN_SAMPLE_TOKENS) -> Iterator[Batch]:
        """Yield evenly spread training windows of about that many characters, to be measured beside the validation
        split."""
        count = max(1, min(tokens, TRAIN_SAMPLE_TOKENS) // self._block_size)
        places = len(self._corpus.train) - self._block_size
        starts = np.unique((np.arange(count) * 2 + 1) * places // (2 * count))
        rows = max(1, self._tokens_per_batch(tokens) // self._block_size)
        for first in range(0, len(starts), rows):
            yield self._training_batch(starts[first : first + rows])

    def validation(self, tokens: int | None = None) -> Iterator[Batch]:
        """Yield evenly spread, non-overlapping validation windows of about that many characters; None is as many as the
        loss of record is measured on."""
        wanted = self.record_tokens if tokens is None else tokens
        windows = validation_windows(self._corpus.val, self._block_size, wanted, self._tokens_per_batch(wanted))
        for inputs, targets in windows:
            yield self._validation_batch(inputs, targets)

    def difficulty(self, tokens: int) -> float:
        """Return how many nats per character the loss of record exceeds the loss on `tokens` validation characters, as
        far as the n-gram prior can tell; 0 without one."""
        if self._prior is None or tokens >= self.record_tokens:
            return 0.0
        return self._prior_loss(self.record_tokens) - self._prior_loss(tokens)

    def _prior_loss(self, tokens: int) -> float:
        assert self._prior is not None
        total, count = 0.0, 0
        for inputs, targets in validation_windows(self._corpus.val, self._block_size, tokens, TOKENS_PER_BATCH * 8):
            losses = self._prior.losses(inputs, targets)
            total, count = total + float(losses.sum()), count + losses.size
        return total / max(count, 1)

    def _tokens_per_batch(self, wanted: int) -> int:
        """Return how many characters go through a replica together, so that a few are still shared by two replicas."""
        return min(TOKENS_PER_BATCH, LOGITS_PER_BATCH // self._corpus.tokenizer.vocab_size, -(-wanted // 2))

    def _training_batch(self, starts: Starts) -> Batch:
        inputs, targets = gather(self._corpus.train, starts, self._block_size)
        rows = None if self._prior is None else self._prior.training_rows(starts, self._block_size)
        return _batch(inputs, targets, rows)

    def _validation_batch(self, inputs: Windows, targets: Windows) -> Batch:
        return _batch(inputs, targets, None if self._prior is None else self._prior.rows(inputs))


def _batch(inputs: Windows, targets: Windows, prior: npt.NDArray[np.float32] | None) -> Batch:
    """Return a batch of tensors that share the arrays' memory."""
    rows = None if prior is None else torch.from_numpy(prior)
    return Batch(torch.from_numpy(inputs), torch.from_numpy(targets), rows)
