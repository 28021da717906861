"""A binary code for tokens: each token is a path of binary decisions in a Huffman tree (Huffman 1952).

Predicting the decisions predicts the token: the products along the paths sum to one, whatever the probabilities of the
decisions. A Huffman tree makes the paths of frequent tokens short.
"""

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
GROUP_LEVELS = 4
"""Levels of the tree whose counts lie side by side in memory."""


@dataclass(frozen=True)
class BinaryCode:
    """A tree over V tokens with V - 1 nodes, in depth-first order; node 0 is the root.

    The tokens of a node's two subtrees are neighbours in `order`: those of bit 0 are order[low:middle], those of bit 1
    order[middle:high].
    """

    order: Ints
    """(V,): the tokens from left to right."""
    place: Ints
    """(V,): the index of each token in `order`."""
    low: Ints
    """(V - 1,), as the following."""
    middle: Ints
    high: Ints
    children: Ints
    """(V - 1, 2): the node after bit 0 and after bit 1; -1 is a token."""
    groups: Ints
    """The ancestor at a depth that is a multiple of GROUP_LEVELS."""

    @classmethod
    def of_counts(cls, counts: npt.NDArray[Any]) -> "BinaryCode":
        """Return the code for tokens that occur `counts` (V,) times."""
        trees: list[tuple[float, int, Any]] = [
            (count + 0.5, token, token) for token, count in enumerate(counts.tolist())
        ]
        heapq.heapify(trees)
        while len(trees) > 1:
            left, right = heapq.heappop(trees), heapq.heappop(trees)
            heapq.heappush(trees, (left[0] + right[0], len(counts) + len(trees), (left[2], right[2])))
        order: list[int] = []
        nodes: list[list[int]] = []
        _walk(trees[0][2], 0, 0, order, nodes)
        columns = np.array(nodes, np.int32).reshape(-1, 6)
        low, middle, high, left, right, groups = np.ascontiguousarray(columns.T)
        places = np.argsort(order).astype(np.int32)
        children = np.stack([left, right], axis=1)
        return cls(np.array(order, np.int32), places, low, middle, high, children, groups)


def _walk(tree: Any, depth: int, group: int, order: list[int], nodes: list[list[int]]) -> int:
    """Append the tokens and the nodes of a tree; return the index of its node, -1 for a token."""
    if isinstance(tree, int):
        order.append(tree)
        return -1
    node = len(nodes)
    group = node if depth % GROUP_LEVELS == 0 else group
    nodes.append([])
    low = len(order)
    left = _walk(tree[0], depth + 1, group, order, nodes)
    middle = len(order)
    right = _walk(tree[1], depth + 1, group, order, nodes)
    nodes[node] = [low, middle, len(order), left, right, group]
    return node
