"""Batches for training, each a pure function of its number and the rank, and for evaluation.

With an n-gram prior a batch also holds the prior's log-probabilities: cross-fitted ones for training, so that the prior
is as good on the training text as on new text, and plain ones, without context before the window, for validation.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tui_gpt.config import RunConfig
from tui_gpt.prior.ngram import NgramPrior
from tui_gpt.ranks import ALONE, Ranks
from tui_gpt.text.dataset import Corpus
from tui_gpt.text.windows import Starts, WindowOrder, Windows, gather, record_tokens, validation_windows
from tui_gpt.training.distributed.share import Share

TRAIN_SAMPLE_TOKENS = 16_384
"""Training characters that an evaluation reads at most."""
TOKENS_PER_BATCH = 2_048
"""Characters of an evaluation that a replica processes in one pass: the activations of more leave the CPU's caches."""
LOGITS_PER_BATCH = 2**21
"""Logits of an evaluation in one pass: with a large vocabulary a pass reads fewer characters."""

RELEASE_WINDOWS = 64
"""Windows after which the pages of large texts are released; the system may map more than a megabyte around each."""


@dataclass(frozen=True)
class Batch:
    """Windows `inputs` (B, T), the characters that follow, `targets` (B, T), and log-probabilities `prior` (B, T, V) of
    the n-gram prior."""

    inputs: Tensor
    targets: Tensor
    prior: Tensor | None = None

    def to(self, device: torch.device) -> "Batch":
        """Return the same batch on `device`; what is in page-locked memory is copied in the background."""
        in_background = device.type == "cuda"
        return self._with(lambda tensor: tensor.to(device, non_blocking=in_background))

    def pinned(self) -> "Batch":
        """Return the same batch in page-locked memory, where there is a GPU."""
        return self._with(Tensor.pin_memory) if torch.cuda.is_available() else self

    def _with(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        return Batch(change(self.inputs), change(self.targets), None if self.prior is None else change(self.prior))

    def split(self, count: int) -> "list[Batch]":
        """Return the same windows in at most `count` batches of about equal size, in order."""
        count = min(count, len(self.inputs))
        priors = [None] * count if self.prior is None else self.prior.tensor_split(count)
        parts = zip(self.inputs.tensor_split(count), self.targets.tensor_split(count), priors, strict=True)
        return [Batch(inputs, targets, prior) for inputs, targets, prior in parts]

    def passes(self, count: int, networks: int) -> "list[Batch]":
        """Return the same windows in at most `count` batches, each with about equally many windows of each network."""
        by_network = self.split(networks)
        count = min(count, *(len(batch.inputs) for batch in by_network))
        parts = zip(*(batch.split(count) for batch in by_network), strict=True)
        return [part[0] if networks == 1 else _joined(part) for part in parts]

    def thinned(self, count: int) -> "Batch":
        """Return a batch of `count` evenly spread windows."""
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


class Batches:
    """The batches of one rank in a run; a run in one process has one rank."""

    def __init__(self, corpus: Corpus, order: WindowOrder, share: Share, prior: NgramPrior | None) -> None:
        self._corpus = corpus
        self._order = order
        self._share = share
        self._block_size = order.block_size
        self._prior = prior
        self._windows_read = 0

    @classmethod
    def of(cls, config: RunConfig, corpus: Corpus, prior: NgramPrior | None, ranks: Ranks = ALONE) -> "Batches":
        """Return the batches of this rank in such a run. Raises ConfigError where it cannot be divided."""
        order = WindowOrder(len(corpus.train), config.model.block_size, config.train.seed)
        return cls(corpus, order, Share.of(config, ranks), prior)

    @property
    def per_step(self) -> int:
        """The number of training batches of this rank in a step."""
        return self._share.batches

    @property
    def tokens_per_step(self) -> int:
        """Characters that each network reads in this rank's part of a step."""
        return self._share.windows * self._block_size

    def training(self, number: int) -> Batch:
        """Return batch `number` of this rank, which counts from 0 over all steps."""
        return self._training_batch(self._order.starts(self._share.places(number)))

    @property
    def record_tokens(self) -> int:
        """The number of validation characters that the loss of record is measured on."""
        return record_tokens(len(self._corpus.val), self._block_size)

    def training_sample(self, tokens: int = TRAIN_SAMPLE_TOKENS) -> Iterator[Batch]:
        """Yield evenly spread training windows of about that many characters, to be evaluated."""
        count = max(1, min(tokens, TRAIN_SAMPLE_TOKENS) // self._block_size)
        places = len(self._corpus.train) - self._block_size
        starts = np.unique((np.arange(count) * 2 + 1) * places // (2 * count))
        rows = max(1, self._tokens_per_batch(tokens) // self._block_size)
        for first in range(0, len(starts), rows):
            yield self._training_batch(starts[first : first + rows])

    def validation(self, tokens: int | None = None) -> Iterator[Batch]:
        """Yield evenly spread, non-overlapping validation windows of about that many characters, by default
        `record_tokens`."""
        wanted = self.record_tokens if tokens is None else tokens
        windows = validation_windows(self._corpus.val, self._block_size, wanted, self._tokens_per_batch(wanted))
        for inputs, targets in windows:
            self._note_read(len(inputs))
            yield self._validation_batch(inputs, targets)

    def difficulty(self, tokens: int) -> float:
        """Return the n-gram prior's loss of record minus its loss on `tokens` validation characters, in nats per
        character; 0 without a prior."""
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
        """Return how many characters a replica processes in one pass, so that even a few are divided between two."""
        return min(TOKENS_PER_BATCH, LOGITS_PER_BATCH // self._corpus.tokenizer.vocab_size, -(-wanted // 2))

    def _training_batch(self, starts: Starts) -> Batch:
        inputs, targets = gather(self._corpus.train, starts, self._block_size)
        self._note_read(len(inputs))
        rows = None if self._prior is None else self._prior.training_rows(starts, self._block_size)
        return _batch(inputs, targets, rows)

    def _note_read(self, windows: int) -> None:
        """Count windows that were read, and release the pages of large texts from time to time."""
        self._windows_read += windows
        if self._windows_read >= RELEASE_WINDOWS:
            self._corpus.release_pages()
            self._windows_read = 0

    def _validation_batch(self, inputs: Windows, targets: Windows) -> Batch:
        return _batch(inputs, targets, None if self._prior is None else self._prior.rows(inputs))


def _batch(inputs: Windows, targets: Windows, prior: npt.NDArray[np.float32] | None) -> Batch:
    """Return a batch of tensors that share the arrays' memory."""
    rows = None if prior is None else torch.from_numpy(prior)
    return Batch(torch.from_numpy(inputs), torch.from_numpy(targets), rows)
