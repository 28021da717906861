"""Adaptive prediction in C: computes what `generation/adaptive/predictor.py` computes, a hundred times faster.

Both work on the same arrays. The GIL is released during a call.
"""

import ctypes

import numpy as np

from tui_gpt.generation.adaptive import tables as constants
from tui_gpt.generation.adaptive.code import BinaryCode
from tui_gpt.generation.adaptive.contexts import CONTEXTS, Contexts, Hashes, Tokens
from tui_gpt.generation.adaptive.predictor import Floats, Predictor
from tui_gpt.generation.adaptive.tables import Tables
from tui_gpt.generation.kernel import structs


class KernelPredictor(Predictor):
    """A predictor of the C extension."""

    def __init__(self, code: BinaryCode, contexts: Contexts, tables: Tables, library: ctypes.CDLL) -> None:
        super().__init__(code, contexts, tables)
        self._library = library
        self._held = np.zeros(self.vocab_size + 1)

    def _read(self, begin: int, end: int, hashes: Hashes, logprobs: Floats | None, scores: Floats) -> None:
        hashes = np.ascontiguousarray(hashes)
        self._library.adaptive_read(
            self._struct(), begin, end, hashes.ctypes.data, _address(logprobs), scores.ctypes.data
        )

    def _predict(self, recent: Tokens, hashes: Hashes, logprobs: Floats) -> Floats:
        predicted = np.empty(self.vocab_size, np.float32)
        hashes = np.ascontiguousarray(hashes)
        self._library.adaptive_predict(
            self._struct(),
            recent.ctypes.data,
            len(recent),
            hashes.ctypes.data,
            logprobs.ctypes.data,
            predicted.ctypes.data,
        )
        return predicted

    def _struct(self) -> structs.Predictor:
        code, tables = self.code, self.tables
        shared = {
            name: getattr(code, name) for name in ("order", "place", "low", "middle", "high", "children", "groups")
        }
        learned = {
            name: getattr(tables, name)
            for name in ("slots", "count_maps", "match_maps", "final", "refinements", "heads")
        }
        arrays = {**shared, **learned, "levels": self._levels, "tokens": self._tokens, "held": self._held}
        return structs.Predictor(
            vocab_size=self.vocab_size,
            contexts=CONTEXTS,
            line_bits=tables.slots.shape[1].bit_length() - 1,
            match_bits=constants.MATCH_BITS,
            refine_bits=constants.REFINE_BITS,
            mixers=tuple(weights.ctypes.data for weights in tables.mixers),
            rate=constants.RATE,
            final_rate=constants.FINAL_RATE,
            refine_rate=constants.REFINE_RATE,
            refine_weight=constants.REFINE_WEIGHT,
            bias=constants.BIAS,
            count_limit=constants.COUNT_LIMIT,
            **{name: array.ctypes.data for name, array in arrays.items()},
        )


def _address(array: Floats | None) -> int | None:
    return None if array is None else array.ctypes.data
