"""Reading on, a character at a time: keys and values are computed once and cached, not anew for every character.

How it goes on where the window of block_size characters is full depends on how a model tells positions apart.

A modern model only knows distances (rotary positions), so what is in its cache stays good: the oldest character makes
room for the newest, and every character is predicted from a full window. What it never was in training, its deeper
layers then remember a little of what has left the window, its prior and its matches (induction.py) look beyond it, and
nothing is read twice. Over 60,000 unseen characters the shipped model (a window of 256) loses 1.328 nats each this way
and 1.401 by the window rule.

A classic model learned a vector for each place in the window, so its cache cannot slide. By the window rule the newest
quarter of a full window is read again as a fresh window (`context_start`): what the model sees is exactly what it was
trained on, at the price of a short parallel pass now and then. The less is kept, the less is read again and the less
the model knows: by that rule the shipped one would lose 0.004 nats with an eighth and gain 0.010 with a half.

The decoders here are the plain path: eager PyTorch, everywhere the same. They do not choose characters (sampling.py).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from tui_gpt.config import ModelConfig
from tui_gpt.models import classic, modern
from tui_gpt.models.build import LanguageModel
from tui_gpt.models.classic import Classic
from tui_gpt.models.ensemble import log_mean_probabilities, networks_of
from tui_gpt.models.induction import MAX_DISTANCE, MAX_LENGTH, Matches
from tui_gpt.models.modern import NGRAM_TABLES, Modern, Rotary, layer_norm, rotary_table
from tui_gpt.prior.cursor import NgramCursor
from tui_gpt.prior.ngram import NgramPrior
from tui_gpt.training.device import using_cores

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


def context_start(position: int, block_size: int) -> int:
    """Where a classic model's window begins that predicts the character at `position`, the number of those before it.

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
HISTORY = MAX_DISTANCE + MAX_LENGTH
"""How far back a modern model's matches look."""
PIECE = 256
"""How many characters of a long text are read at once, at most: what each of them may see is a table of its own."""


def reach(config: ModelConfig) -> int:
    """How many of a text's last characters decide what a model says next; to read more changes nothing."""
    if config.architecture == "classic":
        return config.block_size
    looked_up = HISTORY if config.induction else max(config.ngram_order, CHARACTERS_BEFORE)
    return config.n_layer * (config.block_size - 1) + 1 + looked_up


class Decoder(Protocol):
    """A model with its cache: reads B texts of equal length in parallel."""

    @property
    def is_endless(self) -> bool:
        """Whether `advance` may be called without end; else no more than block_size characters can be read in all."""

    def start(self, tokens: Ints) -> Floats:
        """Forget everything, then read (B, T); logits (B, V) of the next character."""

    def advance(self, tokens: Ints) -> Floats:
        """Read one more character (B,) of each; logits (B, V). The next call may write over the array."""


class PlainDecoder(Decoder, Protocol):
    """A decoder that can look at every position of a text, too."""

    def readings(self, tokens: Ints) -> Iterator[Floats]:
        """Read a text (T,) from its beginning: logits (n, V) after its characters, piece by piece."""


class Reader:
    """B texts being read without end: a decoder that is not endless starts anew by the window rule."""

    def __init__(self, decoder: Decoder, block_size: int) -> None:
        self._decoder = decoder
        self._block_size = block_size
        self._window = np.zeros((1, 0), np.int64)
        self._length = 0

    def start(self, tokens: Ints) -> Floats:
        """Begin with (B, T) characters; logits (B, V)."""
        if self._decoder.is_endless:
            return self._decoder.start(tokens)
        tail = tokens[:, -self._block_size :]
        self._length = tail.shape[1]
        self._window = np.zeros((len(tail), self._block_size), np.int64)
        self._window[:, : self._length] = tail
        return self._decoder.start(tail)

    def advance(self, tokens: Ints) -> Floats:
        """Read one more character (B,) of each text; logits (B, V)."""
        if self._decoder.is_endless:
            return self._decoder.advance(tokens)
        if self._length < self._block_size:
            self._window[:, self._length] = tokens
            self._length += 1
            return self._decoder.advance(tokens)
        newer = self._window[:, window_stride(self._block_size) :]
        return self.start(np.concatenate([newer, tokens[:, None]], axis=1))


