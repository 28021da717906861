"""The contexts in which tokens are counted, as hashes: the last tokens of several lengths, and words.

The contexts of a position depend on the tokens before it alone, and on at most REACH of them.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Tokens = npt.NDArray[np.int32]

ORDERS = (1, 2, 3, 4, 5, 6, 8)
"""Numbers of last tokens that are a context."""
WORD_LENGTH = 16
"""Tokens of a word that are seen, and tokens that may lie between two words."""
REACH = 6 * WORD_LENGTH
CONTEXTS = len(ORDERS) + 4
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class Contexts:
    """The contexts of texts in one alphabet."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Take the text of each token (V,); whether a letter is a capital makes no difference in a word."""
        numbers = {text: number for number, text in enumerate(dict.fromkeys(map(str.casefold, texts)), 1)}
        self._folded = np.array([0, *(numbers[text.casefold()] for text in texts)], np.uint64)
        """(V + 1,), as the following: what is at a token's number plus one; 0 is before the text."""
        self._joins = np.array([False, *(_in_word(text[:1]) for text in texts)])
        """Whether a word that ends before the token continues in it."""
        self._ends = np.array([False, *(_in_word(text[-1:]) for text in texts)])
        """Whether a word ends with the token, or continues after it."""

    def hashes(self, tokens: Tokens, last: int = 1) -> Hashes:
        """Return the contexts (last, CONTEXTS) of the positions after the `last` longest prefixes of a text (T,).

        `tokens` may be the end of a text: at least REACH tokens before the first of these positions, if there are any.
        """
        size = REACH + last - 1
        padded = np.pad(tokens[-size:].astype(np.int64) + 1, (max(0, size - len(tokens)), 0))
        return np.stack([*_orders(padded, last), *self._words(padded, last)], axis=1)

    def _words(self, padded: npt.NDArray[np.int64], last: int) -> list[Hashes]:
        """Return the contexts that words are part of: what there is of the current one, with those before it."""
        hashes, lengths = self._words_before(padded)
        places = np.arange(len(hashes))
        ended = np.maximum.accumulate(np.where(lengths > 0, places, -1))
        current = places[-last:]
        words = [hashes[current]]
        for _ in range(2):
            begin = current - lengths[current]
            current = ended[begin]
            current = np.where((current >= 0) & (begin - current <= WORD_LENGTH), current, 0)
            words.append(hashes[current])
        word, previous, earlier = words
        return [
            mixed_hash(word, 1),
            mixed_hash(mixed_hash(word, 2), previous),
            mixed_hash(mixed_hash(mixed_hash(word, 3), previous), earlier),
            mixed_hash(mixed_hash(word, 4), earlier),
        ]

    def _words_before(self, padded: npt.NDArray[np.int64]) -> tuple[Hashes, npt.NDArray[np.int64]]:
        """Return the hash of the word that ends before each place in (N,), or after it, and its length; 0 for none."""
        count = len(padded) + 1
        padded = np.pad(padded, (WORD_LENGTH, 0))
        hashes, lengths, inside = np.zeros(count, np.uint64), np.zeros(count, np.int64), np.ones(count, bool)
        for back in range(1, WORD_LENGTH + 1):
            tokens = padded[WORD_LENGTH - back :][:count]
            inside &= self._ends[tokens]
            hashes = np.where(inside, mixed_hash(hashes, self._folded[tokens]), hashes)
            lengths += inside
            inside &= self._joins[tokens]
        return hashes, lengths


def _orders(padded: npt.NDArray[np.int64], last: int) -> list[Hashes]:
    """Return the contexts of the last tokens."""
    hashes, found = np.zeros(last, np.uint64), []
    for back in range(1, ORDERS[-1] + 1):
        hashes = mixed_hash(hashes, padded[REACH - back :][:last].astype(np.uint64))
        if back in ORDERS:
            found.append(hashes)
    return found


def mixed_hash(hashes: Hashes, values: Hashes | int) -> Hashes:
    """Return other hashes, which also depend on `values`."""
    hashes = (hashes + np.uint64(1) + (values if isinstance(values, np.ndarray) else np.uint64(values))) * _MULTIPLIER
    return hashes ^ (hashes >> np.uint64(29))


def _in_word(character: str) -> bool:
    """Return whether a character is a part of a word; a byte of a longer character (a lone surrogate) is."""
    return character.isalnum() or character == "'" or "\udc80" <= character <= "\udcff"
