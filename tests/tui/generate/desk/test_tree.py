"""The probability tree without widgets: what is added below which node, and where the arrow keys lead."""

import math

import pytest

from tests.fakes import FakeTextModel
from tui_gpt.generation.branches import Branch, Level, TreeShape, is_whole, joined, spread_logprobs
from tui_gpt.tui.generate.probability_tree.tree import ProbabilityTree, Walk
from tui_gpt.tui.text.tail import in_a_row, tail_rows


def grown(depth: int = 2, width: int = 3) -> ProbabilityTree:
    tree = ProbabilityTree()
    for level in FakeTextModel(text="ab").continuations("", TreeShape(depth, width)):
        tree.add((), level)
    return tree


def test_levels_are_added_with_cumulative_probabilities() -> None:
    tree = grown()
    assert (len(tree), tree.depth, tree.missed) == (3 + 9, 2, math.log(0.01))
    assert [node.text for node in tree.children(())] == ["a", "x", "y"]
    assert [node.cumulative for node in tree.children((ord("a"),))] == pytest.approx([0.25, 0.125, 0.0625])
    assert tree.text((ord("x"), ord("b"))) == "xb"
    likely = tree.most_likely_below((), 3)
    assert [tree.text(node.path) for node in likely] == ["ab", "ax", "xb"]
    assert [tree.text(node.path) for node in tree.most_likely_below((ord("x"),), 1)] == ["xb"]


def test_what_is_computed_from_a_node_is_added_below_it_and_leaves_the_bound() -> None:
    tree = grown()
    leaf = (ord("a"), ord("b"))
    (level,) = FakeTextModel(text="ab").continuations("", TreeShape(1), path=leaf)
    tree.add(leaf, level)
    assert tree.text(tree.children(leaf)[0].path) == "aba"
    assert tree.children(leaf)[0].cumulative == pytest.approx(0.125)
    assert (tree.depth, tree.missed) == (2, math.log(0.01))


def test_the_arrow_keys_walk() -> None:
    walk = Walk(grown())
    assert walk.text == ""
    walk.begin()
    assert walk.text == "a"
    walk.select_sibling(-1)
    walk.leave()
    assert walk.text == "a", "the first sibling and the first token stay"
    walk.select_sibling(1)
    assert walk.enter()
    walk.select_sibling(5)
    assert walk.text == "xy"
    assert walk.bits == pytest.approx(2 + 3)
    assert not walk.enter(), "the children are not known"
    walk.leave()
    assert walk.text == "x"
    walk.select((ord("a"), ord("b")))
    walk.select((1, 2, 3))
    assert walk.text == "ab"


def test_a_tree_that_is_empty_can_be_walked() -> None:
    walk = Walk(ProbabilityTree())
    walk.begin()
    walk.select_sibling(1)
    walk.leave()
    assert (walk.path, walk.text, walk.bits) == ((), "", 0.0)
    walk.tree.add((), Level((), -math.inf))
    assert not walk.enter()


def test_bytes_join_to_characters_with_their_log_probabilities() -> None:
    first, second = (chr(0xDC00 + byte) for byte in "é".encode())
    tree = ProbabilityTree()
    tree.add((), Level((Branch((1,), first, -1.0, -1.0),), 0.0))
    tree.add((1,), Level((Branch((2,), second, -0.5, -0.5),), 0.0))
    assert (tree.text((1,)), is_whole(tree.text((1,)))) == (first, False)
    assert (tree.text((1, 2)), is_whole(tree.text((1, 2)))) == ("é", True)
    assert spread_logprobs([(first, -1.0), (second, -0.5), ("the", -3.0)]) == (-1.5, -1.0, -1.0, -1.0)
    assert joined(["a", first]) == "a" + first


def test_the_end_of_a_text_is_shown_with_signs() -> None:
    assert in_a_row(" a\nb \t") == "␣a↵b ⇥"
    assert in_a_row("  ") == "␣␣"
    assert in_a_row("\udce4") == "<0xE4>"
    shown = tail_rows([("one two three ", "dim"), ("四五", "bold"), ("\n", "")], 8, 2)
    assert shown.plain == "three \n四五↵"
    assert [str(span.style) for span in shown.spans] == ["dim", "bold"]
    assert tail_rows([("a\n\nb", "")], 8, 9).plain == "a\n\nb"
    assert tail_rows([("x" * 10_000, "dim"), ("end", "")], 8, 1).plain.endswith("end")
