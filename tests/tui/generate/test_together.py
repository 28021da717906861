"""What the parts of the Generate tab do to each other: tree and generation, tools and editing, bookmarks and tools."""

from textual.widgets import Button, Static

from tests.fakes import FakeSession, FakeTextModel
from tests.tui.fakes import wait_until
from tests.tui.generate.test_generate import Driver, GatedModel, Host
from tui_gpt.tui.generate.by_hand.hand_screen import HandScreen
from tui_gpt.tui.generate.cards.card_actions import CardAction
from tui_gpt.tui.generate.compare.sides_screen import SidesScreen
from tui_gpt.tui.generate.desk import DeskBar
from tui_gpt.tui.generate.notebook import Answer, Card, History, Notebook
from tui_gpt.tui.generate.prompt.limits_screen import LimitsScreen
from tui_gpt.tui.generate.prompt.model_chooser import ModelChooser
from tui_gpt.tui.generate.tree.tree_screen import TreeScreen


def test_a_card_from_before_its_text_was_complete_does_not_empty_it() -> None:
    notebook, answer = Notebook(), Answer(prompt="a")
    card = Card(answers=(answer,))
    notebook.put(card)
    notebook.replace_answer(Answer(id=answer.id, prompt="a", text="bc"))
    notebook.put(card.with_bookmark(answer.id, is_set=True))
    assert [(one.answer.full, len(one.bookmarks)) for one in notebook.cards] == [("abc", 1)]


async def test_the_tree_ends_the_generation_of_what_it_continues_or_removes() -> None:
    model = GatedModel(free=3)
    app = Host(FakeSession(model=model))
    async with app.run_test(size=(80, 24)) as pilot:
        control = app.pane.controller
        await pilot.press("x", "enter")
        await wait_until(pilot, lambda: "xabc▍" in app.screen_text)
        app.pane.view.focus()
        await pilot.press("T")
        await wait_until(pilot, lambda: isinstance(app.screen, TreeScreen))
        assert str(app.screen.query_one("#tree-title", Static).content) == "1 branch of 1 card"
        await pilot.press("m", "c")
        await wait_until(pilot, lambda: len(app.cards[0].nodes) == 2)
        assert (app.answer.given, len(app.cards[0].bookmarks)) == ("xabc", 1), "continued at the end of its text"
        await wait_until(pilot, lambda: "xabcabc▍" in app.screen_text)
        await pilot.press("T", "u")
        await wait_until(pilot, lambda: len(app.cards[0].nodes) == 1)
        assert not control.is_generating, "nothing is generated for a branch that was undone"
        await pilot.press("U", "escape")
        assert len(app.cards[0].nodes) == 2

        # the tree refuses what the card refuses
        app.pane.focus_prompt()
        await Driver(app, pilot).press("y", "ctrl+r")
        app.pane.view.focus()
        before = len(app.cards[1].nodes)
        for key in "rc":
            await pilot.press("T")
            await wait_until(pilot, lambda: isinstance(app.screen, TreeScreen))
            await pilot.press(key)
            await wait_until(pilot, lambda: not isinstance(app.screen, TreeScreen))
            await pilot.pause()
        assert (len(app.cards[1].nodes), control.is_generating) == (before, False)
        assert "was not generated" in "".join(notice.message for notice in app._notifications)


async def test_a_tool_that_uses_the_prompt_ends_editing_and_leaves_the_filter() -> None:
    app = Host(FakeSession(model=FakeTextModel(text="to be or not")))
    async with app.run_test(size=(80, 24)) as pilot:
        driver = Driver(app, pilot)
        await driver.press("Q", "enter")
        await pilot.press("escape")
        assert not app.pane.view.check_action("request", (CardAction.NEXT_FOUND,)), "nothing is searched for"
        await pilot.press("m", "M", "e", "f7")
        await wait_until(pilot, lambda: isinstance(app.screen, HandScreen))
        hand = app.screen
        assert isinstance(hand, HandScreen)
        composition = hand.composition
        await pilot.press("enter")
        await wait_until(pilot, lambda: composition.text == "t")
        await pilot.press("escape")
        await wait_until(pilot, lambda: not isinstance(app.screen, HandScreen))
        assert app.pane.view.selected is not None, "a card without a bookmark is shown although only those were"
        assert app.pane.view.selected.card.id == app.cards[1].id
        assert History().path.read_text().count('"kept": "t"') + History().path.read_text().count('"kept":"t"') == 1
        assert app.pane.box.border_title == "prompt"
        app.pane.focus_prompt()
        await driver.press("Z", "enter")
        assert (len(app.cards), len(app.cards[0].nodes)) == (3, 1), "the next prompt is that of a new card"

        app.pane.focus_prompt()
        await pilot.press("W", "f7")
        await wait_until(pilot, lambda: isinstance(app.screen, HandScreen))
        await pilot.press("enter")
        hand = app.screen
        assert isinstance(hand, HandScreen)
        await wait_until(pilot, lambda: hand.composition.text == "t")
    assert History().load()[-1].answer.full == "Wt", "what was written by hand when the app was closed"


async def test_two_sides_have_limits_of_both_or_of_one() -> None:
    app = Host(FakeSession(model=FakeTextModel(text="abcde")))
    async with app.run_test(size=(80, 24)) as pilot:
        assert app.pane.query_one(DeskBar).query(Button).last().region.right <= 79, "all tools fit with their keys"
        await pilot.press("Q", "f8")
        await wait_until(pilot, lambda: isinstance(app.screen, SidesScreen) and app.screen.box.has_focus)
        sides = app.screen
        assert isinstance(sides, SidesScreen)
        await pilot.press("ctrl+l")
        await wait_until(pilot, lambda: isinstance(app.screen, LimitsScreen))
        await pilot.press("z", "enter")
        await wait_until(pilot, lambda: app.screen is sides)
        facts = sides.query_one("#sides-facts", Static)
        assert [side.config.stop for side in sides.sides] == [("z",), ("z",)]
        assert str(facts.content).endswith('both stop "z"')
        await pilot.press("enter")
        await wait_until(pilot, lambda: sides.pair is None and bool(app.cards))
        assert str(facts.content).startswith("the texts are the same")
        assert History().path.read_text().count('"abcde"') == 2, "each answer is saved once"
        sides.query_one("#side-sampling-1").focus()
        await pilot.press("ctrl+l")
        await wait_until(pilot, lambda: isinstance(app.screen, LimitsScreen))
        await pilot.press("backspace", "enter")
        await wait_until(pilot, lambda: app.screen is sides)
        assert str(facts.content).endswith('different: limits stop "z" / none')


async def test_models_are_listed_once_however_often_the_key_is_pressed() -> None:
    app = Host(FakeSession())
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(2):
            app.pane.action_choose_model()
        await wait_until(pilot, lambda: isinstance(app.screen, ModelChooser))
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert sum(isinstance(screen, ModelChooser) for screen in app.screen_stack) == 1
