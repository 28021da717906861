"""The Generate tab without widgets. Threads run at once, in the test's own thread."""

import pytest

from tests.fakes import FakeSession, FakeTextModel
from tui_gpt.config import SampleConfig
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.generate import controller as controller_module
from tui_gpt.tui.generate.cards.card_actions import CardAction, is_available
from tui_gpt.tui.generate.controller import GenerateController
from tui_gpt.tui.generate.notebook import Answer, Card, History


@pytest.fixture(autouse=True)
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controller_module, "start_in_background", lambda work, _name: work())


def make(text: str = "bcdef", length: int = 5) -> GenerateController:
    state = AppState(sampling=SampleConfig(max_new_tokens=length))
    seeds = iter(range(101, 200))
    return GenerateController(FakeSession(model=FakeTextModel(text=text)), state, pytest.fail, lambda: next(seeds))


def test_a_submitted_prompt_becomes_a_saved_card() -> None:
    controller = make()
    card = controller.submit("a")
    update = controller.poll()
    assert update is not None
    assert (update.card_id, update.is_done) == (card.id, True)
    assert [burst.text for burst in update.bursts.values()] == ["bcdef"]
    finished = controller.finish()
    assert finished is not None
    assert (finished.answer.full, finished.answer.config.seed) == ("abcdef", 101)
    assert [one.answer.full for one in History().load()] == ["abcdef"]
    assert controller.is_idle


def test_an_edit_submitted_during_a_generation_keeps_what_was_generated() -> None:
    controller = make()
    card = controller.submit("a")
    controller.poll()
    edited = controller.submit("abX", edited=card.id)
    assert [answer.full for answer in edited.answers] == ["abcdef", "abX"]


def test_undo_reverts_the_last_request() -> None:
    controller = make()
    card = controller.submit("a")
    controller.poll()
    finished = controller.finish()
    assert finished is not None
    controller.continue_answer(finished)
    controller.poll()
    controller.finish()
    assert controller.notebook.undo()
    assert [one.answer.full for one in controller.notebook.cards] == ["abcdef"]
    assert controller.notebook.undo()
    assert controller.notebook.find(card.id) is None
    assert not controller.notebook.undo()


def test_the_live_source_ends_with_the_training() -> None:
    controller = make()
    controller.set_training("my-run")
    controller.state.source = "live"
    controller.set_training(None)
    assert not controller.is_live
    assert controller.state == AppState(sampling=controller.state.sampling)


@pytest.mark.parametrize(
    ("action", "kind", "is_generating", "is_inspecting", "expected"),
    [
        (CardAction.REGENERATE, "written", False, False, True),
        (CardAction.REGENERATE, "measured", False, False, False),
        (CardAction.REGENERATE, "written", True, False, False),
        (CardAction.REGENERATE, "written", False, True, False),
        (CardAction.COPY, "written", True, False, True),
        (CardAction.STOP_INSPECTING, "written", False, False, False),
        (CardAction.STOP_INSPECTING, "written", False, True, True),
        (CardAction.UNDO, None, False, False, True),
        (CardAction.COPY, None, False, False, False),
    ],
)
def test_actions_are_available_where_they_make_sense(
    action: CardAction, kind: str | None, is_generating: bool, is_inspecting: bool, expected: bool
) -> None:
    answers = {"written": Answer(text="a"), "measured": Answer(kind="measured", text="a")}
    card = None if kind is None else Card(answers=(answers[kind],))
    assert is_available(action, card, is_generating=is_generating, is_inspecting=is_inspecting) == expected
