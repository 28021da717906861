"""The tone of each character of a text under several models: the one that predicts it best, or two compared."""

from tui_gpt.generation.authorship import Authorship

MAX_COLOURS = 6
AUTHOR_TONES = tuple(f"author-{place}" for place in range(MAX_COLOURS))
BETTER, SAME, WORSE = "better", "same", "worse"
NOTICEABLE = 0.5
"""Nats by which two predictions of a character must differ to be coloured."""


def author_tone(place: int) -> str:
    """Return the tone of a model by its place in the table; models after the sixth share one."""
    return AUTHOR_TONES[min(place, MAX_COLOURS - 1)]


def best_tones(found: Authorship) -> list[str]:
    """Return the tone of the model that predicts each character best."""
    places = [place for place, one in enumerate(found.logprobs) if one is not None]
    rows = [one for one in found.logprobs if one is not None]
    if not rows:
        return [SAME] * len(found.text)
    return [author_tone(places[each.index(max(each))]) for each in zip(*rows, strict=True)]


def compared_tones(found: Authorship, place: int, other: int) -> list[str]:
    """Return for each character whether one model predicts it better or worse than another."""
    left, right = found.logprobs[place], found.logprobs[other]
    if left is None or right is None:
        return [SAME] * len(found.text)
    gains = (one - two for one, two in zip(left, right, strict=True))
    return [BETTER if gain > NOTICEABLE else WORSE if gain < -NOTICEABLE else SAME for gain in gains]


def rival_of(found: Authorship, place: int) -> int | None:
    """Return the best model other than the one at `place`; None without one."""
    others = [
        (score.bits_per_char, number)
        for number, score in enumerate(found.scores)
        if number != place and score.bits_per_char is not None
    ]
    return min(others)[1] if others else None
