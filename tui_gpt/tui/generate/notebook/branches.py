"""The answers of a card as a tree: a branch begins where its text leaves that of its parent.

An answer knows the one that it was made from, which need not be its parent here: an answer that was generated again, or
that leaves the other one before that begins itself, is a sibling. So the children of a branch are those that leave it
within its own text, and a text that several answers share is shown once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from tui_gpt.tui.generate.notebook.answers import Answer
from tui_gpt.tui.generate.notebook.cards import Card

Direction = Literal["parent", "child", "previous", "next"]


@dataclass(frozen=True)
class Branch:
    """An answer in the tree of its card."""

    answer: Answer
    parent: str
    """The id of the parent; "" at the top."""
    start: int
    """The number of characters that it shares with the parent."""
    depth: int
    """The number of branching points above; a lone continuation is as deep as what it continues."""
    guides: tuple[bool, ...]
    """For each depth above, whether another branch follows below on that level."""
    is_continuation: bool
    """Whether it is the only child and continues the parent at its end."""
    is_last: bool
    """Whether no sibling follows."""

    @property
    def own(self) -> str:
        """Return the text after the branching point."""
        return self.answer.full[self.start :]


class BranchTree:
    """The branches of a card from top to bottom."""

    def __init__(self, card: Card) -> None:
        self._answers = {answer.id: answer for answer in card.nodes}
        self._links = {name: self._link(answer) for name, answer in self._answers.items()}
        self._break_circles()
        self._children: dict[str, list[str]] = {"": []}
        for name in self._answers:
            self._children.setdefault(self._links[name][0], []).append(name)
        for siblings in self._children.values():
            siblings.sort(key=lambda name: self._links[name][1])
        self.branches: tuple[Branch, ...] = tuple(self._walk())

    def _link(self, answer: Answer) -> tuple[str, int]:
        """Return the parent and the branching point of an answer."""
        start, name, passed = answer.leaves_at, answer.parent, {answer.id}
        while (parent := self._answers.get(name)) is not None and name not in passed:
            if len(parent.given) < start <= len(parent.full):
                return name, min(start, len(parent.full), len(answer.full))
            passed.add(name)
            start, name = min(start, parent.leaves_at), parent.parent
        return "", 0

    def _break_circles(self) -> None:
        """Let an answer of each circle, which only a damaged file can hold, begin at the top."""
        sound = {""}
        for name in self._links:
            passed, one = dict[str, None](), name
            while one not in sound and one not in passed:
                passed[one] = None
                one = self._links[one][0]
            if one in passed:
                self._links[one] = "", 0
            sound.update(passed)

    def _walk(self) -> Iterator[Branch]:
        """Yield each branch before its children."""
        waiting = self._below("", 0, ())
        while waiting:
            branch = waiting.pop()
            yield branch
            guides = branch.guides if branch.is_continuation else (*branch.guides, not branch.is_last)
            waiting += self._below(branch.answer.id, branch.depth, guides)

    def _below(self, parent: str, depth: int, guides: tuple[bool, ...]) -> list[Branch]:
        """Return the children of a branch, last one first."""
        names = self._children.get(parent, [])
        end = len(self._answers[parent].full) if parent else -1
        branches = []
        for place, name in enumerate(names):
            start = self._links[name][1]
            is_continuation = len(names) == 1 and start == end
            branches.append(
                Branch(
                    answer=self._answers[name],
                    parent=parent,
                    start=start,
                    depth=depth if is_continuation else depth + 1,
                    guides=guides,
                    is_continuation=is_continuation,
                    is_last=place == len(names) - 1,
                )
            )
        return branches[::-1]

    @property
    def by_id(self) -> Mapping[str, Branch]:
        """The branches by the ids of their answers."""
        return {branch.answer.id: branch for branch in self.branches}

    def neighbour(self, name: str, direction: Direction, cursor: int | None = None) -> Branch | None:
        """Return the parent, the first child, or a sibling of a branch; None where there is none.

        With a text cursor, the child is the first one that leaves the text there or after it.
        """
        branch = self.by_id.get(name)
        if branch is None:
            return None
        if direction == "parent":
            return self.by_id.get(branch.parent)
        if direction == "child":
            children = [self.by_id[child] for child in self._children.get(name, [])]
            after = [child for child in children if cursor is None or child.start >= cursor]
            return next(iter([*after, *reversed(children)]), None)
        siblings = self._children[branch.parent]
        place = siblings.index(name) + (1 if direction == "next" else -1)
        return self.by_id[siblings[place]] if 0 <= place < len(siblings) else None

    def below(self, name: str) -> set[str]:
        """Return the ids of a branch and all that leave it, and those that leave them."""
        found, waiting = set[str](), [name]
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting += self._children.get(one, [])
        return found
