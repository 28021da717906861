"""Predict tokens by counts that grow while a text is read, mixed with a model's probabilities; the reference in NumPy.

This is what a compressor of the PAQ family does (Mahoney 2005, "Adaptive weighing of context models for lossless data
compression"), with the model as one more input. A token is a path of binary decisions (`code.py`). At each:

1. Every context has counted how often each bit followed it. A map per context, learned as well, turns the two counts
   into the probability of bit 1, and so does one for the longest match in the text. The model's is the fraction of its
   probabilities.
2. Three mixers add up the stretched probabilities, ln(p / (1 - p)), with weights chosen by the decision, by the length
   of the match and by the last token; a final mixer adds up their sums.
3. Two tables refine the probability, given the last one or two tokens.

Weights, maps and tables follow the gradient of the loss of each bit, after it was predicted. A token is scored before
anything is learned from it. Shapes: V tokens, K contexts, I = K + 3 inputs. `kernel/adaptive.c` computes the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tui_gpt.generation.adaptive.code import BinaryCode
from tui_gpt.generation.adaptive.contexts import CONTEXTS, REACH, Contexts, Hashes, Tokens, mixed_hash
from tui_gpt.generation.adaptive.tables import (
    BIAS,
    COUNT_LIMIT,
    FINAL_RATE,
    LINE,
    MATCH_BITS,
    MATCH_HASHED,
    MATCH_LONGEST,
    MODEL_WEIGHT,
    MOST_COUNTED,
    PRIMED_FACTOR,
    PROBES,
    RATE,
    REFINE_RATE,
    REFINE_WEIGHT,
    Tables,
    count_levels,
    squash,
    stretch,
)

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.integer[Any]]
Places = tuple[Ints, Ints, Ints]
"""Indices (K,) in three dimensions, the first being the context."""
_EACH = np.arange(CONTEXTS)
CHUNK = 1 << 15
"""Tokens whose contexts are computed at once."""


@dataclass(frozen=True)
class Position:
    """What is known before a token."""

    hashes: Hashes
    """(K,)"""
    held: npt.NDArray[np.float64] | None
    """(V + 1,): sum of the model's probabilities of the tokens before each place; None without a model."""
    length: int
    """Number of tokens that match, 0 for no match."""
    predicted: int
    """The place of the token that came after the match, -1 for no match."""
    previous: int
    """The last token plus one; 0 before the first."""


@dataclass(frozen=True)
class Found:
    """What was counted at a node, in each context."""

    is_known: npt.NDArray[np.bool_]
    """(K,)"""
    maps: Places
    """Of the counts."""
    matched: int | None
    """The bit that the match predicts."""


@dataclass(frozen=True)
class Decision:
    """The prediction of a bit."""

    inputs: Floats
    """(I,), stretched."""
    rows: tuple[Floats, ...]
    """The weights (I,) of each mixer, to be changed."""
    sums: Floats
    """(3,): what the mixers predict, stretched."""
    final: float
    bins: tuple[Floats, ...]
    """The two neighbouring ones (2,) of each refinement, to be changed."""
    shares: Floats
    """(2,): the shares of the two."""
    p: float
    """Of bit 1."""


