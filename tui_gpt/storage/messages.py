"""Arrays as one string of bytes, in the format of checkpoints, to be sent to another process."""

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt
import safetensors.numpy

Arrays = Mapping[str, npt.NDArray[Any]]


def to_bytes(arrays: Arrays) -> bytes:
    """Return arrays as bytes."""
    message: bytes = safetensors.numpy.save(dict(arrays))
    return message


def from_bytes(message: bytes) -> dict[str, npt.NDArray[Any]]:
    """Inverse of `to_bytes`."""
    return safetensors.numpy.load(message)
