"""How much of a text an n-gram prior counts, of what order, and how long that takes."""

from tui_gpt.config import RunConfig

FIT_LIMIT = 3_000_000
"""Tokens counted at most, so that memory is bounded for any text."""
MIN_COUNTED = 1_000_000
"""Tokens counted under any time budget."""
COUNTED_PER_SECOND = 30_000
"""Tokens counted per second of a time budget."""
SECONDS_PER_TOKEN = 1.7e-6
"""Time to count, on a slow CPU."""
MAX_ORDER = 16
"""Longest n-grams, in tokens; the configuration of a model has the same limit."""
SMALL_ALPHABET = 256
"""Vocabulary size up to which n-grams of any order recur often enough to be counted."""


def count_limit(max_seconds: float | None) -> int:
    """Return how many tokens a run with a time budget counts at most, so that counting takes a small part of it."""
    return FIT_LIMIT if max_seconds is None else min(FIT_LIMIT, max(MIN_COUNTED, int(COUNTED_PER_SECOND * max_seconds)))


def counting_seconds(config: RunConfig, n_tokens: int) -> float:
    """Return about how many seconds counting takes for a training text of `n_tokens`."""
    counted = min(n_tokens, count_limit(config.train.max_seconds)) if config.model.ngram_order else 0
    return counted * SECONDS_PER_TOKEN


def default_order(vocab_size: int) -> int:
    """Return the longest n-gram that is worth counting: the larger the alphabet, the fewer n-grams recur."""
    return 7 if vocab_size <= SMALL_ALPHABET else 5 if vocab_size <= 1000 else 4


def capped_order(order: int, vocab_size: int) -> int:
    """Return `order`, or less for a large alphabet."""
    return order if vocab_size <= SMALL_ALPHABET else min(order, default_order(vocab_size))
