"""Log-probabilities as the notebook's files hold them: packed as half floats, unpacked when they are first needed.

A notebook of thousands of cards has millions of them, few of which are ever looked at.
"""

import base64
import math
import struct
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import overload

from tui_gpt.errors import ConfigError

_MIN_HALF = -60_000.0
"""About the lowest number that a half float can hold."""


class PackedLogprobs(Sequence[float]):
    """Log-probabilities (natural) of the characters of a text; NaN where unknown."""

    def __init__(self, packed: bytes) -> None:
        """`packed` holds little-endian half floats. Raises ConfigError if its length is odd."""
        if len(packed) % 2:
            raise ConfigError("logprobs is cut short", "logprobs")
        self._packed = packed

    @cached_property
    def _values(self) -> tuple[float, ...]:
        values = struct.unpack(f"<{len(self._packed) // 2}e", self._packed)
        return tuple(math.nan if math.isnan(one) else one for one in values)

    def __len__(self) -> int:
        return len(self._packed) // 2

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[float, ...]: ...
    def __getitem__(self, index: int | slice) -> float | tuple[float, ...]:
        return self._values[index]

    def __iter__(self) -> Iterator[float]:
        return iter(self._values)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PackedLogprobs):
            return self._packed == other._packed
        return isinstance(other, tuple) and self._values == other

    def __hash__(self) -> int:
        return hash(self._values)

    def __repr__(self) -> str:
        return repr(self._values)


def pack(logprobs: Sequence[float]) -> str:
    """Return log-probabilities as Base64 of half floats."""
    packed = struct.pack(f"<{len(logprobs)}e", *(max(logprob, _MIN_HALF) for logprob in logprobs))
    return base64.b64encode(packed).decode("ascii")


def unpack(text: object) -> PackedLogprobs:
    """Inverse of `pack`. Raises ValueError for what is not Base64, ConfigError for what is not half floats."""
    if not isinstance(text, str):
        raise ConfigError("logprobs is not a text", "logprobs")
    return PackedLogprobs(base64.b64decode(text, validate=True))
