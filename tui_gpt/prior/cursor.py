"""Read texts one token at a time with an n-gram prior, for generation."""

import numpy as np

from tui_gpt.prior.table import Floats, Table, log_prob_rows
from tui_gpt.prior.trie import Contexts, Ints, Trie


class NgramCursor:
    """The contexts of `batch_size` texts, empty at first."""

    def __init__(self, trie: Trie, table: Table, batch_size: int) -> None:
        self.trie = trie
        self.table = table
        nothing = np.full(batch_size, -1, np.int64)
        self._contexts: Contexts = [np.zeros(batch_size, np.int64), *[nothing] * (trie.order - 1)]

    def advance(self, tokens: Ints) -> Floats:
        """Append a token (B,) to each text and return the log-probabilities (B, V) of the next ones."""
        longer = [self.trie.extend(k, self._contexts[k], tokens) for k in range(self.trie.order - 1)]
        self._contexts = [self._contexts[0], *longer]
        return log_prob_rows(self.trie, self.table, self._contexts)
