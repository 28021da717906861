"""The tree of a card: who is whose child, and the walks between them."""

from hypothesis import given
from hypothesis import strategies as st

from tests.tui.generate.notebook.helpers import CONFIG, card, written
from tui_gpt.tui.generate.notebook import Answer, Card
from tui_gpt.tui.generate.notebook.branches import BranchTree
from tui_gpt.tui.generate.tree.tree_rows import TreeRows


def grown(answer: Answer, text: str, name: str) -> Answer:
    """Return an empty answer with generated text."""
    return Answer(
        id=name,
        parent=answer.parent,
        leaves_at=answer.leaves_at,
        prompt=answer.prompt,
        kept=answer.kept,
        text=text,
        config=CONFIG,
    )


ROOT = written(" be or not", id="root")
AGAIN = grown(ROOT.again(CONFIG, None), " see", "again")
INSIDE = grown(ROOT.branched(5, "!", CONFIG, None), " go", "inside")
LONGER = grown(ROOT.extended(CONFIG, None), " to be", "longer")
LATER = grown(LONGER.branched(7, "?", CONFIG, None), " yes", "later")
BESIDE = grown(INSIDE.again(CONFIG, None), " stay", "beside")
CARD = Card(answers=(AGAIN, INSIDE, LONGER, LATER, BESIDE), continued=(ROOT,))


def test_a_branch_is_below_the_text_that_it_leaves() -> None:
    found = {branch.answer.id: (branch.parent, branch.start) for branch in BranchTree(CARD).branches}
    assert found == {
        "root": ("", 0),
        "again": ("", 0),
        "inside": ("root", 5),
        "beside": ("root", 5),
        "later": ("root", 7),
        "longer": ("root", 12),
    }


def test_the_text_after_the_branching_point_is_its_own() -> None:
    owns = {branch.answer.id: branch.own for branch in BranchTree(CARD).branches}
    assert (owns["root"], owns["inside"], owns["later"], owns["longer"]) == ("to be or not", "! go", "? yes", " to be")


def test_an_only_continuation_is_as_deep_as_what_it_continues() -> None:
    chain = [written(" be", id="0")]
    for number in range(1, 2_000):
        chain.append(grown(chain[-1].extended(CONFIG, None), "x", str(number)))
    branches = BranchTree(Card(answers=(chain[-1],), continued=tuple(chain[:-1]))).branches
    assert [branch.depth for branch in branches] == [1] * 2_000
    assert all(branch.is_continuation for branch in branches[1:])


def test_keys_walk_along_the_branches() -> None:
    tree = BranchTree(CARD)

    def walk(name: str, direction: object, cursor: int | None = None) -> str:
        found = tree.neighbour(name, direction, cursor)  # type: ignore[arg-type]  # a table of words
        return found.answer.id if found else ""

    assert walk("inside", "parent") == "root"
    assert walk("root", "child") == "inside"
    assert walk("root", "child", 6) == "later"
    assert walk("root", "child", 99) == "longer"
    assert (walk("inside", "next"), walk("beside", "next"), walk("longer", "next")) == ("beside", "later", "")
    assert (walk("again", "previous"), walk("root", "previous"), walk("root", "parent")) == ("root", "", "")
    assert tree.below("root") == {"root", "inside", "beside", "later", "longer"}


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(-1, 20)), max_size=8))
def test_any_parents_make_a_tree_with_every_answer_once(links: list[tuple[int, int]]) -> None:
    """Also parents that do not exist, or lead in circles."""
    answers = [written(" be", id=str(k), parent=str(parent), leaves_at=at) for k, (parent, at) in enumerate(links)]
    if answers:
        branches = BranchTree(card(*answers)).branches
        assert sorted(branch.answer.id for branch in branches) == sorted(one.id for one in answers)
        assert all(0 <= branch.start <= len(branch.answer.full) for branch in branches)


def test_rows_of_many_cards_are_found_by_number_and_by_place() -> None:
    cards = [CARD, card(written(id="alone")).with_bookmark("alone", is_set=True), card(written(id="last"))]
    rows = TreeRows(cards)
    assert len(rows) == 7 + 2 + 2
    for number in range(len(rows)):
        assert rows.number_of(*rows.row(number).place) == number
    assert [rows.neighbour(0, "next"), rows.neighbour(0, "child"), rows.neighbour(1, "parent")] == [7, 1, 0]
    assert rows.neighbour(0, "previous") is None
    assert (rows.bookmark(0, 1), rows.bookmark(8, 1), rows.bookmark(0, -1)) == (8, 8, 8)


def test_a_continued_answer_is_among_the_answers_while_it_is_shown() -> None:
    shown = CARD.showing("root")
    assert ([one.id for one in shown.answers][:3], shown.answer.id) == (["root", "again", "inside"], "root")
    assert shown.showing("later").nodes[0].id == "root"
    assert [one.id for one in shown.showing("later").answers] == [one.id for one in CARD.answers]
    assert len({one.id for one in shown.nodes}) == 6


def test_a_card_without_a_branch_shows_another_one() -> None:
    rest = CARD.without({"again", "inside"})
    assert rest is not None
    assert rest.answer.id == "longer"
    assert CARD.without({one.id for one in CARD.nodes}) is None
    left = CARD.without({one.id for one in CARD.answers})
    assert left is not None
    assert left.answer.id == "root"
