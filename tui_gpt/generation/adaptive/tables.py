"""What adaptive prediction learns, as arrays that NumPy and the C extension share, and the constants of both."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from tui_gpt.generation.adaptive.contexts import CONTEXTS

Floats = npt.NDArray[np.float32]

SLOT = np.dtype([("check", np.uint16), ("counts", np.uint8, 2)])
LINE = 16
"""Slots that are side by side in memory, for nodes of a group (see `code.py`) and for other contexts."""
PROBES = 8
"""Of these, those that are searched."""
LINE_BITS = 17
"""There are 2 to this power lines per context: 8 MB each."""
MATCH_HASHED = 7
"""Tokens of the shortest match."""
MATCH_LONGEST = 40
MATCH_BITS = 20
REFINE_BITS = 16
LEVELS = 24
"""Counts are rounded to this many levels in the maps."""
BINS = 33
"""Probabilities that are refined, evenly spread when stretched; those between are interpolated."""
MOST_COUNTED = 250
RATE, FINAL_RATE, REFINE_RATE = 0.004, 0.0005, 0.02
"""Learning rates of the mixers' weights, the final mixer's, and the refinements."""
REFINE_WEIGHT = 0.25
"""Weight of each refinement in the result."""
COUNT_LIMIT = 255.0
"""Observations after which a map follows the newest at a constant rate."""
FIRST_WEIGHT, MATCH_WEIGHT = 0.08, 0.05
BIAS = 0.3
"""The constant input of the mixers."""
MODEL_WEIGHT, PRIMED_FACTOR = 0.6, 0.6
"""Weight of a model at first, and the factor for the other weights, learned without it."""


def count_levels() -> npt.NDArray[np.uint8]:
    """Return the level (256,) of a count: exact below 16, in wider and wider steps above."""
    edges = [*range(1, 17), 20, 24, 36, 48, 72, 96, 192]
    return np.searchsorted(edges, np.arange(256), side="right").astype(np.uint8)


def squash(x: Any) -> Any:
    """Return 1 / (1 + exp(-x)), the inverse of `stretch`."""
    return 1 / (1 + np.exp(-x))


def stretch(p: Any) -> Any:
    """Return ln(p / (1 - p)), p being at least 1e-6 away from 0 and 1."""
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


@dataclass
class Tables:
    """All that is learned. A map has a probability and the number of observations it was learned from."""

    slots: npt.NDArray[Any]
    """(K, lines, LINE) of SLOT: how often each bit came after a context, at a node."""
    count_maps: Floats
    """(K, LEVELS, LEVELS, 2): of bit 1, given the levels of the two counts."""
    match_maps: Floats
    """(MATCH_LONGEST + 1, 2): that a match of that length is right."""
    mixers: tuple[Floats, Floats, Floats]
    """(V - 1, I), (MATCH_LONGEST + 1, I), (V + 1, I): weights by node, length of the match, and last token + 1."""
    final: Floats
    """(V - 1, 3): weights of the mixers."""
    refinements: Floats
    """(2, cells, BINS)."""
    heads: npt.NDArray[np.int32]
    """(2^MATCH_BITS,): where the last MATCH_HASHED tokens were seen last, by their hash; -1 is nowhere."""

    @classmethod
    def empty(cls, vocab_size: int, line_bits: int = LINE_BITS) -> "Tables":
        """Return tables that have learned nothing."""
        level = np.arange(LEVELS, dtype=np.float32)
        count_maps = np.zeros((CONTEXTS, LEVELS, LEVELS, 2), np.float32)
        count_maps[..., 0] = (level + 0.4) / (level[:, None] + level + 0.8)
        match_maps = np.zeros((MATCH_LONGEST + 1, 2), np.float32)
        match_maps[:, 0] = np.linspace(0.6, 0.9, MATCH_LONGEST + 1)
        weights = np.array([FIRST_WEIGHT] * CONTEXTS + [MODEL_WEIGHT, MATCH_WEIGHT, 0], np.float32)
        sizes = vocab_size - 1, MATCH_LONGEST + 1, vocab_size + 1
        return cls(
            slots=np.zeros((CONTEXTS, 1 << line_bits, LINE), SLOT),
            count_maps=count_maps,
            match_maps=match_maps,
            mixers=(*(np.tile(weights, (size, 1)) for size in sizes),),  # type: ignore[arg-type]  # three sizes
            final=np.full((vocab_size - 1, 3), 1 / 3, np.float32),
            refinements=np.tile(squash(np.linspace(-8, 8, BINS, dtype=np.float32)), (2, 1 << REFINE_BITS, 1)),
            heads=np.full(1 << MATCH_BITS, -1, np.int32),
        )

    def arrays(self) -> Iterator[npt.NDArray[Any]]:
        """Yield all arrays."""
        for field in fields(self):
            value = getattr(self, field.name)
            yield from value if isinstance(value, tuple) else (value,)
