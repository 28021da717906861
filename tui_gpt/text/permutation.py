"""A random permutation of very many numbers, of which any part is computed without the rest.

A Feistel network over pairs: a number below `count` is a pair of digits, and in turn each digit is shifted by a hash of
the other one, which can be undone, so different numbers stay different (Black and Rogaway 2002, ciphers with arbitrary
domains). The pairs are a few more than the numbers; what lands on one of the rest is permuted again.
"""

import math

import numpy as np
import numpy.typing as npt

ROUNDS = 6
_MIX = np.uint64(0xBF58476D1CE4E5B9)
"""The multiplier of SplitMix64 (Steele, Lea and Flood 2014)."""
_SHIFT = np.uint64(31)

Numbers = npt.NDArray[np.uint64]


def permuted(numbers: npt.NDArray[np.int64], count: int, keys: Numbers) -> npt.NDArray[np.int64]:
    """Return where the permutation of the numbers below `count` that `keys` (ROUNDS,) choose takes `numbers` (B,)."""
    left = math.isqrt(count - 1) + 1
    right = -(-count // left)
    places = _encrypt(numbers.astype(np.uint64), left, right, keys)
    while (outside := places >= count).any():
        places[outside] = _encrypt(places[outside], left, right, keys)
    return places.astype(np.int64)


def _encrypt(numbers: Numbers, left: int, right: int, keys: Numbers) -> Numbers:
    """Permute numbers below left * right."""
    sizes = np.uint64(left), np.uint64(right)
    digits = [numbers // sizes[1], numbers % sizes[1]]
    for number, key in enumerate(keys):
        one = number % 2
        digits[one] = (digits[one] + _hash(digits[1 - one] + key) % sizes[one]) % sizes[one]
    return digits[0] * sizes[1] + digits[1]


def _hash(numbers: Numbers) -> Numbers:
    mixed = (numbers ^ (numbers >> _SHIFT)) * _MIX
    return (mixed ^ (mixed >> _SHIFT)) >> np.uint64(11)
