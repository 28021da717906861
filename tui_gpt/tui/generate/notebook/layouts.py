"""What changes about a card after its answers were generated: which it has, which is shown, bookmarks and notes.

A step is a change that can be undone. It holds the layouts before and after, and only their difference is applied, so
that a card that another app has changed meanwhile keeps those changes.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from tui_gpt.tui.generate.notebook.answers import Answer, new_id
from tui_gpt.tui.generate.notebook.cards import Card

_CHANGES_PER_PART = 1_000


@dataclass(frozen=True)
class Layout:
    """The ids of a card's answers in their order, and what the user has added; no answers for a removed card."""

    id: str
    answers: tuple[str, ...] = ()
    shown: int = 0
    continued: tuple[str, ...] = ()
    bookmarks: tuple[str, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, card: Card) -> "Layout":
        """Return the layout of a card."""
        answers, continued = (tuple(one.id for one in group) for group in (card.answers, card.continued))
        return cls(card.id, answers, card.shown, continued, tuple(sorted(card.bookmarks)), card.notes)

    @property
    def nodes(self) -> tuple[str, ...]:
        """Return the ids of all answers."""
        return (*self.continued, *self.answers)

    def assembled(self, answers: Mapping[str, Answer]) -> Card | None:
        """Return the card with those of its answers that are known; None without any."""
        visible, continued = (
            tuple(answers[name] for name in names if name in answers) for names in (self.answers, self.continued)
        )
        if not visible:
            visible, continued = continued[-1:], continued[:-1]
        if not visible:
            return None
        return Card(
            id=self.id,
            answers=visible,
            continued=continued,
            shown=min(max(self.shown, 0), len(visible) - 1),
            bookmarks=frozenset(self.bookmarks),
            notes=self.notes,
        )

    def changed(self, before: "Layout", after: "Layout") -> "Layout":
        """Return this layout with the difference between two others applied."""
        if self == before or not self.nodes or not after.nodes:
            return after
        names = _changed(self.nodes, before.nodes, after.nodes)
        visible = tuple(name for name in _changed(self.answers, before.answers, after.answers) if name in names)
        shown = after.answers[after.shown] if 0 <= after.shown < len(after.answers) else ""
        return replace(
            self,
            answers=visible,
            continued=tuple(name for name in names if name not in visible),
            shown=visible.index(shown) if shown in visible else max(0, min(self.shown, len(visible) - 1)),
            bookmarks=_changed(self.bookmarks, before.bookmarks, after.bookmarks),
            notes=_changed_notes(self.notes, before.notes, after.notes),
        )


def _changed(names: tuple[str, ...], before: tuple[str, ...], after: tuple[str, ...]) -> tuple[str, ...]:
    """Return `names` without what `after` lacks of `before`, and with what it adds."""
    kept = [name for name in names if name in after or name not in before]
    return (*kept, *(name for name in after if name not in before and name not in kept))


def _changed_notes(notes: Mapping[str, str], before: Mapping[str, str], after: Mapping[str, str]) -> Mapping[str, str]:
    """Return `notes` with those that differ between `before` and `after` as they are in `after`."""
    differing = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    kept = {name: note for name, note in notes.items() if name not in differing}
    return kept | {name: note for name, note in after.items() if name in differing}


@dataclass(frozen=True)
class LayoutChange:
    """A card before and after a step; its layout is empty where the card did not exist or does no longer."""

    before: Layout
    after: Layout

    @property
    def reversed(self) -> "LayoutChange":
        """Return the change that undoes this one."""
        return LayoutChange(self.after, self.before)


@dataclass(frozen=True)
class Step:
    """A change of the notebook that is undone at once."""

    words: str
    """What was done, as a noun: `removal`, `note`."""
    changes: tuple[LayoutChange, ...]
    id: str = field(default_factory=new_id)

    @property
    def cards(self) -> tuple[str, ...]:
        """Return the ids of the cards that it changes."""
        return tuple(change.after.id for change in self.changes)

    def parts(self) -> Iterator["Step"]:
        """Yield the step in parts with the same id, whose records are of a limited length."""
        for start in range(0, len(self.changes), _CHANGES_PER_PART):
            yield replace(self, changes=self.changes[start : start + _CHANGES_PER_PART])

    def names(self) -> Iterable[str]:
        """Yield the ids of all answers that the step refers to."""
        for change in self.changes:
            yield from change.before.nodes
            yield from change.after.nodes


@dataclass(frozen=True)
class Undone:
    """A step was undone, or done again."""

    step: str
    """The id of the step."""
    again: bool = False


@dataclass(frozen=True)
class Shown:
    """Another answer of a card is shown; no step, as nothing is lost by it."""

    card: str
    answer: str
