"""The bits per character of a reader who guesses characters, from the number of guesses that each took.

Shannon ("Prediction and Entropy of Printed English", 1951): a twin of the reader, who makes the same guesses, can
restore a text from the numbers of guesses alone. So the reader needs no more bits per character than these numbers do.
They are coded with probabilities that are fixed before each guess: the frequencies of the earlier numbers, mixed with
1/2, 1/6, 1/12 … for the first, second, third guess and a little of equal probabilities. That is a code that works, so
the result is never too good. A reader who always gives up at once gets log2 V bits, as blind guessing should.
Shannon took the frequencies of the same guesses that he measured, which for a few dozen gives too few bits.
"""

import math
from collections import Counter
from dataclasses import dataclass, field

_PRIOR_GUESSES = 8.0
"""As how many characters the probabilities before the first one count."""
_EQUAL = 0.2
"""The part of equal probabilities in them."""


@dataclass
class GuessScore:
    """The guesses of one reader, or of a model that is judged in the same way."""

    vocab_size: int
    bits: float = 0.0
    """Of all characters together."""
    characters: int = 0
    _ranks: Counter[int] = field(default_factory=Counter)

    def probability(self, rank: int) -> float:
        """Return the probability that the next character takes `rank` guesses (from 1), before it is guessed."""
        falling = 1 / (rank * (rank + 1)) if rank < self.vocab_size else 1 / rank
        prior = (1 - _EQUAL) * falling + _EQUAL / self.vocab_size
        return (self._ranks[rank] + _PRIOR_GUESSES * prior) / (self.characters + _PRIOR_GUESSES)

    def add(self, rank: int) -> float:
        """Count a character that was found with the guess number `rank`; return its bits."""
        return self._add(rank, -math.log2(self.probability(rank)))

    def give_up(self, wrong: int) -> float:
        """Count a character that was not found with `wrong` guesses: any of the others, with equal probabilities."""
        others = self.vocab_size - wrong
        rest = 1 - sum(self.probability(rank) for rank in range(1, wrong + 1))
        return self._add(wrong + 1, -math.log2(rest / others))

    @property
    def bits_per_character(self) -> float:
        """The mean so far; 0 before the first character."""
        return self.bits / max(1, self.characters)

    @property
    def found_at_once(self) -> float:
        """The fraction of characters that the first guess found."""
        return self._ranks[1] / max(1, self.characters)

    def _add(self, rank: int, bits: float) -> float:
        self._ranks[rank] += 1
        self.characters += 1
        self.bits += bits
        return bits
