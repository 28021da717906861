"""The binary code: every token has a path, and frequent tokens have short ones."""

import numpy as np
import pytest

from tui_gpt.generation.adaptive.code import GROUP_LEVELS, BinaryCode

COUNTS = np.array([50, 0, 3, 20, 1, 1, 25])


def path(code: BinaryCode, token: int) -> list[tuple[int, int]]:
    """Return the nodes on the way to a token, and the bit at each."""
    node, found = 0 if len(code.low) else -1, []
    while node >= 0:
        bit = int(code.place[token] >= code.middle[node])
        found.append((node, bit))
        node = int(code.children[node, bit])
    return found


def test_the_paths_of_all_tokens_are_a_prefix_code() -> None:
    """So the products of the probabilities along them sum to one (Kraft's equality)."""
    code = BinaryCode.of_counts(COUNTS)
    paths = [path(code, token) for token in range(len(COUNTS))]
    assert len(set(map(tuple, paths))) == len(COUNTS)
    assert sum(2.0 ** -len(nodes) for nodes in paths) == 1
    assert code.order[code.place].tolist() == list(range(len(COUNTS)))


def test_frequent_tokens_have_short_paths() -> None:
    code = BinaryCode.of_counts(COUNTS)
    lengths = [len(path(code, token)) for token in np.argsort(-COUNTS)]
    assert lengths == sorted(lengths)
    assert lengths[0] == 1


def test_the_tokens_of_a_subtree_are_neighbours() -> None:
    code = BinaryCode.of_counts(COUNTS)
    for token in range(len(COUNTS)):
        for node, bit in path(code, token):
            first, last = (code.middle[node], code.high[node]) if bit else (code.low[node], code.middle[node])
            assert first <= code.place[token] < last


def test_a_group_is_a_few_levels_of_a_subtree() -> None:
    code = BinaryCode.of_counts(np.ones(300))
    for token in range(0, 300, 7):
        for depth, (node, _) in enumerate(nodes := path(code, token)):
            assert code.groups[node] == nodes[depth - depth % GROUP_LEVELS][0]


@pytest.mark.parametrize("size", [1, 2])
def test_a_small_alphabet_has_a_code(size: int) -> None:
    code = BinaryCode.of_counts(np.zeros(size))
    assert [len(path(code, token)) for token in range(size)] == [size - 1] * size
    assert code.children.shape == (size - 1, 2)
