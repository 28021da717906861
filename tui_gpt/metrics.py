"""Measures of how well a model predicts a text, all from its loss in nats per token.

Tokens are characters, bytes or sequences of bytes, so the losses of models with different tokenizers cannot be
compared. Bits per character and per byte can.
"""

import math
from dataclasses import dataclass
from typing import Self

COPIED_LENGTH = 20
"""Consecutive characters that a generated text must share with the training text to count as copied."""


@dataclass(frozen=True)
class TokenSize:
    """How much text a token holds on average; it converts losses."""

    characters: float = 1.0
    bytes: float = 1.0

    @classmethod
    def of(cls, text: str, tokens: int) -> Self:
        """Return the size of the tokens of one text, of which there is at least one."""
        return cls(len(text) / tokens, len(text.encode("utf-8", "surrogateescape")) / tokens)

    def bits_per_char(self, loss: float) -> float:
        """Convert a loss from nats per token to bits per character."""
        return loss / math.log(2) / self.characters

    def bits_per_byte(self, loss: float) -> float:
        """Convert a loss from nats per token to bits per byte."""
        return loss / math.log(2) / self.bytes


ASCII_CHARACTER = TokenSize()
"""The size of a token that is a character of one byte."""


def perplexity(loss: float) -> float:
    """Return the number of equally likely tokens among which the model would be as uncertain as it is."""
    return math.exp(min(loss, 700.0))
