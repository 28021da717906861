"""What the window itself has said before: where its last characters stood earlier, and what followed them there.

A name that no other text knows can only be learned from the window. A transformer finds out by itself to look for an
earlier place like this one and to expect what came next (induction heads, Olsson et al. 2022), but it takes long to;
here the places are found by comparison, and the network is told (n-gram heads, Akyürek et al. 2024). Letters match in
either case, as a speaker is in capitals and the same name in a line is not. No other text plays a part; in training
and in validation nothing outside the window does, and in a text that is written on nothing beyond REACH.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tui_gpt.config import MATCH_LENGTH as LONGEST
from tui_gpt.config import MATCH_REACH as REACH
from tui_gpt.models.linear import linear


@dataclass(frozen=True)
class Matches:
    """For T positions of B windows."""

    lengths: Tensor
    """(B, T): characters of the longest match, at most LONGEST; 0 is none."""
    followers: Tensor
    """(B, T): the character after it; the latest of equally long matches counts. 0 where there is none."""
    candidates: Tensor
    """(B, T, V): for each character the longest match that it followed."""

    @property
    def last(self) -> "Matches":
        """Those of the last position alone."""
        return Matches(self.lengths[:, -1:], self.followers[:, -1:], self.candidates[:, -1:])


def folded_case(characters: Sequence[str]) -> Tensor:
    """(V,): for each character the number under which it is compared, its lower case's where the text has one."""
    numbers = {character: number for number, character in enumerate(characters)}
    return torch.tensor([numbers.get(character.lower(), number) for character, number in numbers.items()])


def find_matches(tokens: Tensor, keys: Tensor, vocab_size: int, last: int) -> Matches:
    """The matches at the `last` positions of windows (B, T) of tokens; `keys` (B, T) are what is compared."""
    B, T = tokens.shape
    reach = min(T, REACH)
    extra = min(LONGEST - 1, T - last)  # positions before the first wanted one, for its match to run back over
    wanted = keys[:, T - last - extra :, None]  # (B, N, 1)
    earlier = _windows(keys, reach, last + extra, fill=-1)  # (B, N, D): positions t - D to t - 1
    same = earlier == wanted
    run, lengths = same, same.to(torch.int16)
    for back in range(1, LONGEST):
        run = run & F.pad(same, (0, 0, back, 0))[:, : last + extra]
        lengths += run
    lengths = lengths[:, extra:]
    followers = _windows(F.pad(tokens[:, 1:], (0, 1)), reach, last, fill=0)  # (B, T, D)
    best, place = (lengths * reach + torch.arange(reach, dtype=torch.int16, device=tokens.device)).max(dim=-1)
    found = torch.div(best, reach, rounding_mode="floor").long()
    nothing = torch.zeros(B, last, vocab_size, dtype=torch.int16, device=tokens.device)
    return Matches(
        lengths=found,
        followers=torch.where(found > 0, followers.gather(2, place[..., None]).squeeze(-1), 0),
        candidates=nothing.scatter_reduce(2, followers, lengths, "amax").long(),
    )


def _windows(tokens: Tensor, reach: int, last: int, fill: int) -> Tensor:
    """(B, last, reach): what stood at the `reach` places before each of the last positions; `fill` before the first."""
    begin = tokens.shape[1] - last
    return F.pad(tokens, (reach, 0), value=fill).unfold(1, reach, 1)[:, begin : begin + last]


class Induction(nn.Module):
    """Tells the network what was found, and lets it decide how far to trust it."""

    def __init__(self, vocab_size: int, n_embd: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.embedding = nn.Parameter(torch.randn(LONGEST + 1, vocab_size, n_embd) * 0.1)
        """What enters the stream, by the match's length and the character after it."""
        self.follower_bias = nn.Parameter(torch.zeros(LONGEST + 1))
        self.candidate_bias = nn.Parameter(torch.zeros(LONGEST + 1))
        self.gate = nn.Parameter(torch.zeros(1, n_embd))
        self.register_buffer("folded", torch.arange(vocab_size))
        self.folded: Tensor

    def matches(self, window: Tensor, last: int) -> Matches:
        """What is found for the `last` positions of windows (B, T)."""
        return find_matches(window, self.folded[window], self.vocab_size, last)

    def embedded(self, matches: Matches) -> Tensor:
        """(B, T, C)."""
        return F.embedding(matches.lengths * self.vocab_size + matches.followers, self.embedding.flatten(0, 1))

    def logits(self, x: Tensor, matches: Matches) -> Tensor:
        """(B, T, V), to be added to the network's own, for a normalised stream x (B, T, C)."""
        bias = self.candidate_bias[matches.candidates]
        followed = (self.follower_bias[matches.lengths] * (matches.lengths > 0))[..., None]
        bias = bias.scatter_add(2, matches.followers[..., None], followed)
        return bias * (1 + linear(x, self.gate))
