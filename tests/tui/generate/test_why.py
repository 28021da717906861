"""Why a character was predicted: the rows of the panel, the marks in the text, and the keys."""

import dataclasses

import pytest

from tests.fakes import FakeSession, explained
from tests.tui.app.test_bindings import card
from tests.tui.driver import running
from tests.tui.fakes import wait_until
from tui_gpt.errors import NotFoundError
from tui_gpt.generation.text_model import TextModel
from tui_gpt.tui.generate.why.attention_rows import attention_rows
from tui_gpt.tui.generate.why.attention_view import AttentionChoice, looked_at, weights_by_character
from tui_gpt.tui.generate.why.rows import Row
from tui_gpt.tui.generate.why.why_panel import WhyPanel
from tui_gpt.tui.generate.why.why_rows import times, why_rows

LIKELY = (("o", 0.5), ("e", 0.25), (" ", 0.125), ("\n", 0.125))
TEXT = "to be or not t"
EXPLANATION = explained(TEXT, LIKELY)


def lines(rows: list[Row]) -> list[str]:
    return ["".join(words for words, _ in row) for row in rows]


def test_the_factors_lead_from_a_guess_to_the_probability() -> None:
    title, guess, *factors = lines(why_rows(EXPLANATION, "o", ()))
    assert title == "why o  50 %  ln p -0.69"
    assert guess == "a guess, 1 of 4  25 %"
    assert [row.split()[0] for row in factors[:3]] == ["n-grams", "matches", "network"]
    product = 1.0
    for row in factors[:3]:
        product *= float(row.split()[1].lstrip("×"))
    assert product == pytest.approx(2, abs=0.03)


def test_the_other_rows_name_orders_matches_networks_and_places() -> None:
    rows = "\n".join(lines(why_rows(EXPLANATION, "o", (("e", 0.71), ("a", 0.66)))))
    assert "3-grams after “ t” 50 %" in rows
    assert "by order 3:60% 2:30% 1:10%" in rows
    assert "match 2 long, then o\n" in rows
    assert "networks, mean 50 %\n1 █   50% 2 █   50%" in rows
    assert "in the training text 3×\n “is t” then o 3" in rows
    assert "likely o 50% e 25% space 12%" in rows
    assert rows.endswith("near o e .71 a .66 ")


def test_a_character_without_token_is_named_and_the_most_likely_one_explained() -> None:
    rows = lines(why_rows(EXPLANATION, "é", ()))
    assert rows[0] == "é is not a token of this model."
    assert rows[1].startswith("why o")


def test_a_part_that_lowers_the_probability_divides_it() -> None:
    assert [times(share) for share in (0.0, 0.693, -0.693, 4.0, 20.0)] == ["×1.00", "×2.00", "÷2.00", "×55", "×5e+08"]


def test_attention_is_that_of_the_layer_and_head_chosen() -> None:
    """In the fake, head h of layer l looks l + 2h characters before the newest one, at index 13."""
    choice = AttentionChoice()
    assert looked_at(weights_by_character(EXPLANATION.attention, choice)) == dict.fromkeys(range(10, 14), "looked-4")
    choice = choice.next("layer", 2).next("layer", 2).next("head", 2)
    assert choice == AttentionChoice(layer=1, head=0)
    assert looked_at(weights_by_character(EXPLANATION.attention, choice)) == {12: "looked-4"}
    assert choice.next("layer", 2).layer is None
    assert choice.next("network", 1).network is None


def test_a_choice_that_another_model_lacks_is_its_mean() -> None:
    choice = AttentionChoice(network=7, layer=5, head=1)
    assert choice.within(EXPLANATION.attention) == AttentionChoice(head=1)


def test_strengths_are_fractions_of_the_largest_weight() -> None:
    weights = {(0, 1): 0.4, (1, 2): 0.25, (2, 3): 0.1, (3, 4): 0.03, (4, 5): 0.001, (5, 8): 0.4}
    assert looked_at(weights) == {
        0: "looked-4", 1: "looked-3", 2: "looked-2", 3: "looked-1", 5: "looked-4", 6: "looked-4", 7: "looked-4"
    }  # fmt: skip
    assert looked_at({}) == looked_at({(0, 1): 0.0}) == {}


def test_the_first_position_can_be_left_out() -> None:
    eight = explained("12345678", LIKELY).attention
    first_only = dataclasses.replace(eight, weights=eight.weights[..., ::-1])
    chosen = AttentionChoice(layer=0, head=0)
    assert looked_at(weights_by_character(first_only, chosen)) == {0: "looked-4"}
    assert looked_at(weights_by_character(first_only, dataclasses.replace(chosen, skips_first=True))) == {}


def test_the_rows_of_attention_name_what_was_looked_at_and_what_cannot_be_seen() -> None:
    rows = lines(attention_rows(EXPLANATION, TEXT, AttentionChoice(layer=1, head=0)))
    assert [row.split()[:4] for row in rows[1:4]] == [
        ["network", "mean", "of", "2"],
        ["layer", "2", "of", "2"],
        ["head", "1", "of", "2"],
    ]
    assert "space ████████  100 % 2 back" in rows
    assert rows[-1] == "Attention sees the newest 8 tokens alone."
    without = dataclasses.replace(
        EXPLANATION, attention=dataclasses.replace(EXPLANATION.attention, weights=EXPLANATION.attention.weights[:, :0])
    )
    assert lines(attention_rows(without, TEXT, AttentionChoice()))[-1].startswith("The model has none")


async def test_the_keys_show_why_and_where_attention_looked() -> None:
    async with running() as (pilot, main, session):
        pane = await card(pilot, main, session)
        inspector = pane.cards_pane.inspector
        await pilot.press("t", "right", "right", "d")
        await wait_until(pilot, lambda: "why" in shown(inspector.why))
        assert not inspector.panel.display
        assert inspector.view.size.width >= 40
        await pilot.press("o")
        passage = inspector.view.blocks[0].main.passage  # type: ignore[attr-defined]  # the block of a card
        assert passage.marks == {0: "looked-4", 1: "looked-3", 2: "looked-3"}
        await pilot.press("l", "h")
        await pilot.pause()
        assert passage.marks == {2: "looked-4"}
        assert "layer   1 of 2" in shown(inspector.why)
        await pilot.press("right", "s")
        await wait_until(pilot, lambda: passage.marks == {3: "looked-4"})
        assert "left out" in shown(inspector.why)
        await pilot.press("enter")
        await wait_until(pilot, lambda: inspector.panel.display and inspector.panel.has_focus)
        assert passage.marks == {}
        await pilot.press("escape", "o", "escape")
        assert passage.marks == {}
        assert not inspector.why.display


async def test_a_model_that_is_gone_is_one_line_and_a_wide_screen_has_both_panels() -> None:
    class Gone(FakeSession):
        gone = False

        def open_model(self, source: object) -> TextModel:
            if self.gone:
                raise NotFoundError("there is no run fox: choose another")
            return super().open_model(None)

    session = Gone()
    async with running(session, (160, 48)) as (pilot, main, _):
        pane = await card(pilot, main, session)
        session.gone = True
        inspector = pane.cards_pane.inspector
        await pilot.press("t", "d")
        await wait_until(pilot, lambda: shown(inspector.why) == "there is no run fox: choose another")
        assert inspector.panel.display
        assert inspector.why.display


def shown(panel: WhyPanel) -> str:
    """Return what the panel shows."""
    return str(panel.query_one("#why").render())
