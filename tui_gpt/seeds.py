"""Random seeds for generated text, short enough to be typed again."""

import secrets

_SEEDS = 1_000_000


def draw_seed() -> int:
    """Return a random seed from 0 to 999,999."""
    return secrets.randbelow(_SEEDS)