class Predictor:
    """Reads a text token by token, predicts each, and learns from it."""

    def __init__(self, code: BinaryCode, contexts: Contexts, tables: Tables) -> None:
        self.code = code
        self.tables = tables
        self.length = 0
        """Tokens that have been read."""
        self._contexts = contexts
        self._tokens: Tokens = np.zeros(0, np.int32)
        self._levels = count_levels()

    @property
    def vocab_size(self) -> int:
        """V."""
        return len(self.code.order)

    def read(self, tokens: npt.NDArray[Any], logprobs: Floats | None = None) -> Floats:
        """Return the log-probabilities (T,) of tokens (T,); each was predicted before anything was learned from it.

        `logprobs` (T, V) are the model's, None before `start_mixing`.
        """
        first, stop = self.length, self.length + len(tokens)
        self._append(tokens)
        scores = np.zeros(len(tokens), np.float32)
        for begin in range(first, stop, CHUNK):
            end = min(begin + CHUNK, stop)
            part = slice(begin - first, end - first)
            hashes = self._contexts.hashes(self._tokens[max(0, begin - REACH) : end - 1], end - begin)
            rows = None if logprobs is None else np.ascontiguousarray(logprobs[part], np.float32)
            self._read(begin, end, hashes, rows, scores[part])
            self.length = end
        return scores

    def start_mixing(self) -> None:
        """Give the model its first weight, beside what the mixers have learned without it."""
        for weights in self.tables.mixers:
            weights *= PRIMED_FACTOR if self.length else 1
            weights[:, CONTEXTS] = MODEL_WEIGHT

    def predict(self, recent: npt.NDArray[Any], logprobs: Floats) -> Floats:
        """Return log-probabilities (V,) of the token after a text that ends with `recent` (n,), without learning.

        `recent` may have any length; REACH tokens are looked at. `logprobs` (V,) are the model's.
        """
        recent = recent[-REACH:].astype(np.int32)
        return self._predict(recent, self._contexts.hashes(recent), np.ascontiguousarray(logprobs, np.float32))

    def _append(self, tokens: npt.NDArray[Any]) -> None:
        """Write tokens after those that have been read, in an array that grows by doubling."""
        needed = self.length + len(tokens)
        if needed > len(self._tokens):
            self._tokens = np.concatenate([self._tokens, np.zeros(needed, np.int32)])
        self._tokens[self.length : needed] = tokens

    def _read(self, begin: int, end: int, hashes: Hashes, logprobs: Floats | None, scores: Floats) -> None:
        """Score and learn the tokens from `begin` to `end`."""
        for i, t in enumerate(range(begin, end)):
            recent = self._tokens[max(0, t - REACH) : t]
            at = self._position(recent, hashes[i], None if logprobs is None else logprobs[i])
            decided = list(self._decisions(at, int(self._tokens[t])))
            for node, bit, found, decision in decided:
                scores[i] += np.log(decision.p if bit else 1 - decision.p)
                self._learn(node, decision, bit)
                self._count(at, node, found, bit)
            if t >= MATCH_HASHED:
                self.tables.heads[_head(recent)] = t

    def _decisions(self, at: Position, token: int) -> Iterator[tuple[int, int, Found, Decision]]:
        """Yield the nodes on the way to a token, the bit at each, and what is known before it."""
        place, node = int(self.code.place[token]), 0 if self.vocab_size > 1 else -1
        while node >= 0:
            bit = int(place >= self.code.middle[node])
            found = self._look_up(at, node)
            yield node, bit, found, self._decide(at, node, found)
            node = int(self.code.children[node, bit])

    def _predict(self, recent: Tokens, hashes: Hashes, logprobs: Floats) -> Floats:
        at = self._position(recent, hashes[0], logprobs)
        predicted = np.zeros(self.vocab_size)
        for node in range(self.vocab_size - 1):
            p = self._decide(at, node, self._look_up(at, node)).p
            low, middle, high = (int(x[node]) for x in (self.code.low, self.code.middle, self.code.high))
            predicted[low:middle] += np.log(1 - p)
            predicted[middle:high] += np.log(p)
        return predicted[self.code.place].astype(np.float32)

    def _position(self, recent: Tokens, hashes: npt.NDArray[np.uint64], logprobs: Floats | None) -> Position:
        match, length = self._match(recent)
        held = None
        if logprobs is not None:
            held = np.concatenate([[0.0], np.exp(logprobs[self.code.order]).cumsum(dtype=np.float64)])
        return Position(
            hashes=hashes,
            held=held,
            length=length,
            predicted=int(self.code.place[self._tokens[match]]) if length else -1,
            previous=int(recent[-1]) + 1 if len(recent) else 0,
        )

    def _match(self, recent: Tokens) -> tuple[int, int]:
        """Return where the end of a text was seen last, and how many of its tokens are the same; 0 for none."""
        if len(recent) < MATCH_HASHED:
            return 0, 0
        match = int(self.tables.heads[_head(recent)])
        most = min(len(recent), match, MATCH_LONGEST)
        if most < MATCH_HASHED:
            return 0, 0
        is_other = self._tokens[match - most : match] != recent[-most:]
        length = int(np.argmax(is_other[::-1])) if is_other.any() else most
        return match, length if length >= MATCH_HASHED else 0

    def _look_up(self, at: Position, node: int) -> Found:
        """Return what was counted at a node in each context, and what the match predicts."""
        is_known, slots, _ = self._find(at, node)
        levels = self._levels[self.tables.slots[slots]["counts"]]
        low, middle, high = (int(x[node]) for x in (self.code.low, self.code.middle, self.code.high))
        return Found(
            is_known=is_known,
            maps=(_EACH, levels[:, 0], levels[:, 1]),
            matched=int(at.predicted >= middle) if low <= at.predicted < high else None,
        )

    def _find(self, at: Position, node: int) -> tuple[npt.NDArray[np.bool_], Places, Ints]:
        """Return (K,) whether each context was counted at a node, its slot, or the one to use, and its check."""
        lines = self._hashed(at.hashes, int(self.code.groups[node]), self.tables.slots.shape[1])
        checks = (mixed_hash(at.hashes, node).astype(np.int64) & 0xFFFF) | 1
        probed = (checks[:, None] // 2 + np.arange(PROBES)) % LINE
        slots = self.tables.slots[_EACH[:, None], lines[:, None], probed]
        is_it = slots["check"] == checks[:, None]
        least = slots["counts"].astype(np.int64).sum(axis=-1).argmin(axis=1)
        chosen = np.where(is_it.any(axis=1), is_it.argmax(axis=1), least)
        return is_it.any(axis=1), (_EACH, lines, probed[_EACH, chosen]), checks

    def _decide(self, at: Position, node: int, found: Found) -> Decision:
        """Predict a bit: mix the inputs with three sets of weights, mix the results, refine the probability."""
        inputs = self._inputs(at, node, found)
        chosen = node, 0 if found.matched is None else at.length, at.previous
        rows = tuple(weights[row] for weights, row in zip(self.tables.mixers, chosen, strict=True))
        sums = np.clip([row @ inputs for row in rows], -15, 15).astype(np.float32)
        final = float(self.tables.final[node] @ sums)
        place, fraction = divmod((min(max(final, -7.99), 7.99) + 8) * 2, 1)
        shares = np.array([1 - fraction, fraction], np.float32)
        cells = self._hashed(at.hashes[:2], node, self.tables.refinements.shape[1])
        bins = tuple(
            table[cell, int(place) : int(place) + 2] for table, cell in zip(self.tables.refinements, cells, strict=True)
        )
        refined = sum(REFINE_WEIGHT * float(two @ shares) for two in bins)
        p = min(max(squash(final) * (1 - 2 * REFINE_WEIGHT) + refined, 1e-5), 1 - 1e-5)
        return Decision(inputs=inputs, rows=rows, sums=sums, final=final, bins=bins, shares=shares, p=p)

    def _inputs(self, at: Position, node: int, found: Found) -> Floats:
        """Return (I,): what the contexts, the model and the match predict, and a constant."""
        inputs = np.zeros(CONTEXTS + 3, np.float32)
        inputs[:CONTEXTS] = np.where(found.is_known, stretch(self.tables.count_maps[(*found.maps, 0)]), 0)
        if at.held is not None:
            left, middle, right = (at.held[x[node]] for x in (self.code.low, self.code.middle, self.code.high))
            inputs[CONTEXTS] = stretch((right - middle + 1e-9) / (right - left + 2e-9))
        if found.matched is not None:
            inputs[CONTEXTS + 1] = (1 if found.matched else -1) * stretch(self.tables.match_maps[at.length, 0])
        inputs[CONTEXTS + 2] = BIAS
        return inputs

    def _learn(self, node: int, decision: Decision, bit: int) -> None:
        """Learn the mixers' weights and the refinements from a bit."""
        for row, mixed in zip(decision.rows, squash(decision.sums), strict=True):
            row += RATE * (bit - mixed) * decision.inputs
        self.tables.final[node] += FINAL_RATE * (bit - squash(decision.final)) * decision.sums
        for bins in decision.bins:
            bins += REFINE_RATE * (bit - bins) * decision.shares

    def _count(self, at: Position, node: int, found: Found, bit: int) -> None:
        """Count a bit, and learn how good the counts and the match are."""
        known = tuple(index[found.is_known] for index in found.maps)
        _observe(self.tables.count_maps, known, bit)
        if found.matched is not None:
            _observe(self.tables.match_maps, (np.array([at.length]),), int(found.matched == bit))
        is_known, places, checks = self._find(at, node)
        slots = self.tables.slots[places]
        slots["counts"][~is_known] = 0
        slots["check"] = checks
        same, other = slots["counts"][:, bit], slots["counts"][:, 1 - bit]
        same += same < MOST_COUNTED
        other[:] = np.where(other > 2, other // 2 + 1, other)
        self.tables.slots[places] = slots

    @staticmethod
    def _hashed(hashes: Hashes, value: int, size: int) -> Ints:
        """Return numbers (K,) below `size`, a power of two."""
        return (mixed_hash(hashes, value) >> np.uint64(65 - size.bit_length())).astype(np.int64)


def _observe(maps: Floats, places: tuple[Ints, ...], bit: int) -> None:
    """Move the probabilities at `places` towards a bit, the less the more were observed there."""
    observed = maps[places]
    observed[:, 0] += (bit - observed[:, 0]) / (observed[:, 1] + 1.5)
    observed[:, 1] += observed[:, 1] < COUNT_LIMIT
    maps[places] = observed


def _head(recent: Tokens) -> int:
    """Return the number of the last MATCH_HASHED tokens in `Tables.heads`."""
    hashes = np.zeros(1, np.uint64)
    for token in recent[: -MATCH_HASHED - 1 : -1].tolist():
        hashes = mixed_hash(hashes, token)
    return int(hashes[0] >> np.uint64(64 - MATCH_BITS))
