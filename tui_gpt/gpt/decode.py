"""Reading on, a character at a time: keys and values are computed once and cached, not anew for every character.

The window rule explains the rest. A model has only ever seen windows of block_size characters with nothing before them,
and its first-layer keys depend on the position in the window. So when the window is full its newest quarter is read
again as a fresh window (`context_start`). What the model sees is then always exactly what it was trained on, any oracle
can recompute it, and the re-reading costs one short parallel pass now and then. A ring of cached keys would slide by
single characters instead, but its deeper layers would remember what has left the window. Why a quarter: the shipped
model (a window of 256) predicts 60,000 unseen characters equally well, within 0.001 nats, whether an eighth, a quarter
or seven eighths are kept, and worse by 0.013 if nothing is; and the less is kept, the less is read again.

The decoders here are the plain path: eager PyTorch, everywhere the same. They do not choose characters (sampling.py).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from tui_gpt.gpt import classic, modern
from tui_gpt.gpt.build import LanguageModel
from tui_gpt.gpt.classic import Classic
from tui_gpt.gpt.committee import averaged, networks_of
from tui_gpt.gpt.modern import NGRAM_TABLES, Modern, Rotary, normalised, rotary_table
from tui_gpt.gpt.ngram import NgramCursor, NgramPrior
from tui_gpt.gpt.world import using_cores

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


def context_start(position: int, block_size: int) -> int:
    """Where the window begins that predicts the character at `position`, the number of characters before it.

    A window grows from a quarter of block_size (from nothing, at the beginning) to block_size and then starts anew.
    """
    if position <= block_size:
        return 0
    stride = window_stride(block_size)
    return -(-(position - block_size) // stride) * stride


def window_stride(block_size: int) -> int:
    """By how much the start of a full window moves on."""
    return block_size - block_size // 4


CHARACTERS_BEFORE = len(NGRAM_TABLES)
"""How far back a modern model's n-gram embedding looks."""


class Decoder(Protocol):
    """A model with its cache: reads B texts of equal length in parallel, from the beginning of a window."""

    def start(self, tokens: Ints) -> Floats:
        """Read whole windows (B, T) and remember them; logits (B, V) of the next character."""

    def advance(self, tokens: Ints) -> Floats:
        """Read one more character (B,) of each; logits (B, V). The next call may write over the array."""


class PlainDecoder(Decoder, Protocol):
    """A decoder that can look at every position of a window, too."""

    def predict(self, tokens: Ints) -> Floats:
        """Read whole windows (B, T), nothing before them; logits (B, T, V) of each character's successor."""


class Reader:
    """B texts being read without end, by the window rule. Keeps the last window's characters, nothing older."""

    def __init__(self, decoder: Decoder, block_size: int) -> None:
        self._decoder = decoder
        self._block_size = block_size
        self._window = np.zeros((1, 0), np.int64)
        self._length = 0

    def start(self, tokens: Ints) -> Floats:
        """Begin with (B, T) characters, of which the last block_size count; logits (B, V)."""
        tail = tokens[:, -self._block_size :]
        self._length = tail.shape[1]
        self._window = np.zeros((len(tail), self._block_size), np.int64)
        self._window[:, : self._length] = tail
        return self._decoder.start(tail)

    def advance(self, tokens: Ints) -> Floats:
        """Read one more character (B,) of each text; logits (B, V)."""
        if self._length < self._block_size:
            self._window[:, self._length] = tokens
            self._length += 1
            return self._decoder.advance(tokens)
        newer = self._window[:, window_stride(self._block_size) :]
        return self.start(np.concatenate([newer, tokens[:, None]], axis=1))


