"""The repetition penalty (Keskar et al. 2019, CTRL, arXiv 1909.05858, section 4.1), for sequences of tokens.

Keskar et al. divide the logits of the tokens that were generated before. Here the log-probabilities are multiplied, as
`transformers` does for scores below zero: an ensemble averages probabilities and has no logits of its own, and the
result does not depend on a constant that is added to all logits. What is penalised is a token that would complete a
sequence of `repetition_length` tokens that the window has already: a single character is repeated all the time. A
length of 1 penalises every token in the window, as in the paper.
"""

import numpy as np

from tui_gpt.config import SampleConfig
from tui_gpt.generation.sampling import Floats
from tui_gpt.generation.weights import Ints


def penalized(logprobs: Floats, tokens: Ints, config: SampleConfig) -> Floats:
    """Return log-probabilities (V,), not normalised, in which what would repeat a sequence of `tokens` (T,) is less
    likely."""
    repeated = repeated_by(tokens[-config.repetition_window :], config.repetition_length)
    result = logprobs.copy()
    result[repeated] *= config.repetition_penalty
    return result


def repeated_by(window: Ints, length: int) -> Ints:
    """Return the tokens that would complete a sequence of `length` tokens that is in `window` (T,) already."""
    if len(window) < length:
        return np.zeros(0, np.int64)
    sequences = np.lib.stride_tricks.sliding_window_view(window, length)
    begun = window[len(window) - (length - 1) :]
    return np.unique(sequences[(sequences[:, :-1] == begun).all(axis=1), -1])
