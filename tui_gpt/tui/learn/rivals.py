"""What the model and the counts predict for each character of a passage: the rivals of a reader who guesses."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from tui_gpt.tui.learn.material import Material


class Prediction(NamedTuple):
    """The predictions for one character."""

    character: str
    model_bits: float
    """-log2 of the probability that the model gave the character."""
    rank: int | None
    """How many guesses the model would have needed, most likely first; None if more than `guesses`."""
    guesses: int
    """How many of its guesses are known."""
    counts_bits: float
    """-log2 of the probability from counts."""


def predictions(material: Material, passage: str, known: int) -> Sequence[Prediction]:
    """Return the predictions for the characters of a passage after the first `known` ones.

    The model and the counts have read these as well. Characters that the model does not know cost it the bits of a
    guess among all. Raises TuiGptError.
    """
    counts = _bits_of_counts(material, passage)
    by_model = _by_model(material, passage)
    return [
        Prediction(character, *by_model[at], counts[at]) for at, character in enumerate(passage) if at >= max(1, known)
    ]


def _bits_of_counts(material: Material, passage: str) -> list[float]:
    """Return the bits of each character; 0 for the first, which has no context."""
    tokens = material.tokenizer.lookup(passage)[None, :].astype("int64")
    losses = material.prior.losses(tokens[:, :-1], tokens[:, 1:])[0].tolist()
    return [0.0, *(max(0.0, loss) / math.log(2) for loss in losses)]


def _by_model(material: Material, passage: str) -> list[tuple[float, int | None, int]]:
    """Return for each character its bits, its rank if it is known, and how many ranks are."""
    model = material.model
    unknown = set(model.unknown(passage))
    pieces = iter(model.score(passage, details=True))
    guess = math.log2(material.vocab_size)
    found: list[tuple[float, int | None, int]] = []
    for character in passage:
        piece = None if character in unknown else next(pieces, None)
        if piece is None or piece.text != character:
            found.append((guess, None, 0))
            continue
        ranks = [text for text, _ in piece.alternatives]
        rank = ranks.index(character) + 1 if character in ranks else None
        found.append((-piece.logprob / math.log(2), rank, len(ranks)))
    return found
