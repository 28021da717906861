"""Measures of how well a model predicts a text, all from its loss in nats per character."""

import math

COPIED_LENGTH = 20
"""Consecutive characters that a generated text must share with the training text to count as copied."""


def bits_per_character(loss: float) -> float:
    """Convert a loss from nats to bits per character."""
    return loss / math.log(2)


def perplexity(loss: float) -> float:
    """Return the number of equally likely characters among which the model would be as uncertain as it is."""
    return math.exp(min(loss, 700.0))
