"""The most likely continuations that have been computed, and the place in them that the arrow keys move: no widgets."""

import heapq
import math
from collections.abc import Sequence

from tui_gpt.generation.branches import Branch, Level, TokenPath, joined


class ProbabilityTree:
    """Nodes by path. What is computed from a node is added below it."""

    def __init__(self) -> None:
        self._nodes: dict[TokenPath, Branch] = {}
        self._children: dict[TokenPath, list[Branch]] = {}
        self.missed = 0.0
        """The highest log-probability that a missing continuation of the root can have, of `depth` tokens at most."""
        self.depth = 0
        """Tokens of the longest continuations of the root."""

    def __len__(self) -> int:
        return len(self._nodes)

    def add(self, root: TokenPath, level: Level) -> None:
        """Add the continuations of the node at `root`; what is there already stays."""
        base = self._nodes[root].total if root else 0.0
        fresh = dict[TokenPath, list[Branch]]()
        for branch in level.branches:
            path = (*root, *branch.path)
            if path[:-1] not in self._children:
                node = self._nodes[path] = branch._replace(path=path, total=base + branch.total)
                fresh.setdefault(path[:-1], []).append(node)
        self._children |= fresh
        if not root:
            self.missed = level.missed
            self.depth = len(level.branches[0].path) if level.branches else self.depth

    def children(self, path: TokenPath) -> Sequence[Branch]:
        """Return the children of a node, the most likely first; empty where they have not been computed."""
        return self._children.get(path, ())

    def node(self, path: TokenPath) -> Branch | None:
        """Return a node; None for the root."""
        return self._nodes.get(path)

    def text(self, path: TokenPath) -> str:
        """Return the text of the tokens of a path."""
        return joined([self._nodes[path[: n + 1]].text for n in range(len(path))])

    def most_likely_below(self, path: TokenPath, count: int) -> list[Branch]:
        """Return the most likely continuations of a node among those that were computed farthest."""
        below = [node for node in self._nodes.values() if node.path[: len(path)] == path and len(node.path) > len(path)]
        depth = max((len(node.path) for node in below), default=0)
        return heapq.nlargest(count, (node for node in below if len(node.path) == depth), key=lambda node: node.total)


class Walk:
    """A node of a tree that the arrow keys move."""

    def __init__(self, tree: ProbabilityTree) -> None:
        self.tree = tree
        self.path: TokenPath = ()
        """The selected node; the root only while nothing has been computed."""

    def begin(self) -> None:
        """Select the most likely first token, unless a node is selected already."""
        if not self.path and self.tree.children(()):
            self.path = self.tree.children(())[0].path

    def enter(self) -> bool:
        """Move to the most likely child; return False if the children have to be computed first."""
        children = self.tree.children(self.path)
        if children:
            self.path = children[0].path
        return bool(children)

    def leave(self) -> None:
        """Move to the parent; a first token stays."""
        if len(self.path) > 1:
            self.path = self.path[:-1]

    def select_sibling(self, by: int) -> None:
        """Move to a sibling; the first and the last one stay."""
        siblings = self.tree.children(self.path[:-1])
        if siblings:
            place = [node.path for node in siblings].index(self.path) + by
            self.path = siblings[min(max(place, 0), len(siblings) - 1)].path

    def select(self, path: TokenPath) -> None:
        """Select a node."""
        if self.tree.node(path) is not None:
            self.path = path

    @property
    def text(self) -> str:
        """The text walked through."""
        return self.tree.text(self.path)

    @property
    def logprobs(self) -> tuple[float, ...]:
        """The log-probability of each token walked through."""
        nodes = (self.tree.node(self.path[: n + 1]) for n in range(len(self.path)))
        return tuple(node.logprob for node in nodes if node is not None)

    @property
    def bits(self) -> float:
        """The negative log-probability of the text walked through, in bits."""
        node = self.tree.node(self.path)
        return 0.0 if node is None else -node.total / math.log(2)