class CachedDecoder(ABC):
    """What the decoders of both models share: the cache and its length. Dropout has no place here."""

    def __init__(self, model: Classic | Modern) -> None:
        self._config = model.config
        self._device = model.token_embedding.weight.device
        self.cache = torch.zeros(0)
        """(L, 2, B, H, block_size, D): keys and values."""
        self._length = 0

    def predict(self, tokens: Ints) -> Floats:
        """Read whole windows (B, T), nothing before them; logits (B, T, V) of each character's successor."""
        self._clear(len(tokens))
        return self._logits(tokens, every=True)

    def start(self, tokens: Ints) -> Floats:
        """Read whole windows (B, T) and remember them; logits (B, V)."""
        self._clear(len(tokens))
        return self._logits(tokens)[:, 0]

    def advance(self, tokens: Ints) -> Floats:
        """Read one more character (B,) of each; logits (B, V)."""
        return self._logits(tokens[:, None])[:, 0]

    def _logits(self, tokens: Ints, every: bool = False) -> Floats:
        with using_cores(1), torch.inference_mode():
            return self._read(torch.from_numpy(tokens).to(self._device), every).cpu().numpy()

    @abstractmethod
    def _read(self, tokens: Tensor, every: bool) -> Tensor:
        """Read (B, T) after what is in the cache; logits (B, T, V), or (B, 1, V) of the last position alone."""

    def _clear(self, batch_size: int) -> None:
        config = self._config
        shape = (config.n_layer, 2, batch_size, config.n_head, config.block_size, config.n_embd // config.n_head)
        if self.cache.shape != shape:
            self.cache = torch.zeros(shape, device=self._device)
        self._length = 0

    def _attended(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """What the heads find (B, H, T, D) for q, in the cache and in k and v, which are put into it."""
        keys, values = self.cache[layer]
        T = q.shape[2]
        end = self._length + T
        keys[:, :, self._length : end] = k
        values[:, :, self._length : end] = v
        return F.scaled_dot_product_attention(q, keys[:, :, :end], values[:, :, :end], is_causal=T > 1)


class ClassicDecoder(CachedDecoder):
    """`Classic` with cached keys and values."""

    def __init__(self, model: Classic) -> None:
        super().__init__(model)
        self._model = model

    def _read(self, tokens: Tensor, every: bool) -> Tensor:
        model = self._model
        x = model.token_embedding(tokens)  # (B, T, C)
        if self._config.n_layer:
            x = x + model.position_embedding.weight[self._length : self._length + tokens.shape[1]]
            for layer, block in enumerate(cast("Sequence[classic.Block]", model.blocks)):
                q, k, v = block.attention.heads(block.attention_norm(x))
                x = x + block.attention.merged(self._attended(layer, q, k, v))
                x = x + block.feed_forward(block.feed_forward_norm(x))
        self._length += tokens.shape[1]
        return model.logits(x if every else x[:, -1:])


class ModernDecoder(CachedDecoder):
    """`Modern` with cached keys and values, and a cursor in its n-gram prior that starts anew with each window."""

    def __init__(self, model: Modern, prior: NgramPrior | None) -> None:
        super().__init__(model)
        self._model = model
        self._prior = prior
        self._cursor: NgramCursor | None = None
        self._window = torch.zeros(0)
        positions = torch.arange(model.config.block_size, device=self._device)
        self._rotary: Rotary = rotary_table(positions, model.config.n_embd // model.config.n_head)

    def _read(self, tokens: Tensor, every: bool) -> Tensor:
        model, begin = self._model, self._length
        end = begin + tokens.shape[1]
        rotary = self._rotary[0][begin:end], self._rotary[1][begin:end]
        rows = self._prior_rows(tokens)
        before = self._window[:, -CHARACTERS_BEFORE:] if begin else None
        self._window = torch.cat([self._window, tokens], dim=1) if begin else tokens
        matches = model.matches(self._window, tokens.shape[1])
        x = model.embedded(tokens, rows, matches, before)
        for layer, block in enumerate(cast("Sequence[modern.Block]", model.blocks)):
            q, k, v = block.attention.heads(normalised(x), rotary)
            x = x + block.attention.merged(self._attended(layer, q, k, v))
            x = x + block.feed_forward(normalised(x))
        self._length = end
        if every:
            return model.logits(x, rows, matches)
        return model.logits(
            x[:, -1:], None if rows is None else rows[:, -1:], None if matches is None else matches.last
        )

    def _prior_rows(self, tokens: Tensor) -> Tensor | None:
        """(B, T, V): the prior's log-probabilities after each of `tokens` (B, T), as far back as the window goes."""
        if self._prior is None:
            return None
        ids = tokens.cpu().numpy()
        if self._length == 0:
            rows = self._prior.rows(ids)
            self._cursor = self._prior.cursor(len(ids))
            for column in ids.T[-self._prior.order :]:
                self._cursor.advance(column)
        else:
            assert self._cursor is not None
            rows = self._cursor.advance(ids[:, 0])[:, None]
        return torch.from_numpy(rows).to(self._device)


class CommitteeDecoder:
    """The decoders of several networks, whose predictions are averaged."""

    def __init__(self, decoders: Sequence[PlainDecoder]) -> None:
        self._decoders = decoders

    def predict(self, tokens: Ints) -> Floats:
        """Read whole windows (B, T); log-probabilities (B, T, V) of each character's successor."""
        return self._averaged([decoder.predict(tokens) for decoder in self._decoders])

    def start(self, tokens: Ints) -> Floats:
        """Read whole windows (B, T) and remember them; log-probabilities (B, V)."""
        return self._averaged([decoder.start(tokens) for decoder in self._decoders])

    def advance(self, tokens: Ints) -> Floats:
        """Read one more character (B,) of each; log-probabilities (B, V)."""
        return self._averaged([decoder.advance(tokens) for decoder in self._decoders])

    def _averaged(self, logits: Sequence[Floats]) -> Floats:
        return averaged([torch.from_numpy(one) for one in logits]).numpy()


def plain_decoder(model: LanguageModel, prior: NgramPrior | None) -> PlainDecoder:
    """The decoder of `model` in eager PyTorch."""
    if isinstance(model, Classic):
        return ClassicDecoder(model)
    decoders = [ModernDecoder(network, prior) for network in networks_of(model)]
    return decoders[0] if len(decoders) == 1 else CommitteeDecoder(decoders)
