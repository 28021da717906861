"""A slow modified Kneser-Ney model to compare with, and a text for both."""

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

TEXT = (
    "the cat sat on the mat and the rat sat on the cat; then the cat ate the rat that sat on the mat. "
    "a bat and a cat and a rat met at the mat, and that was that! "
)


def tokens_of(text: str) -> npt.NDArray[np.int64]:
    """Return the text's tokens, numbered in code point order."""
    return np.array([sorted(set(text)).index(character) for character in text])


TOKENS = tokens_of(TEXT)
VOCAB = int(TOKENS.max()) + 1


class SlowKneserNey:
    """Interpolated modified Kneser-Ney as in Chen and Goodman (1999), one context at a time; the text is a ring."""

    def __init__(
        self, tokens: npt.NDArray[np.int64], vocab_size: int, order: int, held_out: set[int], discounts: Any
    ) -> None:
        self.vocab_size, self.order, self.discounts = vocab_size, order, discounts
        size = len(tokens)
        ends = [end for end in range(size) if end not in held_out]
        grams = [tuple(int(tokens[(end - j) % size]) for j in reversed(range(order))) for end in ends]
        self.counts = {order: Counter(grams)}
        for k in range(order - 1, 0, -1):
            self.counts[k] = Counter(gram[1:] for gram in self.counts[k + 1])

    def probs(self, context: tuple[int, ...]) -> npt.NDArray[np.float64]:
        """Return (V,): probabilities after `context`, which is shorter than `order`."""
        counts = self.counts[len(context) + 1]
        row = np.array([counts[(*context, w)] for w in range(self.vocab_size)], float)
        if not context:
            discounted = np.maximum(row - 0.5, 0) / row.sum()
            smoothed: npt.NDArray[np.float64] = discounted + (1 - discounted.sum()) / self.vocab_size
            return smoothed
        shorter = self.probs(context[1:])
        if row.sum() == 0:
            return shorter
        discount = self.discounts[len(context) + 1][np.minimum(row, 3).astype(int)]
        longer: npt.NDArray[np.float64] = (row - discount) / row.sum() + discount.sum() / row.sum() * shorter
        return longer
