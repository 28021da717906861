"""What keys can do with the selected card, and when."""

from enum import StrEnum

from tui_gpt.tui.generate.notebook import Card


class CardAction(StrEnum):
    """An action on the selected card, or on the notebook."""

    REGENERATE = "regenerate"
    REPEAT = "repeat"
    CONTINUE = "continue"
    EDIT = "edit"
    COMPARE = "compare"
    BATCH = "batch"
    PREVIOUS_ANSWER = "previous_answer"
    NEXT_ANSWER = "next_answer"
    TOGGLE_COLUMNS = "toggle_columns"
    TOGGLE_PROBABILITIES = "toggle_probabilities"
    INSPECT = "inspect"
    STOP_INSPECTING = "stop_inspecting"
    COPY = "copy"
    SAVE_TEXT = "save_text"
    SAVE_MARKDOWN = "save_markdown"
    UNDO = "undo"
    REMOVE = "remove"
    FOCUS_PROMPT = "focus_prompt"


_WITHOUT_CARD = frozenset({CardAction.TOGGLE_PROBABILITIES, CardAction.UNDO, CardAction.FOCUS_PROMPT})
_WHILE_INSPECTING = frozenset(
    {
        CardAction.INSPECT,
        CardAction.STOP_INSPECTING,
        CardAction.PREVIOUS_ANSWER,
        CardAction.NEXT_ANSWER,
        CardAction.TOGGLE_PROBABILITIES,
        CardAction.COPY,
        CardAction.FOCUS_PROMPT,
    }
)
"""The keys of an inspected card: the arrows move its cursor, Enter goes to the alternatives."""
_WHILE_GENERATING = frozenset(
    {
        CardAction.TOGGLE_PROBABILITIES,
        CardAction.FOCUS_PROMPT,
        CardAction.COPY,
        CardAction.SAVE_TEXT,
        CardAction.SAVE_MARKDOWN,
        CardAction.TOGGLE_COLUMNS,
    }
)
_NEEDS_GENERATED = frozenset(
    {CardAction.REGENERATE, CardAction.REPEAT, CardAction.CONTINUE, CardAction.COMPARE, CardAction.BATCH}
)
"""Not for a text whose probabilities were computed: it was not generated."""


def is_available(action: CardAction, card: Card | None, *, is_generating: bool, is_inspecting: bool) -> bool:
    """Return whether an action makes sense for the selected card, which may be None."""
    if action is CardAction.STOP_INSPECTING:
        return is_inspecting
    if card is None:
        return action in _WITHOUT_CARD
    if is_generating:
        return action in _WHILE_GENERATING
    if is_inspecting:
        return action in _WHILE_INSPECTING
    return card.answer.kind == "written" or action not in _NEEDS_GENERATED
