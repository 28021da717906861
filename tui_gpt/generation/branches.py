"""The most likely continuations of a text as a tree: its nodes, its levels, and how much of it is computed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tui_gpt.text.any_bytes import bytes_of, text_of

TokenPath = tuple[int, ...]
"""Tokens that follow a text."""

_BYTES = "".join(map(chr, range(0xDC80, 0xDD00)))
"""The lone surrogates for bytes that are only a part of a character."""
TREE_WIDTH = 12
"""Continuations of each length that are continued, and children shown of each."""


@dataclass(frozen=True, slots=True)
class TreeShape:
    """How much of a tree of continuations is computed: at most `width + (depth - 1) * width ** 2` nodes."""

    depth: int
    """Tokens of the longest continuations."""
    width: int = TREE_WIDTH
    """The most likely continuations of each length that are continued, and children of each."""


class Branch(NamedTuple):
    """A node of the tree: a token after the tokens before it."""

    path: TokenPath
    """The tokens from the root to this one."""
    text: str
    """Its text; a byte that is only a part of a character is a lone surrogate, see `escaping.spell_bytes`."""
    logprob: float
    """Natural logarithm of its probability after the tokens before it."""
    total: float
    """Natural logarithm of the probability of the whole path."""

    @property
    def probability(self) -> float:
        """The probability of the token after those before it."""
        return math.exp(self.logprob)

    @property
    def cumulative(self) -> float:
        """The probability of the whole path."""
        return math.exp(self.total)


class Level(NamedTuple):
    """The continuations of one length: the most likely children of each continuation that was continued."""

    branches: tuple[Branch, ...]
    """Siblings are together, the most likely first."""
    missed: float
    """No continuation of at most this length that is missing has a higher log-probability; -inf if none is missing."""


def joined(texts: Sequence[str]) -> str:
    """Return the text of tokens one after the other; bytes that make up a character become it."""
    return text_of(bytes_of("".join(texts)))


def is_whole(text: str) -> bool:
    """Return whether no character of a text is only a part of one."""
    return not any(character in _BYTES for character in text)


def without_part(text: str) -> str:
    """Return a text without the part of a character at its end."""
    return text.rstrip(_BYTES)


def spread_logprobs(tokens: Sequence[tuple[str, float]]) -> tuple[float, ...]:
    """Return the log-probability of each character of tokens with theirs, whose texts joined are whole characters.

    A character has those of all tokens that make it up, or an equal part of its token's.
    """
    spread, pending, logprob = list[float](), "", 0.0
    for text, each in tokens:
        pending, logprob = pending + text, logprob + each
        whole = joined([pending])
        if whole and is_whole(whole):
            spread += [logprob / len(whole)] * len(whole)
            pending, logprob = "", 0.0
    return tuple(spread)
