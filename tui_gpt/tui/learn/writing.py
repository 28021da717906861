"""Write text without a network: by drawing characters, and by Shannon's way of reading a book.

In "A Mathematical Theory of Communication" (1948) Shannon opened a book at random, read on until the last characters
that he had written occurred, wrote the next one, and opened the book again. That draws from the counts of the book
without a table.
"""

import random
from collections.abc import Mapping


def draw(weights: Mapping[str, float], length: int, seed: int) -> str:
    """Return `length` characters, each drawn with a probability in proportion to its weight."""
    return "".join(random.Random(seed).choices(list(weights), list(weights.values()), k=length))


def write_like(book: str, piece: int, length: int, seed: int, start: str = "") -> str:
    """Continue `start` to `length` characters by pieces of `piece` characters of a book.

    Each character follows the last `piece` - 1 ones somewhere in the book; where that never occurs, fewer.
    """
    dice = random.Random(seed)
    text = start or book[dice.randrange(len(book))]
    while len(text) < length:
        text += _next(book, text[-(piece - 1) :] if piece > 1 else "", dice)
    return text


def _next(book: str, context: str, dice: random.Random) -> str:
    while context:
        at = book.find(context, dice.randrange(len(book)), len(book) - 1)
        at = at if at >= 0 else book.find(context, 0, len(book) - 1)
        if at >= 0:
            return book[at + len(context)]
        context = context[1:]
    return book[dice.randrange(len(book))]
