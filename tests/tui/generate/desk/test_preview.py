"""The preview of the prompt: what it shows after which text, accepting it, and switching it off."""

import pytest

from tests.fakes import FakeSession, FakeTextModel
from tests.tui.fakes import wait_until
from tests.tui.generate.test_generate import Host
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.generate.prompt import preview
from tui_gpt.tui.generate.prompt.preview import Preview, first_word


def test_typing_what_the_preview_says_shortens_it_and_anything_else_removes_it() -> None:
    shown = Preview("To", " be, or not")
    assert shown.after("To") == " be, or not"
    assert shown.after("To be") == ", or not"
    assert shown.after("To be, or not") == ""
    assert shown.after("T") == shown.after("To by") == shown.after("To be, or not to") == ""


@pytest.mark.parametrize(
    ("text", "word"),
    [(" be, or", " be,"), ("\nI will", "\nI"), ("ing and", "ing"), ("   ", "   "), ("", ""), ("end", "end")],
)
def test_a_word_is_accepted_with_the_space_before_it(text: str, word: str) -> None:
    assert first_word(text) == word


async def test_a_preview_appears_after_a_pause_and_keys_accept_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "PAUSE_SECONDS", 0.01)
    model = FakeTextModel(text="\nbe 你 or not")
    app = Host(FakeSession(model=model))
    async with app.run_test(size=(80, 24)) as pilot:
        box = app.pane.box
        await pilot.press("T", "o")
        await wait_until(pilot, lambda: box.suggestion.startswith("↵be 你"))
        assert box.text == "To"
        assert "prompt.accept_word" in {one.binding.id for one in app.screen.active_bindings.values()}
        await pilot.press("tab")
        assert (box.text, box.has_focus) == ("To\nbe", True)
        await pilot.press("space", "right", "left")
        assert (box.text, box.suggestion) == ("To\nbe 你", "")
        await pilot.press("end")
        assert box.text == "To\nbe 你"
        await wait_until(pilot, lambda: box.suggestion.startswith(" or"))
        await pilot.press("end")
        assert box.text.startswith("To\nbe 你 or not")
        await pilot.press("backspace")
        await wait_until(pilot, lambda: bool(box.suggestion))
        await pilot.press("enter")
        assert model.prompts[-1].startswith("To\nbe 你 or no")
        assert not model.prompts[-1].endswith(("\nb", "\nbe")), "nothing but the prompt is sent"
        await pilot.press("T", "ctrl+g")
        assert (app.state.preview, box.preview, box.suggestion) == (False, "", "")
        asked = len(model.continued)
        await pilot.press("o")
        await pilot.pause()
        assert len(model.continued) == asked


async def test_a_prompt_without_a_preview_keeps_its_keys() -> None:
    state = AppState(preview=False)
    app = Host(FakeSession(), state)
    async with app.run_test() as pilot:
        box = app.pane.box
        await pilot.press("a", "b", "home", "right")
        assert box.cursor_location == (0, 1)
        await pilot.press("end", "tab")
        assert box.cursor_location == (0, 2)
        assert (box.text, box.has_focus) == ("ab", False)
