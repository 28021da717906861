"""Answers that can be generated again, cards, and undo."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.generate.notebook.helpers import CONFIG, card, written
from tui_gpt.tui.generate.notebook import Answer, Notebook


def test_the_full_text_is_prompt_kept_and_generated_text() -> None:
    answer = Answer(prompt="to", kept=" be", text=" or")
    assert (answer.given, answer.full) == ("to be", "to be or")


def test_a_continued_answer_starts_from_the_whole_text() -> None:
    longer = written().extended(CONFIG, None)
    assert (longer.given, longer.text, len(longer.logprobs)) == ("to be", "", 3)


def test_a_repeated_answer_starts_from_the_same_given_text() -> None:
    answer = Answer(prompt="to", kept=" be", text=" or", logprobs=(-1.0,) * 6)
    again = answer.again(CONFIG, None)
    assert (again.given, again.text, len(again.logprobs)) == ("to be", "", 3)


@given(st.integers(0, 7))
def test_a_branch_keeps_the_text_before_it(index: int) -> None:
    answer = Answer(prompt="to", kept=" be", text=" or", logprobs=(-1.0,) * 6)
    branch = answer.branched(index, "X", CONFIG, None)
    assert branch.given == answer.full[:index] + "X"
    assert len(branch.logprobs) == len(branch.kept)


def test_bits_per_character_leave_out_unknown_probabilities() -> None:
    assert Answer(text="ab", logprobs=(math.nan, -math.log(4.0))).bits_per_char == pytest.approx(2.0)
    assert Answer().bits_per_char is None


def test_each_change_can_be_undone() -> None:
    notebook, first = Notebook(), card()
    notebook.put(first)
    notebook.put(first.with_answers(written(" see")))
    notebook.remove(first.id)
    assert (step := notebook.undo()) is not None
    assert step.cards == (first.id,)
    assert len(notebook.cards[0].answers) == 2
    notebook.undo()
    assert notebook.cards == (first,)
    notebook.undo()
    assert not notebook.cards
    assert notebook.undo() is None


def test_an_answer_is_replaced_in_the_undo_history_too() -> None:
    notebook, beginning = Notebook(), Answer(prompt="to", config=CONFIG)
    first = card(beginning)
    notebook.put(first)
    notebook.put(first.with_answers(written()))
    grown = Answer(id=beginning.id, prompt="to", text=" be", config=CONFIG)
    notebook.replace_answer(grown)
    notebook.undo()
    assert notebook.cards[0].answer == grown


def test_an_answer_whose_card_is_gone_is_not_replaced() -> None:
    assert Notebook([card()]).replace_answer(written()) is None


def test_swiping_stays_within_the_answers() -> None:
    both = card(written("a"), written("b"))
    assert [both.swiped(by).shown for by in (-1, 0, 1, 5)] == [0, 0, 1, 1]


def test_prompts_are_listed_once_in_the_order_of_their_last_use() -> None:
    notebook = Notebook(card(written(prompt=prompt)) for prompt in ("a", "b", "a", ""))
    assert notebook.prompts() == ["b", "a"]
