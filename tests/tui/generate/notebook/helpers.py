"""Answers and cards for the tests of the notebook."""

import math
from typing import Any

from tui_gpt.config import SampleConfig
from tui_gpt.tui.generate.notebook import Answer, Card

CONFIG = SampleConfig(seed=7)


def written(text: str = " be", prompt: str = "to", **settings: Any) -> Answer:
    """Return a complete answer."""
    return Answer(prompt=prompt, text=text, logprobs=(-math.log(2.0),) * len(text), config=CONFIG, **settings)


def card(*answers: Answer, shown: int = 0) -> Card:
    """Return a card that shows the answer with the index `shown`."""
    return Card(answers=answers or (written(),), shown=shown)
