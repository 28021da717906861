"""What the panel says about attention: whose it is, and the characters that were looked at most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_gpt.formatting import bar
from tui_gpt.tui.generate.alternatives import percent, spelled
from tui_gpt.tui.generate.why.attention_view import AXES, LOOKED_TONES, AttentionChoice, sizes, weights_by_character
from tui_gpt.tui.generate.why.rows import BAR, KEY, MUTED, PLAIN, STRONG, Row
from tui_gpt.tui.text.cells import fitted

if TYPE_CHECKING:
    from tui_gpt.generation.explanation import Attention, Explanation

_SHOWN = 5
_NAME_CELLS, _BAR_CELLS = 5, 8


def attention_rows(explanation: Explanation, text: str, choice: AttentionChoice) -> list[Row]:
    """Return the rows for the attention that predicts the character after `text`."""
    attention = explanation.attention
    if not attention.weights.size:
        return [[("attention", STRONG)], [], [("The model has none: it sees the last character alone.", PLAIN)]]
    choice = choice.within(attention)
    first = "left out" if choice.skips_first else "shown"
    return [
        [("attention", STRONG), (" where it looked", MUTED)],
        *_chosen_rows(attention, choice),
        [("first position ", MUTED), (f"{first:<9}", PLAIN), ("why.skip_first", KEY)],
        [],
        *_most_looked_at(attention, text, choice),
        [],
        [("little ", MUTED), *((" a ", tone) for tone in LOOKED_TONES), (" most", MUTED)],
        *_cut_rows(explanation),
    ]


def _chosen_rows(attention: Attention, choice: AttentionChoice) -> list[Row]:
    rows: list[Row] = []
    for axis in AXES:
        count, place = sizes(attention)[axis], getattr(choice, axis)
        if count > 1:
            chosen = f"mean of {count}" if place is None else f"{place + 1} of {count}"
            rows.append([(f"{axis:<8}", MUTED), (f"{chosen:<12}", PLAIN), (f"why.{axis}", KEY)])
    return rows


def _most_looked_at(attention: Attention, text: str, choice: AttentionChoice) -> list[Row]:
    weights = weights_by_character(attention, choice)
    most = sorted(weights.items(), key=lambda item: -item[1])[:_SHOWN]
    return [
        [
            (fitted(spelled(text[start:end]), _NAME_CELLS, to_the_right=True) + " ", STRONG),
            (bar(weight, _BAR_CELLS, empty=" "), BAR),
            (f" {percent(weight):>6}", PLAIN),
            (f" {len(text) - start:,} back", MUTED),
        ]
        for (start, end), weight in most
        if weight > 0
    ]


def _cut_rows(explanation: Explanation) -> list[Row]:
    if not explanation.is_cut:
        return []
    seen = len(explanation.attention.places)
    return [[(f"Attention sees the newest {seen:,} tokens alone.", MUTED)]]
