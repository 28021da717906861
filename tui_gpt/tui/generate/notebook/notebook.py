"""The notebook of the Generate tab: cards in order, with undo and redo, in memory.

It is made of parts: answers, layouts of cards, and steps that change layouts. The file holds the same parts, so reading
it, and changing the notebook while the app runs, are the same code. `History` writes the parts to disk.
"""

from collections.abc import Iterable, Iterator

from tui_gpt.tui.generate.notebook.answers import Answer
from tui_gpt.tui.generate.notebook.cards import Card
from tui_gpt.tui.generate.notebook.layouts import Layout, LayoutChange, Shown, Step, Undone

UNDO_DEPTH = 200
"""Steps that can be undone."""

Part = Answer | Layout | Step | Undone | Shown
"""What the notebook and its file are made of."""


class Notebook:
    """Cards in the order in which they were begun."""

    def __init__(self, cards: Iterable[Card] = ()) -> None:
        self.answers: dict[str, Answer] = {}
        """By id, also those of removed cards."""
        self.layouts: dict[str, Layout] = {}
        """By the ids of their cards; empty ones of removed cards keep their places."""
        self.done: dict[str, Step] = {}
        """The steps that can be undone, by id, oldest first."""
        self.undone: dict[str, Step] = {}
        """The steps that can be done again, by id; the last one is the next."""
        self._assembled: dict[str, Card | None] = {}
        self._cards: tuple[Card, ...] | None = None
        for card in cards:
            self.add(card)

    @property
    def cards(self) -> tuple[Card, ...]:
        """The cards, oldest first."""
        if self._cards is None:
            cards = map(self.find, self.layouts)
            self._cards = tuple(card for card in cards if card is not None)
        return self._cards

    def find(self, card_id: str) -> Card | None:
        """Return a card by its id; None when there is none."""
        if card_id not in self._assembled and card_id in self.layouts:
            self._assembled[card_id] = self.layouts[card_id].assembled(self.answers)
        return self._assembled.get(card_id)

    # Parts

    def take(self, part: Part) -> None:
        """Add a part; what it refers to and is not known is skipped."""
        match part:
            case Answer():
                self.answers[part.id] = part
            case Layout():
                self._set(part)
            case Step():
                self._do(part)
            case Undone():
                self._take_undone(part)
            case Shown():
                self._show(part)

    def _set(self, layout: Layout) -> None:
        self.layouts[layout.id] = layout
        self._assembled.pop(layout.id, None)
        self._cards = None

    def _apply(self, changes: Iterable[LayoutChange]) -> None:
        for change in changes:
            present = self.layouts.get(change.after.id, Layout(change.after.id))
            self._set(present.changed(change.before, change.after))

    def _do(self, step: Step) -> None:
        """Apply a step, or another part of one."""
        self._apply(step.changes)
        if (begun := self.done.get(step.id)) is not None:
            step = Step(step.words, (*begun.changes, *step.changes), step.id)
        self.done[step.id] = step
        self.undone.clear()
        while len(self.done) > UNDO_DEPTH:
            del self.done[next(iter(self.done))]

    def _take_undone(self, part: Undone) -> None:
        source, target = (self.undone, self.done) if part.again else (self.done, self.undone)
        step = source.pop(part.step, None)
        if step is not None:
            target[step.id] = step
            self._apply(step.changes if part.again else (change.reversed for change in reversed(step.changes)))

    def _show(self, part: Shown) -> None:
        card = self.find(part.card)
        if card is not None:
            self._set(Layout.of(card.showing(part.answer)))

    # Changes. Each returns the parts that describe it.

    def add(self, card: Card) -> None:
        """Add or replace a card; cannot be undone."""
        self.answers.update((answer.id, answer) for answer in card.nodes)
        self._set(Layout.of(card))

    def put(self, *cards: Card, words: str = "change") -> Step:
        """Replace cards with the same ids, or append them. An answer that is known stays as it is: the card may have
        been on screen while its text was being generated."""
        for card in cards:
            self.answers = {answer.id: answer for answer in card.nodes} | self.answers
        return self._change(words, map(Layout.of, cards))

    def remove(self, *card_ids: str, words: str = "removal") -> Step:
        """Remove cards."""
        return self._change(words, map(Layout, card_ids))

    def _change(self, words: str, layouts: Iterable[Layout]) -> Step:
        changes = tuple(LayoutChange(self.layouts.get(after.id, Layout(after.id)), after) for after in layouts)
        step = Step(words, changes)
        self._do(step)
        return step

    def replace_answer(self, answer: Answer) -> Card | None:
        """Replace an answer wherever it occurs; return its card, None if that is gone."""
        self.answers[answer.id] = answer
        for card_id in reversed(self.layouts):
            if answer.id in self.layouts[card_id].nodes:
                self._set(self.layouts[card_id])
                return self.find(card_id)
        return None

    def undo(self) -> Step | None:
        """Undo the last step and return it; None if there is none."""
        return self._turn(self.done, again=False)

    def redo(self) -> Step | None:
        """Do again the step that was undone last and return it; None if there is none."""
        return self._turn(self.undone, again=True)

    def _turn(self, steps: dict[str, Step], *, again: bool) -> Step | None:
        step = next(reversed(steps.values()), None)
        if step is not None:
            self.take(Undone(step.id, again))
        return step

    def merge(self, later: "Notebook") -> None:
        """Append the cards and steps of another notebook."""
        self.answers.update((name, one) for name, one in later.answers.items() if self.answers.get(name) != one)
        for layout in later.layouts.values():
            self._set(layout)
        self.done.update(later.done)
        if later.done or later.undone:
            self.undone = dict(later.undone)
        for name in self.undone:
            self.done.pop(name, None)

    def drop_incomplete(self) -> None:
        """Drop the cards that have unknown answers, and the steps that change such cards."""
        lacking = {name for name, layout in self.layouts.items() if not self.answers.keys() >= set(layout.nodes)}
        for name in lacking:
            del self.layouts[name]
            self._assembled.pop(name, None)
        for steps in (self.done, self.undone):
            last = max((k for k, step in enumerate(steps.values()) if not lacking.isdisjoint(step.cards)), default=-1)
            for name in list(steps)[: last + 1]:
                del steps[name]
        self._cards = None

    # For its file

    def parts(self) -> Iterator[Part]:
        """Yield parts that make up this notebook: those of its cards, and steps whose answers are known."""
        steps = [*self.done.values(), *reversed(self.undone.values())]
        names = self.used_ids()
        yield from (answer for name, answer in self.answers.items() if name in names)
        changed = {card_id for step in steps for card_id in step.cards}
        yield from (layout for name, layout in self.layouts.items() if layout.nodes or name in changed)
        for step in steps:
            yield from step.parts()
        yield from (Undone(name) for name in self.undone)
        yield from (layout for name, layout in self.layouts.items() if name in changed)

    def used_ids(self) -> set[str]:
        """Return the ids of all steps, and of the answers that cards and steps refer to."""
        names = {name for layout in self.layouts.values() for name in layout.nodes}
        for step in (*self.done.values(), *self.undone.values()):
            names.add(step.id)
            names.update(step.names())
        return names

    def prompts(self) -> list[str]:
        """Return the prompts of all answers, oldest first, without repetitions."""
        given = [answer.prompt for card in self.cards for answer in card.nodes if answer.prompt]
        return list(dict.fromkeys(reversed(given)))[::-1]
