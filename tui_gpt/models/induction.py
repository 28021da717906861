"""Matches of the current suffix earlier in the window, and what followed them: an explicit induction head.

A name that the training text lacks can only be learned from the window. A transformer learns to look for an earlier
occurrence of its context and to expect what came next (induction heads, Olsson et al. 2022), but slowly; here the
occurrences are found by comparison and fed to the network (n-gram heads, Akyürek et al. 2024). Upper and lower case
match each other, because a speaker's name is in capitals and the same name in a line is not.

In training and validation only the window is searched; in generation the last MATCH_REACH characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tui_gpt.config import MATCH_LENGTH, MATCH_REACH
from tui_gpt.models.linear import linear


@dataclass(frozen=True)
class Matches:
    """The matches at T positions of B windows."""

    lengths: Tensor
    """(B, T): characters of the longest match, at most MATCH_LENGTH; 0 without a match."""
    followers: Tensor
    """(B, T): the character after the longest match, the latest of equally long ones; 0 without a match."""
    candidates: Tensor
    """(B, T, V): the length of the longest match that each character followed."""


def fold_case(texts: Sequence[str]) -> Tensor:
    """Return (V,): the token that each token, given by its text, is compared as: its lower case where there is one."""
    numbers = {text: number for number, text in enumerate(texts)}
    return torch.tensor([numbers.get(text.lower(), number) for text, number in numbers.items()])


def find_matches(tokens: Tensor, keys: Tensor, vocab_size: int) -> Matches:
    """Return the matches in windows of tokens (B, T), which are compared by their `keys` (B, T)."""
    B, T = tokens.shape
    R = min(T, MATCH_REACH)
    same = _preceding(keys, R, fill=-1) == keys[..., None]  # (B, T, R)
    run, lengths = same, same.to(torch.int16)
    for back in range(1, MATCH_LENGTH):
        run = run & F.pad(same, (0, 0, back, 0))[:, :T]
        lengths += run
    followers = _preceding(F.pad(tokens[:, 1:], (0, 1)), R, fill=0)  # (B, T, R)
    best, place = (lengths * R + torch.arange(R, dtype=torch.int16, device=tokens.device)).max(dim=-1)  # (B, T)
    longest = torch.div(best, R, rounding_mode="floor").long()
    candidates = torch.zeros(B, T, vocab_size, dtype=torch.int16, device=tokens.device)
    return Matches(
        lengths=longest,
        followers=torch.where(longest > 0, followers.gather(2, place[..., None]).squeeze(-1), 0),
        candidates=candidates.scatter_reduce(2, followers, lengths, "amax").long(),
    )


def _preceding(tokens: Tensor, count: int, fill: int) -> Tensor:
    """Return (B, T, count): the `count` tokens before each position, `fill` before the first token."""
    return F.pad(tokens, (count, 0), value=fill).unfold(1, count, 1)[:, : tokens.shape[1]]


class Induction(nn.Module):
    """Feeds the matches to the network: an embedding as its input and gated biases on its logits."""

    def __init__(self, vocab_size: int, n_embd: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.embedding = nn.Parameter(torch.randn(MATCH_LENGTH + 1, vocab_size, n_embd) * 0.1)
        """Indexed by the length of the longest match and the character after it."""
        self.follower_bias = nn.Parameter(torch.zeros(MATCH_LENGTH + 1))
        self.candidate_bias = nn.Parameter(torch.zeros(MATCH_LENGTH + 1))
        self.gate = nn.Parameter(torch.zeros(1, n_embd))
        self.register_buffer("folded", torch.arange(vocab_size))
        self.folded: Tensor

    def matches(self, tokens: Tensor) -> Matches:
        """Return the matches in windows of tokens (B, T)."""
        return find_matches(tokens, self.folded[tokens], self.vocab_size)

    def embed(self, matches: Matches) -> Tensor:
        """Return the embedding of the longest match at each position, (B, T, C)."""
        return F.embedding(matches.lengths * self.vocab_size + matches.followers, self.embedding.flatten(0, 1))

    def logits(self, x: Tensor, matches: Matches) -> Tensor:
        """Return (B, T, V), to be added to the network's logits, for a normalised stream x (B, T, C)."""
        bias = self.candidate_bias[matches.candidates]
        follower_bias = (self.follower_bias[matches.lengths] * (matches.lengths > 0))[..., None]
        bias = bias.scatter_add(2, matches.followers[..., None], follower_bias)
        return bias * (1 + linear(x, self.gate))
