"""A file of tokens, mapped into memory."""

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tui_gpt.storage.plain_files import read_plain

_DONTNEED: int | None = getattr(mmap, "MADV_DONTNEED", None)
"""Windows has no such advice, and takes pages away where memory is short."""


class MappedTokens:
    """The tokens in a file, as an array that the system reads from the disk, or its cache, where it is used."""

    def __init__(self, path: Path, dtype: npt.DTypeLike, count: int) -> None:
        """Map `count` tokens of a type. Raises OSError, ValueError where the file is shorter."""
        self.array: npt.NDArray[np.unsignedinteger[Any]] = np.empty(0, dtype)
        self._map: mmap.mmap | None = None
        if not count:
            return
        with read_plain(path) as file:
            self._map = mmap.mmap(file.fileno(), count * np.dtype(dtype).itemsize, access=mmap.ACCESS_READ)
        self.array = np.frombuffer(self._map, dtype)

    def release_pages(self) -> None:
        """Give back the memory of what was read; the system keeps it in its cache while it can.

        A page that was read stays resident otherwise, and random windows would end up with the whole file.
        """
        if self._map is not None and _DONTNEED is not None:
            self._map.madvise(_DONTNEED)
