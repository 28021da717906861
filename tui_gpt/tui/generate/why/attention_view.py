"""Which layer, head and network's attention is shown, and how strongly each character of the text was looked at."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from tui_gpt.generation.explanation import Attention

Axis = Literal["network", "layer", "head"]
AXES: tuple[Axis, ...] = ("network", "layer", "head")
LOOKED_TONES = ("looked-1", "looked-2", "looked-3", "looked-4")
"""From a little to most."""
_LEAST = (0.05, 0.2, 0.5, 0.8)
"""The smallest weight with each of these tones, as a fraction of the largest weight in the text."""


@dataclass(frozen=True)
class AttentionChoice:
    """A network, layer and head, counted from 0; None is the mean over all of them."""

    network: int | None = None
    layer: int | None = None
    head: int | None = None
    skips_first: bool = False
    """Whether the first position is left out."""

    def next(self, axis: Axis, count: int) -> AttentionChoice:
        """Return the choice with the next of `count` networks, layers or heads; after the last comes the mean."""
        place = getattr(self, axis)
        following = 0 if place is None else place + 1
        return self._with(axis, following if following < count and count > 1 else None)

    def within(self, attention: Attention) -> AttentionChoice:
        """Return the choice without what a model does not have."""
        chosen = self
        for axis, count in sizes(attention).items():
            if (getattr(self, axis) or 0) >= count:
                chosen = chosen._with(axis, None)
        return chosen

    def _with(self, axis: Axis, place: int | None) -> AttentionChoice:
        changes: dict[str, Any] = {axis: place}
        return replace(self, **changes)


def sizes(attention: Attention) -> dict[Axis, int]:
    """Return the number of networks, layers and heads."""
    networks, layers, heads, _ = attention.weights.shape
    return {"network": networks, "layer": layers, "head": heads}


def weights_by_character(attention: Attention, choice: AttentionChoice) -> dict[tuple[int, int], float]:
    """Return the weight of each range of characters that tokens belong to; the parts of a character are added up."""
    choice = choice.within(attention)
    weights = attention.mean(choice.layer, choice.head, choice.network, skip_first=choice.skips_first)
    by_place: dict[tuple[int, int], float] = defaultdict(float)
    for place, weight in zip(attention.places, weights.tolist(), strict=True):
        by_place[place] += weight
    return by_place


def looked_at(weights: dict[tuple[int, int], float]) -> dict[int, str]:
    """Return the tone of each character that was looked at, by its index in the text."""
    most = max(weights.values(), default=0.0)
    tones = {}
    for (start, end), weight in weights.items():
        strength = sum(weight >= least * most for least in _LEAST) if most > 0 else 0
        if strength:
            tones.update(dict.fromkeys(range(start, end), LOOKED_TONES[strength - 1]))
    return tones
