"""Incremental decoding in NumPy with a KV cache: the forward pass of a model, character by character.

What happens when the window of block_size characters is full depends on how a model encodes positions.

A modern model only sees distances (rotary positions), so its cache stays valid: the newest character replaces the
oldest, every character is predicted from a full window, and nothing is read twice. Its prior and its matches see
beyond the window. Over 60,000 unseen characters the shipped model loses 1.328 nats per character this way and 1.401 by
the rule below.

A classic model learned a vector for each position in the window, so its cache cannot slide: the newest quarter of a
full window is read again as the beginning of the next one (`context_start`). So it sees exactly what it was trained on,
at the cost of reading a quarter of a window now and then.

Shapes: B texts, T positions, C = n_embd, H heads of D = C / H, V characters, S = block_size, M networks, L layers.
"""

import copy
import functools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, Self

import numpy as np
import numpy.typing as npt

from tui_gpt.config import LOGIT_CAP, MATCH_LENGTH, MATCH_REACH, NGRAM_TABLES, ROTARY_BASE, ModelConfig, SampleConfig
from tui_gpt.generation.activations import gelu
from tui_gpt.generation.matches import Matches, find_matches
from tui_gpt.generation.sampling import choose, log_softmax, softmax
from tui_gpt.generation.weights import Floats, Ints, Model
from tui_gpt.prior.cursor import NgramCursor

Uniforms = npt.NDArray[np.float64]
PartName = Literal["network", "matches", "prior"]
"""A part of a model that adds a term to its logits."""
LogitTerms = dict[PartName, Floats]
"""The terms (..., V) of the parts that a model has; their sum is the logits."""

NORM_EPSILON = 1e-5
HISTORY = MATCH_REACH + MATCH_LENGTH
"""Characters that a modern model searches for matches."""
CHUNK = 256
"""Maximum number of positions that are read at once."""


def window_stride(block_size: int) -> int:
    """Return how far the start of a classic model's full window moves."""
    return block_size - block_size // 4


