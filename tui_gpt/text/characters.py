"""A text as code points, and without some of its characters."""

import numpy as np
import numpy.typing as npt


def code_points(text: str) -> npt.NDArray[np.uint32]:
    """Return the code point (n,) of each character of a text."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def without(text: str, characters: str) -> str:
    """Return a text without these characters."""
    return text.translate(dict.fromkeys(map(ord, characters)))
