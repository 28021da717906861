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
    REDO = "redo"
    REMOVE = "remove"
    REMOVE_BRANCH = "remove_branch"
    REMOVE_ALL = "remove_all"
    TREE = "tree"
    PARENT = "parent"
    CHILD = "child"
    PREVIOUS_SIBLING = "previous_sibling"
    NEXT_SIBLING = "next_sibling"
    BOOKMARK = "bookmark"
    PREVIOUS_BOOKMARK = "previous_bookmark"
    NEXT_BOOKMARK = "next_bookmark"
    ONLY_BOOKMARKS = "only_bookmarks"
    NOTE = "note"
    SEARCH = "search"
    PREVIOUS_FOUND = "previous_found"
    NEXT_FOUND = "next_found"
    END_SEARCH = "end_search"
    EXPORT = "export"
    IMPORT = "import"
    FOCUS_PROMPT = "focus_prompt"


_WITHOUT_CARD = frozenset(
    {
        CardAction.TOGGLE_PROBABILITIES,
        CardAction.UNDO,
        CardAction.REDO,
        CardAction.IMPORT,
        CardAction.ONLY_BOOKMARKS,
        CardAction.FOCUS_PROMPT,
    }
)
_ALWAYS = frozenset(
    {
        CardAction.BOOKMARK,
        CardAction.NOTE,
        CardAction.SEARCH,
        CardAction.PREVIOUS_FOUND,
        CardAction.NEXT_FOUND,
        CardAction.TREE,
        CardAction.PARENT,
        CardAction.CHILD,
        CardAction.PREVIOUS_SIBLING,
        CardAction.NEXT_SIBLING,
        CardAction.PREVIOUS_BOOKMARK,
        CardAction.NEXT_BOOKMARK,
    }
)
"""Also while a card is inspected or being generated."""
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
    if action in _ALWAYS:
        return True
    if is_generating:
        return action in _WHILE_GENERATING
    if is_inspecting:
        return action in _WHILE_INSPECTING
    return card.answer.kind == "written" or action not in _NEEDS_GENERATED