def context_start(position: int, block_size: int) -> int:
    """Return where the window begins from which a classic model predicts the character at `position`."""
    stride = window_stride(block_size)
    return max(0, -(-(position - block_size) // stride) * stride)


def receptive_field(config: ModelConfig) -> int:
    """Return how many of a text's last characters affect the prediction; reading more changes nothing."""
    if config.architecture == "classic":
        return config.block_size
    looked_up = HISTORY if config.induction else max(config.ngram_order, len(NGRAM_TABLES))
    return config.n_layer * (config.block_size - 1) + 1 + looked_up


class Steps(Protocol):
    """A decoder that reads one character of each text at a time."""

    logits: Floats
    """(B, V): logits of the next character of each text."""

    def advance(self, tokens: Ints) -> Floats:
        """Read one more character (B,) of each text; return logits (B, V)."""


def generate_by_steps(decoder: Steps, config: SampleConfig, uniforms: Uniforms) -> tuple[Ints, Floats]:
    """Draw and read one character at a time; see `Decoder.generate`."""
    tokens, logits = [], []
    for row in uniforms:
        logits.append(decoder.logits)
        tokens.append(choose(decoder.logits, config, row))
        decoder.advance(tokens[-1])
    return np.stack(tokens), np.stack(logits)


class Decoder(ABC):
    """Predicts the next character of B texts in parallel, however long they become.

    The logits of a text, and the characters drawn from them, do not depend on B, to the last bit.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.logits: Floats = np.zeros((0, model.vocab_size), np.float32)
        """(B, V): logits of the next character of each text."""
        self._is_modern = model.config.architecture == "modern"
        self._position = 0
        """Number of characters read since the cache was cleared."""
        self._text: Ints = np.zeros((0, 0), np.int64)
        """(B, n): the newest characters, all that can still be needed."""

    def start(self, tokens: Ints, count: int = 1) -> Floats:
        """Read a new text (T,), to be continued as `count` texts; return logits (count, V)."""
        self._clear(1)
        self._read_chunks(tokens[None, -receptive_field(self.model.config) :])
        if count > 1:
            self._select(np.zeros(count, np.int64))
        return self.logits

    def fork(self, rows: Ints) -> Self:
        """Return a decoder that continues copies of these of the texts (n,), a text as often as it is named.

        This one is not changed by it.
        """
        other = copy.copy(self)
        other._select(rows)
        return other

    def advance(self, tokens: Ints) -> Floats:
        """Read one more character (B,) of each text; return logits (B, V)."""
        read = tokens[:, None]
        if self._free_positions == 0:
            read = np.concatenate([self._text[:, window_stride(self.model.config.block_size) :], read], axis=1)
            self._clear(len(tokens))
        self._read_chunks(read)
        return self.logits

    def generate(self, config: SampleConfig, uniforms: Uniforms) -> tuple[Ints, Floats]:
        """Generate n characters per text, drawn with `uniforms` (n, B) in [0, 1); return tokens (n, B) and the logits
        (n, B, V) that they were drawn from."""
        return generate_by_steps(self, config, uniforms)

    def extend(self, tokens: Ints) -> None:
        """Read at most `readable` more characters (T,) of one text."""
        self._read_chunks(tokens[None])

    @property
    def readable(self) -> int:
        """The number of characters that can be read in addition such that the logits are those after reading all."""
        return receptive_field(self.model.config) if self._free_positions is None else self._free_positions

    def _select(self, rows: Ints) -> None:
        """Continue these of the texts (n,), in new arrays."""
        self._select_cache(rows)
        self._text = self._text[rows]
        self.logits = self.logits[rows]

    @property
    def _free_positions(self) -> int | None:
        """Characters that still fit into a classic model's window; None for a modern model, whose window slides."""
        return None if self._is_modern else self.model.config.block_size - self._position

    def _read_chunks(self, tokens: Ints) -> None:
        """Read (B, T) more characters, T at least one."""
        for begin in range(0, tokens.shape[1], CHUNK):
            self.logits = self._read(tokens[:, begin : begin + CHUNK])

    def _append(self, tokens: Ints) -> None:
        """Append (B, T) characters to those that have been read."""
        kept = HISTORY + tokens.shape[1] if self._is_modern else self.model.config.block_size
        self._text = np.concatenate([self._text, tokens], axis=1)[:, -kept:]
        self._position += tokens.shape[1]

    def _clear(self, count: int) -> None:
        """Clear the cache, and prepare to read `count` texts."""
        self._position = 0
        self._text = np.zeros((count, 0), np.int64)

    @abstractmethod
    def _select_cache(self, rows: Ints) -> None:
        """Replace the cache by a new one for these of the texts (n,)."""

    @abstractmethod
    def _read(self, tokens: Ints) -> Floats:
        """Read (B, T) more characters, T at most CHUNK; return logits (B, V) after the last."""


def layer_norm(x: Floats) -> Floats:
    """Return (..., D) with mean 0 and variance 1 over D."""
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred * centred).mean(-1, keepdims=True) + np.float32(NORM_EPSILON))  # type: ignore[no-any-return]


