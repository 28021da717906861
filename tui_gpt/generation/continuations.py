"""Searches the most likely continuations of a text, level by level: a beam over cumulative probability.

Of the continuations of each length, the `width` most likely ones are continued, all in one batch, and the `width` most
likely children of each are kept. A continuation is never more likely than its beginning, so everything that is more
likely than what was dropped is certain to be in the tree; `Level.missed` is that bound.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from tui_gpt.config import SampleConfig
from tui_gpt.control import Control
from tui_gpt.generation.branches import Branch, Level, TokenPath, TreeShape
from tui_gpt.generation.decoder import Decoder
from tui_gpt.generation.decoders import DecoderFactory
from tui_gpt.generation.reader import TextReader
from tui_gpt.generation.sampling import choose, log_softmax
from tui_gpt.generation.weights import Floats, Ints

Parent = tuple[TokenPath, float]
"""A path that is continued, and its log-probability."""


class ContinuationSearch:
    """Searches with one model; several threads may search at once."""

    def __init__(self, decoders: DecoderFactory, texts: Sequence[str]) -> None:
        """`texts` are those of the tokens."""
        self._reader = TextReader(decoders)
        self._texts = texts

    def levels(self, tokens: Ints, shape: TreeShape, control: Control) -> Iterator[Level]:
        """Yield the continuations of `tokens` (T,) by length, from one token on, until `control` stops."""
        if control.stop_requested:
            return
        decoder = self._reader.read(tokens)
        parents: list[Parent] = [((), 0.0)]
        unexpanded = -math.inf
        for depth in range(shape.depth):
            branches, dropped = self._children(parents, decoder.logits, shape.width)
            unexpanded = max(unexpanded, dropped)
            yield Level(tuple(branches), unexpanded)
            if control.stop_requested or depth + 1 == shape.depth:
                return
            order = sorted(range(len(branches)), key=lambda place: -branches[place].total)
            kept = [branches[place] for place in order[: shape.width]]
            unexpanded = max([unexpanded, *(branches[place].total for place in order[shape.width :])])
            decoder = _advanced(decoder, parents, kept)
            parents = [(branch.path, branch.total) for branch in kept]

    def _children(self, parents: Sequence[Parent], logits: Floats, width: int) -> tuple[list[Branch], float]:
        """Return the most likely children of each parent for logits (B, V), and the total of the best other one."""
        logprobs = log_softmax(logits.astype(np.float64))
        order = np.argsort(-logprobs, axis=-1, kind="stable")
        branches, dropped = list[Branch](), -math.inf
        for (path, total), row, tokens in zip(parents, logprobs, order, strict=True):
            for token in tokens[:width].tolist():
                logprob = float(row[token])
                branches.append(Branch((*path, token), self._texts[token], logprob, total + logprob))
            if len(tokens) > width:
                dropped = max(dropped, total + float(row[tokens[width]]))
        return branches, dropped


def drawn(siblings: Sequence[Branch], config: SampleConfig, uniform: float) -> Branch:
    """Return one of all children of a node, drawn with the sampling settings and a number in [0, 1)."""
    logprobs = np.array([branch.logprob for branch in siblings])
    return siblings[int(choose(logprobs, config, np.array(uniform)))]


def _advanced(decoder: Decoder, parents: Sequence[Parent], kept: Sequence[Branch]) -> Decoder:
    """Return a decoder that has read the last token of each branch, whose parents are the texts of `decoder`."""
    rows = {path: row for row, (path, _) in enumerate(parents)}
    chosen = [rows[branch.path[:-1]] for branch in kept]
    if chosen != list(range(len(parents))):
        decoder = decoder.fork(np.array(chosen))
    decoder.advance(np.array([branch.path[-1] for branch in kept]))
    return decoder
