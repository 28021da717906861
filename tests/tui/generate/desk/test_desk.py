"""The tools of the Generate tab by keys: tree, by hand, two sides, who wrote this?"""

from pathlib import Path

from textual.widgets import Button, Static

from tests.fakes import FakeSession, FakeTextModel
from tests.tui.fakes import wait_until
from tests.tui.generate.test_generate import Driver, Host
from tui_gpt.config import SampleConfig
from tui_gpt.errors import CheckpointError
from tui_gpt.generation.text_model import TextModel
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.generate.by_hand.hand_screen import HandScreen
from tui_gpt.tui.generate.compare.sides_screen import SidesScreen
from tui_gpt.tui.generate.desk import DeskBar
from tui_gpt.tui.generate.notebook import History
from tui_gpt.tui.generate.probability_tree.tree_columns import TreeColumns
from tui_gpt.tui.generate.probability_tree.tree_screen import TreeScreen
from tui_gpt.tui.generate.prompt.sampling_controls import SamplingControls
from tui_gpt.tui.generate.who_wrote.authors_table import AuthorsTable
from tui_gpt.tui.generate.who_wrote.coloured_text import ColouredText
from tui_gpt.tui.generate.who_wrote.who_screen import WhoScreen


async def test_what_is_walked_through_in_the_tree_begins_an_answer() -> None:
    model = FakeTextModel(text="abcdefghij")
    app = Host(FakeSession(model=model))
    async with app.run_test(size=(80, 24)) as pilot:
        driver = Driver(app, pilot)
        await pilot.press("Q", "f6")
        await wait_until(pilot, lambda: isinstance(app.screen, TreeScreen))
        tree = app.screen
        assert isinstance(tree, TreeScreen)
        await wait_until(pilot, lambda: tree.nodes.depth == 6)
        await pilot.press("right", "right", "down", "left", "right", "down")
        assert (tree.walk.text, tree.walk.bits) == ("abx", 4.0)
        columns = tree.query_one(TreeColumns)
        assert "x   6.2 %" in "\n".join(columns.render_line(y).text for y in range(columns.size.height))
        assert "6.2 % for 3 tokens (4.0 bits)" in str(tree.query_one("#walk-summary", Static).content)
        for _ in range(5):
            await pilot.press("right")
            await wait_until(pilot, lambda: tree._enters is None)
        assert tree.walk.text == "abxdefgh", "deeper than the tree that was computed first"
        await pilot.press("minus")
        await wait_until(pilot, lambda: tree.nodes.depth == 5)
        await pilot.press("right")
        await driver.press("enter")
        await wait_until(pilot, lambda: bool(app.cards))
        await driver.wait()
        assert (app.answer.prompt, app.answer.kept, app.answer.text) == ("Q", "ab", "abcde")
        assert app.answer.logprobs[0] == app.answer.logprobs[1]
        assert model.prompts == ["Qab"]
        assert app.pane.box.text == ""
        # from the text cursor of a card, another answer of that card
        await pilot.press("escape", "t", "left", "f6")
        await wait_until(pilot, lambda: isinstance(app.screen, TreeScreen) and app.screen.nodes.depth == 6)
        await driver.press("enter")
        await wait_until(pilot, lambda: len(app.cards[0].answers) == 2)
        await driver.wait()
        assert (app.answer.given, model.prompts[-1]) == ("Qaa", "Qaa")
        await pilot.press("f6", "escape")
        await wait_until(pilot, lambda: not isinstance(app.screen, TreeScreen))
        assert len(app.cards[0].answers) == 2


async def test_a_text_composed_by_hand_is_kept_as_a_card() -> None:
    app = Host(FakeSession(model=FakeTextModel(text="to be or not", unknown="¶")))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("Q", "f7")
        await wait_until(pilot, lambda: isinstance(app.screen, HandScreen))
        hand = app.screen
        assert isinstance(hand, HandScreen)
        made = hand.composition
        await pilot.press("down", "up", "enter")
        await wait_until(pilot, lambda: made.text == "t" and bool(made.preview))
        await pilot.press("o", "right", "tab")
        await wait_until(pilot, lambda: len(made.text) >= 3 and not made.typed and bool(made.preview))
        written = made.text
        assert written.startswith("to")
        await pilot.press("backspace", "¶")
        assert made.text == written[:-1]
        hand.save_now()
        assert History().load()[-1].answer.full == "Q" + made.text, "it is on the disk while it is being written"
        assert f"{made.bits:.1f} bits so far" in str(hand.query_one("#hand-facts", Static).content)
        await pilot.press("escape")
        await wait_until(pilot, lambda: not isinstance(app.screen, HandScreen))
        assert (app.answer.prompt, app.answer.kept, app.answer.text) == ("Q", made.text, "")
        assert len(app.answer.logprobs) == len(made.text)
        assert "Q" + made.text in app.screen_text
        assert f"{len(made.text)} characters written by hand" in app.screen_text
        assert app.pane.box.text == ""
        await pilot.press("f7", "escape")
        await wait_until(pilot, lambda: not isinstance(app.screen, HandScreen))
        assert len(app.cards) == 1


