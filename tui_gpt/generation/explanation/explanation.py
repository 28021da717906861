"""The explanation of one prediction as plain data.

Three divisions of the same distribution, each of which adds up to it exactly:

- by network: `Explanation.probs` is the mean of the probabilities of its members (`Member.probs`);
- by part: for every token, the `shares` add up to the logarithm of its probability times V, see shares.py;
- within the prior: its probabilities are the sum of what the n-grams of each order contribute (`PriorUse.order_probs`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tui_gpt.generation.decoder import LogitTerms, PartName
from tui_gpt.generation.explanation.attention import Attention
from tui_gpt.generation.explanation.occurrences import Occurrences
from tui_gpt.generation.explanation.places import Place
from tui_gpt.generation.explanation.shares import Probs
from tui_gpt.generation.weights import Floats


@dataclass(frozen=True)
class Member:
    """The prediction of one network."""

    terms: LogitTerms
    """What each part adds to the logits (V,): `network` (the head), `matches` and `prior`, if the model has them."""
    probs: Probs
    """(V,): the network's own probabilities, the softmax of the sum of its terms."""


@dataclass(frozen=True)
class PriorUse:
    """The prediction of the n-gram prior alone, before the networks weigh it."""

    context: str
    """The longest end of the text that was counted; the longest n-grams used have one token more."""
    order: int
    """The length of the longest n-grams used, in tokens."""
    probs: Floats
    """(V,): the prior's own probabilities."""
    order_probs: Floats
    """(order, V): the part of each probability that comes from n-grams of 1, 2, … tokens; the sum of the rows is
    `probs`."""

    @property
    def order_weights(self) -> Floats:
        """(order,): the part of the whole prediction that comes from n-grams of each order; they add up to 1."""
        return np.asarray(self.order_probs.sum(axis=1))


@dataclass(frozen=True)
class Match:
    """An earlier place in the text whose end is the end of the text, apart from upper and lower case."""

    length: int
    """Tokens of the match, at most MATCH_LENGTH."""
    follower: int
    """The token after it."""
    place: Place
    """The matching characters."""
    follower_place: Place
    count: int
    """How many matches of this length this token followed; the place is that of the latest one."""


@dataclass(frozen=True)
class Explanation:
    """How the next token after a text was predicted. The arrays must not be changed."""

    texts: Sequence[str]
    """The text of each of the V tokens."""
    probs: Probs
    """(V,): the distribution that a sampler draws from at temperature 1 without filters."""
    members: tuple[Member, ...]
    """The M networks of the ensemble, or the only one."""
    shares: Mapping[PartName, Probs]
    """(V,) for each part: its share in the log-probability of each token, in nats. For every token the sum over the
    parts is log p - log(1 / V): what the model knows more than a guess among all tokens."""
    prior: PriorUse | None
    """None for a model without n-gram prior."""
    matches: tuple[Match, ...]
    """The longest match that each token followed, the longest and latest first; empty for a model that looks for
    none."""
    occurrences: Occurrences | None
    """Where the end of the text is in the counted training text; None without a prior."""
    attention: Attention
    is_cut: bool
    """Whether the text has more tokens than attention sees."""

    def most_likely(self, count: int = 10) -> tuple[int, ...]:
        """Return the `count` most likely tokens, the most likely first."""
        return tuple(np.argsort(-self.probs, kind="stable")[:count].tolist())

    def alternatives(self, count: int = 10) -> tuple[tuple[str, float], ...]:
        """Return the texts and probabilities of the `count` most likely tokens, the most likely first."""
        return tuple((self.texts[token], float(self.probs[token])) for token in self.most_likely(count))

    def token(self, text: str) -> int | None:
        """Return the token with this text, None if there is none."""
        return self.texts.index(text) if text in self.texts else None