class CachedDecoder(ABC):
    """What the decoders of both models share. Dropout has no place here."""

    def __init__(self, model: Classic | Modern) -> None:
        self._config = model.config
        self._device = model.token_embedding.weight.device
        self._length = 0
        """Characters that were read since the start."""

    def advance(self, tokens: Ints) -> Floats:
        """Read one more character (B,) of each; logits (B, V)."""
        return self._logits(tokens[:, None])[:, 0]

    def _logits(self, tokens: Ints, every: bool = False) -> Floats:
        with using_cores(1), torch.inference_mode():
            return (
                self._read(torch.from_numpy(tokens.astype(np.int64, copy=False)).to(self._device), every).cpu().numpy()
            )

    @abstractmethod
    def _read(self, tokens: Tensor, every: bool) -> Tensor:
        """Read (B, T) after what is in the cache; logits (B, T, V), or (B, 1, V) of the last position alone."""


class ClassicDecoder(CachedDecoder):
    """`Classic` with cached keys and values of one window."""

    is_endless = False

    def __init__(self, model: Classic) -> None:
        super().__init__(model)
        self._model = model
        self._cache = torch.zeros(0)
        """(L, 2, B, H, block_size, D): keys and values."""

    def start(self, tokens: Ints) -> Floats:
        """Read whole windows (B, T) and remember them; logits (B, V)."""
        self._clear(len(tokens))
        return self._logits(tokens)[:, 0]

    def readings(self, tokens: Ints) -> Iterator[Floats]:
        """Read a text (T,) by the window rule: logits (n, V) after its characters, window after window."""
        size, read = self._config.block_size, 0
        while read < len(tokens):
            begin = context_start(read + 1, size)
            self._clear(1)
            yield self._logits(tokens[None, begin : begin + size], every=True)[0, read - begin :]
            read = begin + size

    def _clear(self, batch_size: int) -> None:
        config = self._config
        shape = (config.n_layer, 2, batch_size, config.n_head, config.block_size, config.n_embd // config.n_head)
        if self._cache.shape != shape:
            self._cache = torch.zeros(shape, device=self._device)
        self._length = 0

    def _attended(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """What the heads find (B, H, T, D) for q, in the cache and in k and v, which are put into it."""
        keys, values = self._cache[layer]
        T = q.shape[2]
        end = self._length + T
        keys[:, :, self._length : end] = k
        values[:, :, self._length : end] = v
        return F.scaled_dot_product_attention(q, keys[:, :, :end], values[:, :, :end], is_causal=T > 1)

    def _read(self, tokens: Tensor, every: bool) -> Tensor:
        model = self._model
        x = model.token_embedding(tokens)  # (B, T, C)
        if self._config.n_layer:
            x = x + model.position_embedding.weight[self._length : self._length + tokens.shape[1]]
            for layer, block in enumerate(cast("Sequence[classic.Block]", model.blocks)):
                q, k, v = block.attention.project_qkv(block.attention_norm(x))
                x = x + block.attention.merge_heads(self._attended(layer, q, k, v))
                x = x + block.feed_forward(block.feed_forward_norm(x))
        self._length += tokens.shape[1]
        return model.logits(x if every else x[:, -1:])


class ModernDecoder(CachedDecoder):
    """The networks of a modern model, whose predictions are averaged: of each the keys and values of the newest
    block_size characters, of all together what they are told, by the n-gram prior and the matches."""

    is_endless = True

    def __init__(self, networks: Sequence[Modern], prior: NgramPrior | None) -> None:
        super().__init__(networks[0])
        self._networks = networks
        self._prior = prior
        self._cursor: NgramCursor | None = None
        self._cache: list[tuple[Tensor, Tensor]] = []
        """Of each layer of each network keys and values (B, H, up to block_size - 1, D)."""
        self._history = torch.zeros(0)
        """(B, up to HISTORY): the newest characters."""
        self._seen: Tensor | None = None
        """(T, n): what each of the T positions being read may see of n in the cache and among them; None for all."""

    def start(self, tokens: Ints) -> Floats:
        """Forget everything, then read (B, T); logits (B, V)."""
        self._clear(len(tokens))
        *_, last = self._pieces(tokens[:, -reach(self._config) :], every=False)
        return last[:, 0]

    def readings(self, tokens: Ints) -> Iterator[Floats]:
        """Read a text (T,) from its beginning: logits (n, V) after its characters, piece by piece."""
        self._clear(1)
        for logits in self._pieces(tokens[None], every=True):
            yield logits[0]

    def _pieces(self, tokens: Ints, every: bool) -> Iterator[Floats]:
        for begin in range(0, tokens.shape[1], PIECE):
            yield self._logits(tokens[:, begin : begin + PIECE], every)

    def _clear(self, batch_size: int) -> None:
        config = self._config
        nothing = torch.zeros(batch_size, config.n_head, 0, config.n_embd // config.n_head, device=self._device)
        self._cache = [(nothing, nothing)] * (len(self._networks) * config.n_layer)
        self._history = torch.zeros(batch_size, 0, dtype=torch.int64, device=self._device)
        self._length = 0

    def _read(self, tokens: Tensor, every: bool) -> Tensor:
        T = tokens.shape[1]
        read = torch.cat([self._history, tokens], dim=1)
        told = self._rotary(T), self._prior_rows(read, T), self._networks[0].matches(read, T)
        self._seen = self._visible(T)
        votes = [self._vote(number, tokens, *told, every) for number in range(len(self._networks))]
        self._history = read[:, -HISTORY:]
        self._length += T
        return votes[0] if len(votes) == 1 else log_mean_probabilities(votes)

    def _vote(
        self, number: int, tokens: Tensor, rotary: Rotary, rows: Tensor | None, matches: Matches | None, every: bool
    ) -> Tensor:
        """Logits of one network."""
        model = self._networks[number]
        x = model.embed(tokens, rows, matches, self._history[:, -CHARACTERS_BEFORE:])
        for layer, block in enumerate(cast("Sequence[modern.Block]", model.blocks), number * self._config.n_layer):
            q, k, v = block.attention.project_qkv(layer_norm(x), rotary)
            x = x + block.attention.merge_heads(self._attended(layer, q, k, v))
            x = x + block.feed_forward(layer_norm(x))
        if every:
            return model.logits(x, rows, matches)
        return model.logits(
            x[:, -1:], None if rows is None else rows[:, -1:], None if matches is None else matches.last
        )

    def _visible(self, count: int) -> Tensor | None:
        """What each of the next positions may see: itself and the block_size - 1 before it."""
        if count == 1:
            return None
        size = self._config.block_size
        places = torch.arange(min(self._length, size - 1) + count, device=self._device)
        ages = places[-count:, None] - places
        return (ages >= 0) & (ages < size)

    def _rotary(self, count: int) -> Rotary:
        """The angles of the next positions."""
        positions = torch.arange(self._length, self._length + count, dtype=torch.float64)
        cosines, sines = rotary_table(positions, self._config.n_embd // self._config.n_head)
        return cosines.to(self._device), sines.to(self._device)

    def _attended(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """What the heads find (B, H, T, D) for q, in the cache and in k and v, which are put into it."""
        keys, values = (torch.cat(pair, dim=2) for pair in zip(self._cache[layer], (k, v), strict=True))
        stays = max(0, keys.shape[2] - self._config.block_size + 1)
        self._cache[layer] = keys[:, :, stays:], values[:, :, stays:]
        return F.scaled_dot_product_attention(q, keys, values, attn_mask=self._seen)

    def _prior_rows(self, read: Tensor, count: int) -> Tensor | None:
        """(B, count, V): the prior's log-probabilities after each of the last of the characters `read` (B, n)."""
        if self._prior is None:
            return None
        ids = read[:, -(count + self._prior.order) :].cpu().numpy()
        if count > 1 or self._cursor is None or not self._length:
            self._cursor = self._prior.cursor(len(ids))
            for column in ids.T[-self._prior.order :]:
                self._cursor.advance(column)
            rows = self._prior.rows(ids)[:, -count:]
        else:
            rows = self._cursor.advance(ids[:, -1])[:, None]
        return torch.from_numpy(rows).to(self._device)


def plain_decoder(model: LanguageModel, prior: NgramPrior | None) -> PlainDecoder:
    """The decoder of `model` in eager PyTorch."""
    return ClassicDecoder(model) if isinstance(model, Classic) else ModernDecoder(networks_of(model), prior)
