"""What the model is fed: training batches, each a pure function of its number, and the evaluation windows.

With an n-gram prior a batch carries the prior's log-probabilities too: cross-fitted ones for training, so that what the
network sees in training looks like what it meets on new text, and plain ones, without context before the window, for
validation.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tui_gpt.gpt.data import Corpus, WindowOrder, gather, validation_windows
from tui_gpt.gpt.ngram import NgramPrior

TRAIN_SAMPLE_TOKENS = 16_384
"""Training characters measured at an evaluation."""
CACHE_BYTES = 256 * 2**20
"""Memory that the validation rows of the prior may keep between evaluations."""


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


class Batches:
    """The batches of one run."""

    def __init__(self, corpus: Corpus, order: WindowOrder, block_size: int, prior: NgramPrior | None) -> None:
        self._corpus = corpus
        self._order = order
        self._block_size = block_size
        self._prior = prior
        self._validation: list[Batch] | None = None

    def training(self, number: int) -> Batch:
        """Batch `number` of the run."""
        starts = self._order.starts(number)
        inputs, targets = gather(self._corpus.train, starts, self._block_size)
        return Batch(inputs, targets, self._training_rows(starts))

    def training_sample(self) -> Iterator[Batch]:
        """A fixed selection of training windows, to be measured beside the validation split."""
        count = max(1, TRAIN_SAMPLE_TOKENS // self._block_size)
        last = len(self._corpus.train) - self._block_size - 1
        starts = np.unique(np.linspace(0, last, count).astype(np.int64))
        for part in np.array_split(starts, max(1, len(starts) * self._block_size // 8_192)):
            inputs, targets = gather(self._corpus.train, part, self._block_size)
            yield Batch(inputs, targets, self._training_rows(part))

    def validation(self) -> Iterator[Batch]:
        """The whole validation split in non-overlapping windows, every target once."""
        if self._validation is not None:
            yield from self._validation
            return
        made = (self._validation_batch(*pair) for pair in validation_windows(self._corpus.val, self._block_size))
        if self._prior is not None and len(self._corpus.val) * self._prior.vocab_size * 4 > CACHE_BYTES:
            yield from made
            return
        kept = []
        for batch in made:
            kept.append(batch)
            yield batch
        self._validation = kept

    def _training_rows(self, starts: np.ndarray) -> Tensor | None:
        if self._prior is None:
            return None
        return torch.from_numpy(self._prior.training_rows(starts, self._block_size))

    def _validation_batch(self, inputs: Tensor, targets: Tensor) -> Batch:
        if self._prior is None:
            return Batch(inputs, targets)
        return Batch(inputs, targets, torch.from_numpy(self._prior.rows(inputs.numpy())))
