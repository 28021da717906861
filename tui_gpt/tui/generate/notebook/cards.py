"""A card of the notebook: the answers to one prompt, with bookmarks and notes.

All values are frozen: a change is a new card, so that undo can restore the previous one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tui_gpt.tui.generate.notebook.answers import Answer, new_id


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """The answers to one prompt, and the index of the one shown."""

    id: str = field(default_factory=new_id)
    answers: tuple[Answer, ...]
    shown: int = 0
    continued: tuple[Answer, ...] = ()
    """Answers that were continued at their end: the whole text of each is the beginning of another answer."""
    bookmarks: frozenset[str] = frozenset()
    """The ids of the answers with a bookmark."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """The user's notes by the ids of their answers."""

    @property
    def answer(self) -> Answer:
        """Return the answer that is shown."""
        return self.answers[self.shown]

    @property
    def nodes(self) -> tuple[Answer, ...]:
        """Return all answers, also those that were continued."""
        return (*self.continued, *self.answers)

    def with_answers(self, *answers: Answer) -> "Card":
        """Return the card with more answers, the first of which is shown."""
        visible = self._without_continued()
        return self._arranged([*visible, *answers], len(visible))

    def with_shown(self, answer: Answer) -> "Card":
        """Return the card with the shown answer replaced."""
        return replace(self, answers=(*self.answers[: self.shown], answer, *self.answers[self.shown + 1 :]))

    def with_continuation(self, answer: Answer) -> "Card":
        """Return the card with a continuation in the place of the shown answer."""
        return replace(self.with_shown(answer), continued=(*self.continued, self.answer))

    def showing(self, answer_id: str) -> "Card":
        """Return the card with another of its nodes shown; a continued answer is among the others while it is shown."""
        node = next((one for one in self.nodes if one.id == answer_id), None)
        if node is None or node.id == self.answer.id:
            return self
        visible = self._without_continued()
        if node not in visible:
            visible.insert(self._place_of(node, visible), node)
        return self._arranged(visible, visible.index(node))

    def _without_continued(self) -> list[Answer]:
        """Return the answers without the shown one, if that was continued."""
        shown = self.answer
        is_continued = any(one.parent == shown.id and one.leaves_at == len(shown.full) for one in self.nodes)
        return [one for one in self.answers if one is not shown or not is_continued]

    def _place_of(self, node: Answer, visible: Sequence[Answer]) -> int:
        """Return the place of a continued answer: before the first one that descends from it."""
        parents = {one.id: one.parent for one in self.nodes}
        for place, answer in enumerate(visible):
            name, passed = answer.parent, {answer.id}
            while name and name not in passed:
                if name == node.id:
                    return place
                passed.add(name)
                name = parents.get(name, "")
        return len(visible)

    def _arranged(self, visible: Sequence[Answer], shown: int) -> "Card":
        names = {one.id for one in visible}
        continued = tuple(one for one in self.nodes if one.id not in names)
        return replace(self, answers=tuple(visible), continued=continued, shown=shown)

    def swiped(self, by: int) -> "Card":
        """Return the card with the answer shown that is `by` further on, within the first and the last."""
        return self.showing(self.answers[min(max(self.shown + by, 0), len(self.answers) - 1)].id)

    def without(self, answer_ids: Collection[str]) -> "Card | None":
        """Return the card without some of its nodes, None without any left."""
        answers = [one for one in self.answers if one.id not in answer_ids]
        continued = [one for one in self.continued if one.id not in answer_ids]
        if not answers and not continued:
            return None
        if not answers:
            answers = [continued.pop()]
        before = [one for one in self.answers[: self.shown] if one.id not in answer_ids]
        return replace(
            self,
            answers=tuple(answers),
            continued=tuple(continued),
            shown=min(len(before), len(answers) - 1),
            bookmarks=self.bookmarks - frozenset(answer_ids),
            notes={name: note for name, note in self.notes.items() if name not in answer_ids},
        )

    def with_bookmark(self, answer_id: str, *, is_set: bool) -> "Card":
        """Return the card with a bookmark on one of its answers, or without it."""
        others = self.bookmarks - {answer_id}
        return replace(self, bookmarks=others | {answer_id} if is_set else others)

    def with_note(self, answer_id: str, note: str) -> "Card":
        """Return the card with a note on one of its answers; "" removes it."""
        others = {name: text for name, text in self.notes.items() if name != answer_id}
        return replace(self, notes=others | {answer_id: note} if note else others)
