"""What the panel says about a prediction: how each part changed the probability of one token, and what it knew."""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING

from tui_gpt.formatting import bar
from tui_gpt.tui.generate.alternatives import percent, spelled
from tui_gpt.tui.generate.why.rows import BAR, BELOW, MUTED, PLAIN, STRONG, Row, quoted

if TYPE_CHECKING:
    from tui_gpt.generation.decoder import PartName
    from tui_gpt.generation.explanation import Explanation, PriorUse

NAMES: dict[PartName, str] = {"prior": "n-grams", "matches": "matches", "network": "network"}
_BAR_CELLS = 9
_NETWORK_BAR = 2
_NETWORKS_PER_ROW = 3
_LIKELY = 3
_NEAREST = 4

Nearest = tuple[tuple[str, float], ...]
"""Tokens with similar embeddings, and the cosines."""


def why_rows(explanation: Explanation, character: str, nearest: Nearest) -> list[Row]:
    """Return the rows that explain the probability of the token `character`; of the most likely one if it is none."""
    token = explanation.token(character)
    if token is None:
        (likely,) = explanation.most_likely(1)
        unknown = [(spelled(character), STRONG), (" is not a token of this model.", PLAIN)]
        return [unknown, *why_rows(explanation, explanation.texts[likely], ())]
    probability = float(explanation.probs[token])
    return [
        _title(explanation.texts[token], probability),
        *_factor_rows(explanation, token),
        *_prior_rows(explanation.prior, token),
        *_match_rows(explanation),
        *_network_rows(explanation, token),
        *_training_rows(explanation),
        _likely_row(explanation),
        *([_nearest_row(explanation.texts[token], nearest)] if nearest else []),
    ]


def _title(token: str, probability: float) -> Row:
    logarithm = f"  ln p {math.log(probability):.2f}" if probability else ""
    return [("why ", MUTED), (spelled(token), STRONG), (f"  {percent(probability)}", PLAIN), (logarithm, MUTED)]


def _factor_rows(explanation: Explanation, token: int) -> list[Row]:
    """Return rows whose factors, multiplied by each other and by the guess, are the probability."""
    size = len(explanation.probs)
    shares = {name: float(explanation.shares[name][token]) for name in NAMES if name in explanation.shares}
    most = max(map(abs, shares.values())) or 1.0
    return [
        [(f"a guess, 1 of {size:,}", MUTED), (f"  {percent(1 / size)}", PLAIN)],
        *(
            [
                (f"{NAMES[name]:<8}", PLAIN),
                (f"{times(share):>7} ", STRONG),
                (bar(abs(share) / most, _BAR_CELLS, empty=" "), BAR if share >= 0 else BELOW),
            ]
            for name, share in shares.items()
        ),
    ]


def short_percent(probability: float) -> str:
    """Return a probability as `42%`, `1.3%` or `<0.1%`."""
    return percent(probability).replace(" ", "")


def times(share: float) -> str:
    """Return a share in nats as a factor, e.g. `×2.1`, or as a divisor where it lowers the probability."""
    factor = math.exp(min(abs(share), 60.0))
    number = f"{factor:.2f}" if factor < 9.995 else f"{factor:.0f}" if factor < 99_999 else f"{factor:.0e}"
    return ("×" if share >= 0 else "÷") + number


def _prior_rows(prior: PriorUse | None, token: int) -> list[Row]:
    if prior is None:
        return []
    alone = float(prior.probs[token])
    parts = {order: float(part[token]) / alone for order, part in enumerate(prior.order_probs, 1)}
    most = sorted(parts, key=lambda order: -parts[order])[:3]
    orders = " ".join(f"{order}:{parts[order]:.0%}" for order in most)
    return [
        [(f"{prior.order}-grams ", PLAIN), (f"after {quoted(prior.context, 10)} ", MUTED), (percent(alone), PLAIN)],
        [(f" by order {orders}", MUTED)],
    ]


def _match_rows(explanation: Explanation) -> list[Row]:
    """Return the longest match: what followed it, and how often."""
    return [
        [
            ("match ", PLAIN),
            (f"{match.length} long, then ", MUTED),
            (spelled(explanation.texts[match.follower]), STRONG),
            (f" ×{match.count}" if match.count > 1 else "", MUTED),
        ]
        for match in explanation.matches[:1]
    ]


def _network_rows(explanation: Explanation, token: int) -> list[Row]:
    """Return the probability that each network of an ensemble gives, three to a row."""
    each = [float(member.probs[token]) for member in explanation.members]
    if len(each) < 2:
        return []
    cells = [
        [(f"{number} ", MUTED), (bar(one, _NETWORK_BAR, empty=" "), BAR), (f"{short_percent(one):>5} ", PLAIN)]
        for number, one in enumerate(each, 1)
    ]
    mean: Row = [("networks, mean ", MUTED), (percent(sum(each) / len(each)), PLAIN)]
    starts = range(0, len(cells), _NETWORKS_PER_ROW)
    return [mean, *(list(chain.from_iterable(cells[start : start + _NETWORKS_PER_ROW])) for start in starts)]


def _training_rows(explanation: Explanation) -> list[Row]:
    found = explanation.occurrences
    if found is None or not found.places:
        return []
    followers = " ".join(f"{spelled(explanation.texts[token])} {count:,}" for token, count in found.followers[:3])
    before = quoted(found.places[0].before[-found.length :], 12)
    return [[("in the training text ", MUTED), (f"{found.count:,}×", PLAIN)], [(f" {before} then {followers}", MUTED)]]


def _likely_row(explanation: Explanation) -> Row:
    words: Row = [("likely ", MUTED)]
    for token in explanation.most_likely(_LIKELY):
        words += [
            (spelled(explanation.texts[token]), STRONG),
            (f" {short_percent(float(explanation.probs[token]))} ", MUTED),
        ]
    return words


def _nearest_row(token: str, nearest: Nearest) -> Row:
    words: Row = [(f"near {spelled(token)} ", MUTED)]
    for other, cosine in nearest[:_NEAREST]:
        words += [(spelled(other), STRONG), (f" {cosine:.2f}".replace("0.", ".") + " ", MUTED)]
    return words