async def test_two_sides_generate_with_one_seed_and_are_kept_as_a_card() -> None:
    class TwoModels(FakeSession):
        def open_model(self, source: str | Path | None) -> TextModel:
            super().open_model(source)
            return FakeTextModel("other", text="abXde") if source == "other" else FakeTextModel("one", text="abcde")

    session = TwoModels()
    app = Host(session, AppState(sampling=SampleConfig(max_new_tokens=5)))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("Q", "f8")
        await wait_until(pilot, lambda: isinstance(app.screen, SidesScreen) and app.screen.box.has_focus)
        sides = app.screen
        assert isinstance(sides, SidesScreen)
        sides._set_model(1, "other")
        sides.query_one("#side-sampling-1", SamplingControls).next_preset()
        await pilot.pause()
        assert "different: model newest model / other, temp 0.8 / 1.2" in str(
            sides.query_one("#sides-facts", Static).content
        )
        await pilot.press("enter")
        await wait_until(pilot, lambda: sides.pair is None and bool(app.cards))
        left, right = app.cards[0].answers
        assert (left.full, right.full) == ("Qabcde", "QabXde")
        assert (left.config.seed, left.config.temperature) == (101, 0.8)
        assert (right.config.seed, right.config.temperature) == (101, 1.2)
        assert set(session.opened) == {None, "other"}
        assert "the same for 2 characters · seed 101" in str(sides.query_one("#sides-facts", Static).content)
        await pilot.press("f8")
        await wait_until(pilot, lambda: sides.pair is None and len(app.cards) == 2)
        assert app.cards[1].answers[1].config.seed == 102
        await pilot.press("escape")
        await wait_until(pilot, lambda: not isinstance(app.screen, SidesScreen))
        assert "Qabcde" in app.screen_text


async def test_a_text_is_scored_under_the_marked_runs_and_coloured() -> None:
    class Runs(FakeSession):
        def open_model(self, source: str | Path | None) -> TextModel:
            super().open_model(source)
            if source == "broken@best":
                raise CheckpointError("it is damaged: take another checkpoint")
            return FakeTextModel(str(source), unknown="é")

    session = Runs()
    app = Host(session)
    async with app.run_test(size=(80, 24)) as pilot:
        app.pane.desk._sources = lambda: ["shipped", "mine@best", "broken@best"]  # type: ignore[method-assign]  # no disk
        app.pane.box.put("a pasted text of somé length")
        app.pane.query_one(DeskBar).query(Button).last().press()
        await wait_until(pilot, lambda: isinstance(app.screen, WhoScreen) and len(app.screen.table.sources) == 3)
        who = app.screen
        assert isinstance(who, WhoScreen)
        await pilot.press("ctrl+r")
        await wait_until(pilot, lambda: who.found is not None and who.found.scores[1].bits_per_char is not None)
        await wait_until(pilot, lambda: len(who.query_one(ColouredText).blocks) == 1)
        table = who.query_one(AuthorsTable)
        drawn = [table.render_line(y).text for y in range(4)]
        assert "bits/char" in drawn[0]
        assert drawn[1].startswith(" ★  shipped")
        assert drawn[1].split()[2:] == ["1.000", "2.00", "1"]
        assert "it is damaged" in drawn[3]
        assert "1 left out for all, as not every model knows them: é" in str(
            who.query_one("#who-facts", Static).content
        )
        assert who.table.marked == set()
        await pilot.press("down", "space", "ctrl+t")
        assert "mine@best predicts it better than shipped" in str(who.query_one("#who-facts", Static).content)
        session.opened.clear()
        await pilot.press("ctrl+r")
        await wait_until(pilot, lambda: who.found is not None and len(who.found.scores) == 1)
        assert set(session.opened) == {"mine@best"}
        assert session.releases
        await pilot.press("escape")
        await wait_until(pilot, lambda: not isinstance(app.screen, WhoScreen))
        again = WhoScreen(session, lambda: ["shipped", "mine@best", "other@last"], "text", ["mine", "gone"])
        await app.push_screen(again)
        await wait_until(pilot, lambda: len(again.table.sources) == 3)
        assert again.table.chosen == ["mine@best"], "a run marked in the Runs tab"
