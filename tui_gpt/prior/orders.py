"""Validation losses of n-gram models of increasing order: what counting alone knows about a text.

Each order is counted separately. The lower orders of one long model would not do: they count distinct contexts
(continuation counts), and alone they predict worse than a model of that order.
"""

from collections.abc import Iterator

from tui_gpt.prior.ngram import NgramPrior
from tui_gpt.prior.sizing import MIN_COUNTED, default_order
from tui_gpt.text.dataset import Corpus
from tui_gpt.text.windows import validation_windows

MEASURED = 30_000
"""Validation characters that a loss is measured on, in evenly spread windows."""
_BLOCK_SIZE = 256
_TOKENS_PER_BATCH = 8_192


def validation_loss(corpus: Corpus, order: int) -> float:
    """Return the validation loss, in nats per character, of an n-gram model of `order` characters.

    At most MIN_COUNTED characters of the training part are counted and about MEASURED of the validation part predicted,
    in windows of 256 without context before them.
    """
    prior = NgramPrior.fit(corpus.train, corpus.tokenizer.vocab_size, order, limit=MIN_COUNTED)
    total, count = 0.0, 0
    for windows, targets in validation_windows(corpus.val, _BLOCK_SIZE, MEASURED, _TOKENS_PER_BATCH):
        total += float(prior.losses(windows, targets).sum())
        count += targets.size
    return total / count


def is_sampled(corpus: Corpus) -> bool:
    """Return whether the losses are those of a sample of the text."""
    return len(corpus.train) > MIN_COUNTED or len(corpus.val) > MEASURED + 1


def losses_by_order(corpus: Corpus) -> Iterator[tuple[int, float]]:
    """Yield order and `validation_loss` from order 1 to the highest that is worth counting."""
    for order in range(1, default_order(corpus.tokenizer.vocab_size) + 1):
        yield order, validation_loss(corpus, order)
