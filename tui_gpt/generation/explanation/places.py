"""Where the tokens of a text are in it."""

from collections.abc import Sequence

import numpy as np

from tui_gpt.generation.weights import Ints
from tui_gpt.text.any_bytes import bytes_of

Place = tuple[int, int]
"""The range of characters of a text that a token belongs to. A token that is a part of a character has that character's
range, as have its other parts."""


def token_places(text: str, tokens: Ints, texts: Sequence[str], unknown: str) -> tuple[Place, ...]:
    """Return the place in `text` of each of its last tokens (n,), given the text of every token.

    The characters in `unknown` have no token. (0, 0) for tokens that are not in the text, which an empty one has.
    """
    ends = np.cumsum([len(bytes_of(texts[token])) for token in tokens.tolist()]).tolist()
    owners = _owners_of_bytes(text, ends[-1], unknown)
    if len(owners) < ends[-1]:
        return ((0, 0),) * len(tokens)
    return tuple((owners[start], owners[end - 1] + 1) for start, end in zip([0, *ends], ends, strict=False))


def _owners_of_bytes(text: str, count: int, unknown: str) -> list[int]:
    """Return the index of the character that each of the last `count` bytes of the known characters belongs to."""
    owners = list[int]()
    for index in range(len(text) - 1, -1, -1):
        if len(owners) >= count:
            break
        if text[index] not in unknown:
            owners += [index] * len(bytes_of(text[index]))
    return owners[:count][::-1]