def rotary_table(position: int, count: int, head_size: int) -> tuple[Floats, Floats]:
    """Return cosines and sines (count, D / 2) for `count` positions, beginning at `position` (Su et al. 2021)."""
    speeds = ROTARY_BASE ** (-2 * np.arange(head_size // 2) / head_size)
    angles = np.arange(position, position + count)[:, None] * speeds
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def rotated(x: Floats, table: tuple[Floats, Floats]) -> Floats:
    """Return (..., T, D) with each pair of channels rotated by its position's angle."""
    cosines, sines = table
    left, right = np.split(x, 2, axis=-1)
    return np.concatenate([left * cosines - right * sines, left * sines + right * cosines], axis=-1)


def ngram_rows(text: Ints, last: int, vocab_size: int) -> Ints:
    """Return (B, last, 3): rows of the n-gram embedding, for the n-grams that end at the `last` positions of (B, n)."""
    padded = np.pad(text, ((0, 0), (len(NGRAM_TABLES), 0)))
    end, offset, rows = padded.shape[1], 0, []
    key = padded[:, end - last :]
    for n, size in enumerate(NGRAM_TABLES, 1):
        key = key * vocab_size + padded[:, end - last - n : end - n]
        spread = key if vocab_size**2 <= size and n == 1 else (key * 0x9E3779B1 & 0xFFFFFFFFFFFF) >> 16
        rows.append(spread % size + offset)
        offset += size
    return np.stack(rows, axis=-1)


def averaged(logits: Floats) -> Floats:
    """Return log(mean of the networks' probabilities) (..., V) for logits (M, ..., V); the logits if M is 1."""
    if len(logits) == 1:
        return logits[0]  # type: ignore[no-any-return]
    return np.logaddexp.reduce(log_softmax(logits), axis=0) - np.float32(np.log(len(logits)))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Lookups:
    """The lookups for T positions of B texts, which all networks of an ensemble share."""

    prior: Floats | None
    """(B, T, V): the n-gram prior's log-probabilities of the next character."""
    matches: Matches | None
    ngrams: Ints | None
    """(B, T, 3): rows of the n-gram embedding."""


class NumpyDecoder(Decoder):
    """The forward pass in NumPy, the reference for the C extension: all networks of an ensemble at once, M first in
    every shape."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        names = model.networks[0].keys() - {"induction.folded"}
        self._w = {name: np.stack([network[name] for network in model.networks]) for name in names}
        self._cache: Floats = np.zeros(0, np.float32)
        """(L, 2, M, B, H, S, D): keys and values; position p is at index p % S."""
        self._cursor: NgramCursor | None = None

    def logits_along(self, tokens: Ints) -> Iterator[Floats]:
        """Read a new text (T,); yield logits (n, V) after each of its characters, chunk by chunk."""
        size, read = (CHUNK if self._is_modern else self.model.config.block_size), 0
        self._clear(1)
        while read < len(tokens):
            begin = read
            if not self._is_modern:
                self._clear(1)
                begin = context_start(read + 1, size)
            yield averaged(self._network_logits(tokens[None, begin : begin + size]))[0, read - begin :]
            read = begin + size

    def _clear(self, count: int) -> None:
        super()._clear(count)
        config = self.model.config
        shape = (2, config.networks, count, config.n_head, config.block_size, config.n_embd // config.n_head)
        self._cache = np.zeros((config.n_layer, *shape), np.float32)
        self._cursor = None

    def _select_cache(self, rows: Ints) -> None:
        self._cache = np.take(self._cache, rows, axis=3)
        self._cursor = None

    def _read(self, tokens: Ints) -> Floats:
        return averaged(self._network_logits(tokens, last_only=True))[:, -1]

    def _network_logits(self, tokens: Ints, last_only: bool = False) -> Floats:
        """Read (B, T) characters; return each network's logits (M, B, T, V), or (M, B, 1, V) with `last_only`."""
        self._append(tokens)
        found = self._look_up(tokens)
        x = self._embedded(tokens, found)
        for block in (f"blocks.{layer}." for layer in range(self.model.config.n_layer)):
            x = x + self._attention(block, self._norm(x, block + "attention_norm"))
            x = x + self._feed_forward(block, self._norm(x, block + "feed_forward_norm"))
        return self._head(x[:, :, -1:] if last_only else x, found)

    def _look_up(self, tokens: Ints) -> Lookups:
        T, folded = tokens.shape[1], self.model.folded
        return Lookups(
            prior=self._prior_rows(tokens),
            matches=None if folded is None else find_matches(self._text, folded, T),
            ngrams=ngram_rows(self._text, T, self.model.vocab_size) if "ngram_embedding" in self._w else None,
        )

    def _prior_rows(self, tokens: Ints) -> Floats | None:
        """Return (B, T, V): the prior's log-probabilities after each of `tokens` (B, T), the end of `_text`."""
        prior, T = self.model.prior, tokens.shape[1]
        if prior is None:
            return None
        text = self._text[:, -(T + prior.order) :]
        if T > 1:
            self._cursor = None
            return prior.rows(text)[:, -T:]
        if self._cursor is None:
            self._cursor = prior.cursor(len(text))
            for column in text.T[:-1]:
                self._cursor.advance(column)
        return self._cursor.advance(text[:, -1])[:, None]

    def _linear(self, x: Floats, name: str) -> Floats:
        """Return x (..., in) times the matrix (out, in) of each network, plus its bias if it has one."""
        bias = self._w.get(name + ".bias")
        y: Floats = x @ self._w[name].swapaxes(-1, -2)[:, None]
        return y if bias is None else y + bias[:, None, None]

    def _norm(self, x: Floats, name: str) -> Floats:
        gain = self._w.get(name)
        x = layer_norm(x)
        return x if gain is None else x * gain[:, None, None] + self._w[name + ".bias"][:, None, None]

    def _embedded(self, tokens: Ints, found: Lookups) -> Floats:
        """Return the input (M, B, T, C) of the first block."""
        x: Floats = self._w["token_embedding"][:, tokens]
        if "position_embedding" in self._w:
            position = self._position - tokens.shape[1]
            x = x + self._w["position_embedding"][:, None, position : position + tokens.shape[1]]
        if found.ngrams is not None:
            x = x + self._w["ngram_embedding"][:, found.ngrams].sum(axis=3)
        if found.prior is not None:
            x = x + self._linear(found.prior[None], "prior_embedding")
        if found.matches is not None:
            x = x + self._w["induction.embedding"][:, found.matches.lengths, found.matches.followers]
        return layer_norm(x) if self._is_modern else x

    def _attention(self, block: str, x: Floats) -> Floats:
        """Return what causal self-attention adds to the residual stream (M, B, T, C)."""
        M, B, T, C = x.shape
        H = self.model.config.n_head
        qkv = self._linear(x, block + "attention.qkv").reshape(M, B, T, 3, H, C // H)
        q, k, v = qkv.transpose(3, 0, 1, 4, 2, 5)  # (M, B, H, T, D) each
        if self._is_modern:
            table = rotary_table(self._position - T, T, C // H)
            q, k = rotated(layer_norm(q), table), rotated(layer_norm(k), table)
        (keys, values), ages = self._remember(int(block.split(".")[1]), np.stack([k, v]))
        y = self._attention_weights(q, keys, ages) @ values
        return self._linear(y.swapaxes(2, 3).reshape(M, B, T, C), block + "attention.projection")

    def _attention_weights(self, q: Floats, keys: Floats, ages: Ints) -> Floats:
        """Return the weights (M, B, H, T, n) of n values that are `ages` (T, n) positions older than the queries."""
        scores = q @ keys.swapaxes(-1, -2) / np.float32(np.sqrt(q.shape[-1]))
        is_visible = (ages >= 0) & (ages < self.model.config.block_size)
        return softmax(np.where(is_visible, scores, np.float32(-np.inf)))

    def _remember(self, layer: int, new: Floats) -> tuple[Floats, Ints]:
        """Store keys and values (2, M, B, H, T, D) of the newest positions in the cache; return all that these may see
        (2, M, B, H, n, D), and by how many positions (T, n) each is older."""
        ring, size, T = self._cache[layer], self.model.config.block_size, new.shape[-2]
        positions = np.arange(self._position - T, self._position)
        first = max(0, positions[0] - size)
        before = np.arange(first, positions[0])
        seen = np.concatenate([ring[..., before % size, :], new], axis=-2)
        ring[..., positions[-size:] % size, :] = new[..., -size:, :]
        return seen, positions[:, None] - np.concatenate([before, positions])

    def _feed_forward(self, block: str, x: Floats) -> Floats:
        """Return what the feed-forward layer adds to the residual stream (M, B, T, C)."""
        hidden = self._linear(x, block + "feed_forward.expand")
        hidden = gelu(hidden) if self.model.config.activation == "gelu" else np.maximum(hidden, 0)
        return self._linear(hidden * hidden if self._is_modern else hidden, block + "feed_forward.contract")

    def _head(self, x: Floats, found: Lookups) -> Floats:
        """Return each network's logits (M, B, T, V) for x (M, B, T, C), the last T positions of `found`."""
        return functools.reduce(np.add, self._logit_terms(x, found).values())

    def _logit_terms(self, x: Floats, found: Lookups) -> LogitTerms:
        """Return the terms whose sum is each network's logits, see `_head`."""
        if not self.model.config.n_layer:
            return {"network": x}
        T, w = x.shape[2], self._w
        x = self._norm(x, "norm")
        logits = self._linear(x, "head")
        if self._is_modern:
            logits = np.float32(LOGIT_CAP) * np.tanh(logits / np.float32(LOGIT_CAP))
        terms: LogitTerms = {"network": logits}
        if found.matches is not None:
            lengths, followers = found.matches.lengths[:, -T:], found.matches.followers[:, -T:, None]
            bias = w["induction.candidate_bias"][:, found.matches.candidates[:, -T:]]
            is_follower = (np.arange(self.model.vocab_size) == followers) & (lengths[..., None] > 0)
            bias = bias + is_follower * w["induction.follower_bias"][:, lengths][..., None]
            terms["matches"] = bias * (1 + self._linear(x, "induction.gate"))
        if found.prior is not None:
            gate = w["prior_gate"][:, None, None] + self._linear(x, "prior_trust")
            terms["prior"] = gate * found.prior[:, -T:]
        return terms
