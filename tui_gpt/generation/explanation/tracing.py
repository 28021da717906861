"""A decoder that shows how it computed a prediction, and predicts at neighbouring positions of a text quickly."""

import functools
import threading
from dataclasses import dataclass

import numpy as np
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # it has no annotations

from tui_gpt.generation.decoder import CHUNK, HISTORY, LogitTerms, Lookups, NumpyDecoder
from tui_gpt.generation.weights import Floats, Ints, Model

SPARE_WINDOWS = 4
"""Windows of block_size positions that the cache holds in addition to those that one prediction needs."""


_LOCK = threading.Lock()
"""The number of BLAS threads belongs to the process: two traces at once would each restore what the other has set."""


@functools.cache
def _blas() -> ThreadpoolController:
    """Return what controls the threads of NumPy's own OpenBLAS, and of no other library.

    For products this small, and while training uses all cores, its threads mostly wait for each other: a step takes
    up to a hundred times as long as in one thread.
    """
    return ThreadpoolController().select(prefix="libscipy_openblas")


@dataclass(frozen=True)
class Trace:
    """How a model predicted the token after a text."""

    terms: LogitTerms
    """The terms (M, V) of each network's logits, by the part that they come from."""
    attention: Floats
    """(M, L, H, n): the attention weights of the newest position, over itself and the n - 1 before it."""


class TracingDecoder(NumpyDecoder):
    """Predicts the token after one text at a time, and keeps the keys and values of every position that it read.

    The text of the next call may be longer, shorter or another one: only positions that are not in the cache are read.
    """

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        config = model.config
        self._needed = config.n_layer * (config.block_size - 1) + 1
        self._known: Ints = np.zeros(0, np.int64)
        """(n,): the text read so far."""
        self._anchor = 0
        """The position of `_known` that the cache begins with."""
        self._terms: LogitTerms = {}
        self._attention_rows: list[Floats] = []
        size = (
            config.block_size if config.architecture == "classic" else self._needed + SPARE_WINDOWS * config.block_size
        )
        shape = (config.n_layer, 2, config.networks, 1, config.n_head, size, config.n_embd // config.n_head)
        self._kept: Floats = np.empty(shape, np.float32)
        """(L, 2, M, 1, H, size, D): keys and values from `_anchor` on."""

    def trace(self, tokens: Ints) -> Trace:
        """Return how the token after `tokens` (n,) is predicted; a classic model takes at most block_size tokens.

        May be called from several threads.
        """
        with _LOCK, _blas().limit(limits=1):
            for start in range(self._first_unread(tokens), len(tokens), CHUNK):
                self._read_at(tokens, start, min(start + CHUNK, len(tokens)))
            return self._trace()

    def _trace(self) -> Trace:
        """Return what the newest position has computed."""
        terms = {name: term[:, 0, 0] for name, term in self._terms.items()}
        M, H = self.model.config.networks, self.model.config.n_head
        no_layers = np.zeros((M, 0, H, 0), np.float32)
        return Trace(terms, np.stack(self._attention_rows, axis=1) if self._attention_rows else no_layers)

    def _first_unread(self, tokens: Ints) -> int:
        """Return from which position on `tokens` must be read, which always includes the last one.

        A position in the cache can be used if everything that it depends on was read as well: from the beginning of
        the text, or far enough from the beginning of the cache.
        """
        end = len(tokens)
        shared = min(end, len(self._known))
        differs = np.flatnonzero(self._known[:shared] != tokens[:shared])
        shared = int(differs[0]) if len(differs) else shared
        is_exact = self._anchor == 0 or end - self._anchor >= self._needed
        if self._anchor >= shared or not is_exact or end - self._anchor > self._kept.shape[5]:
            self._anchor = max(0, end - self._needed - self.model.config.block_size)
            shared = self._anchor
        if shared < end:
            self._known = tokens
        return min(shared, end - 1)

    def _read_at(self, tokens: Ints, start: int, end: int) -> None:
        """Read `tokens` from `start` to `end`, of which the keys and values of those before `start` are known."""
        self._position = start - self._anchor
        self._text = tokens[None, max(0, start - HISTORY) : start]
        self._attention_rows = []
        self._network_logits(tokens[None, start:end], last_only=True)

    def _clear(self, count: int) -> None:
        raise NotImplementedError("a TracingDecoder reads texts with `trace` alone")

    def _prior_rows(self, tokens: Ints) -> Floats | None:
        prior, T = self.model.prior, tokens.shape[1]
        return None if prior is None else prior.rows(self._text[:, -(T + prior.order) :])[:, -T:]

    def _remember(self, layer: int, new: Floats) -> tuple[Floats, Ints]:
        """Store keys and values (2, M, 1, H, T, D) in the cache, and return all that they may see, without a copy."""
        T, end = new.shape[-2], self._position
        kept = self._kept[layer]
        kept[..., end - T : end, :] = new
        first = max(0, end - T + 1 - self.model.config.block_size)
        return kept[..., first:end, :], np.arange(end - T, end)[:, None] - np.arange(first, end)

    def _attention_weights(self, q: Floats, keys: Floats, ages: Ints) -> Floats:
        weights = super()._attention_weights(q, keys, ages)
        self._attention_rows.append(weights[:, 0, :, -1][..., ages[-1] < self.model.config.block_size])
        return weights

    def _logit_terms(self, x: Floats, found: Lookups) -> LogitTerms:
        self._terms = super()._logit_terms(x, found)
        return self._terms
