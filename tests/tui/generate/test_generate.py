"""The Generate tab by keys, with a model that generates a fixed text."""

import asyncio
import math
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import OptionList

from tests.fakes import FakeSession, FakeTextModel
from tests.tui.fakes import wait_until
from tui_gpt.config import SampleConfig, resolve
from tui_gpt.control import Control
from tui_gpt.errors import CheckpointError
from tui_gpt.generation.text_model import Piece, TextModel
from tui_gpt.storage.runs import Run, RunStore
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.generate import controller
from tui_gpt.tui.generate.generate_pane import GeneratePane
from tui_gpt.tui.generate.notebook import Answer, Card, History
from tui_gpt.tui.generate.prompt.model_chooser import ModelChooser
from tui_gpt.tui.generate.prompt.sampling_settings import preset_of

SHORT = SampleConfig(max_new_tokens=5)


class GatedModel(FakeTextModel):
    """Writes `free` characters, then waits at `gate` or for a stop before each further one."""

    def __init__(self, free: int = 3) -> None:
        super().__init__(text="abcdefghij")
        self.free = free
        self.gate = threading.Event()

    def stream(
        self, prompt: str, config: SampleConfig, control: Control | None = None, *, details: bool = False
    ) -> Iterator[Piece]:
        pieces = super().stream(prompt, config, control, details=details)
        for k in range(config.max_new_tokens):
            while k >= self.free and not self.gate.wait(0.005):
                if control is not None and control.stop_requested:
                    return
            yield next(pieces)


class Uneven(GatedModel):
    """Of answers that are written together, every other one has a character on each row."""

    def stream_many(
        self, prompt: str, config: SampleConfig, count: int, control: Control | None = None
    ) -> Iterator[tuple[Piece, ...]]:
        for piece, column in zip(self.stream(prompt, config, control), "abcde", strict=False):
            yield tuple(piece._replace(text="\n" if k % 2 else column) for k in range(count))


class Host(App[None]):
    """An app that is nothing but the pane."""

    def __init__(self, session: FakeSession, state: AppState | None = None) -> None:
        super().__init__()
        self.session = session
        self.state = state or AppState(sampling=SHORT)
        self.copied = ""

    def compose(self) -> ComposeResult:
        seeds = iter(range(101, 1_000))
        yield GeneratePane(self.session, self.state, draw_seed=lambda: next(seeds))

    def on_mount(self) -> None:
        self.pane.focus_prompt()

    def copy_to_clipboard(self, text: str) -> None:
        self.copied = text

    @property
    def pane(self) -> GeneratePane:
        return self.query_one(GeneratePane)

    @property
    def cards(self) -> Sequence[Card]:
        return self.pane.controller.notebook.cards

    @property
    def answer(self) -> Answer:
        return self.cards[-1].answer

    @property
    def screen_text(self) -> str:
        view = self.pane.view
        return "\n".join(view.render_line(y).text.rstrip() for y in range(view.size.height))


class Driver:
    """Presses keys in the app."""

    def __init__(self, app: Host, pilot: Pilot[Any]) -> None:
        self.app, self.pilot = app, pilot

    async def press(self, *keys: str) -> None:
        """Press keys, and wait until nothing is being generated."""
        await self.pilot.press(*keys)
        await self.wait()

    async def wait(self) -> None:
        await wait_until(self.pilot, lambda: not self.app.pane.controller.is_generating)


async def test_enter_streams_an_answer_under_the_prompt() -> None:
    app = Host(FakeSession(model=FakeTextModel(text="meo")))
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("R", "o", "enter")
        assert (app.answer.prompt, app.answer.text) == ("Ro", "meome")
        assert "Romeome" in app.screen_text
        assert app.pane.box.text == ""


async def test_a_card_says_how_it_was_made() -> None:
    app = Host(FakeSession(model=FakeTextModel(name="my-run@best", step=2_000)))
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        for fact in ("my-run@best · step 2,000", "seed 101", "temperature 0.8", "5 characters"):
            assert fact in app.screen_text


async def test_text_is_on_screen_while_it_is_being_generated() -> None:
    model = GatedModel(free=3)
    app = Host(FakeSession(model=model))
    async with app.run_test() as pilot:
        await pilot.press("x", "enter")
        await wait_until(pilot, lambda: "xabc▍" in app.screen_text)
        assert "generating …" in app.screen_text
        model.gate.set()
        await Driver(app, pilot).wait()
        assert app.answer.text == "abcde"


@pytest.mark.parametrize("key", ["escape", "ctrl+c"])
async def test_a_key_stops_the_answer_and_keeps_its_text(key: str) -> None:
    app = Host(FakeSession(model=GatedModel(free=3)))
    async with app.run_test() as pilot:
        await pilot.press("x", "enter")
        await wait_until(pilot, lambda: "xabc" in app.screen_text)
        await pilot.press(key)
        assert not app.pane.controller.is_generating
        assert app.answer.stopped
        assert app.answer.text == "abc"
        assert "stopped" in app.screen_text


async def test_a_new_prompt_ends_the_answer_before_it() -> None:
    model = GatedModel(free=3)
    app = Host(FakeSession(model=model))
    async with app.run_test() as pilot:
        await pilot.press("x", "enter")
        await wait_until(pilot, lambda: "xabc" in app.screen_text)
        await pilot.press("y", "enter")
        model.gate.set()
        await Driver(app, pilot).wait()
        assert [card.answer.text for card in app.cards] == ["abc", "abcde"]


async def test_regenerate_keeps_the_old_answer_and_draws_another_seed() -> None:
    model = FakeTextModel()
    app = Host(FakeSession(model=model))
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        await Driver(app, pilot).press("escape", "r")
        assert [config.seed for config in model.configs] == [101, 102]
        assert model.prompts == ["a", "a"]
        assert (len(app.cards[0].answers), app.cards[0].shown) == (2, 1)
        assert "‹ 2/2 ›" in app.screen_text


async def test_repeat_uses_the_same_seed_and_settings() -> None:
    model = FakeTextModel()
    app = Host(FakeSession(model=model))
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        app.state.sampling = SampleConfig(temperature=1.5)
        await Driver(app, pilot).press("escape", "R")
        assert model.configs[0] == model.configs[1]


async def test_left_and_right_switch_between_the_answers() -> None:
    app = Host(FakeSession())
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        await Driver(app, pilot).press("escape", "r")
        await pilot.press("left")
        assert app.answer.config.seed == 101
        await pilot.press("left", "right")
        assert app.answer.config.seed == 102


async def test_continue_extends_the_answer_at_its_end() -> None:
    model = FakeTextModel(text="bcdef")
    app = Host(FakeSession(model=model))
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        await Driver(app, pilot).press("escape", "c")
        assert model.prompts == ["a", "abcdef"]
        assert app.answer.full == "abcdefbcdef"
        assert len(app.answer.logprobs) == 10
        assert len(app.cards[0].answers) == 1


async def test_undo_reverts_a_continuation_and_then_the_card() -> None:
    app = Host(FakeSession(model=FakeTextModel(text="bcdef")))
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        await Driver(app, pilot).press("escape", "c")
        await pilot.press("u")
        assert app.answer.full == "abcdef"
        await pilot.press("u")
        assert not app.cards
        assert app.pane.has_class("-empty")


async def test_an_edited_text_continues_as_another_answer() -> None:
    model = FakeTextModel(text="bcdef")
    app = Host(FakeSession(model=model))
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        await pilot.press("escape", "e")
        assert app.pane.box.text == "abcdef"
        await Driver(app, pilot).press("backspace", "X", "enter")
        assert model.prompts[-1] == "abcdeX"
        assert len(app.cards) == 1
        assert len(app.cards[0].answers) == 2


async def test_escape_cancels_an_edit() -> None:
    app = Host(FakeSession())
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        await pilot.press("escape", "e", "escape")
        assert app.pane.box.text == ""
        await Driver(app, pilot).press("i", "b", "enter")
        assert [card.answer.prompt for card in app.cards] == ["a", "b"]


async def test_unknown_characters_are_named_on_the_card() -> None:
    app = Host(FakeSession())
    async with app.run_test() as pilot:
        app.pane.box.put("a¶b")
        await Driver(app, pilot).press("enter")
        assert app.answer.left_out == "¶"
        assert "left out, as the model does not know it: ¶" in app.screen_text


async def test_the_notes_of_an_answer_show_its_copied_fraction_also_after_a_restart() -> None:
    model = FakeTextModel()
    model.copied_share = 0.123
    async with (app := Host(FakeSession(model=model))).run_test(size=(120, 30)) as pilot:
        await Driver(app, pilot).press("a", "enter")
        assert "5 characters · 12.3% copied in pieces of 20+" in app.screen_text
    async with (app := Host(FakeSession())).run_test(size=(120, 30)) as pilot:
        await wait_until(pilot, lambda: "12.3% copied" in app.screen_text)
        await Driver(app, pilot).press("b", "enter")
        assert app.answer.copied is None


async def test_the_copied_fraction_of_a_stopped_answer_is_shown_once_it_is_known() -> None:
    class Slow(GatedModel):
        """Compares when it is let to."""

        def copied(self, text: str) -> float | None:
            assert compare.wait(20)
            return 0.25

    compare = threading.Event()
    async with (app := Host(FakeSession(model=Slow()))).run_test(size=(120, 30)) as pilot:
        await pilot.press("a", "enter")
        await wait_until(pilot, lambda: "aabc" in app.screen_text)
        await Driver(app, pilot).press("escape")
        assert (app.answer.stopped, app.answer.copied) == (True, None)
        compare.set()
        await wait_until(pilot, lambda: "25.0% copied" in app.screen_text)
    assert [card.answer.copied for card in History().load()] == [0.25]


async def test_a_damaged_model_is_reported_on_the_card_and_the_app_carries_on() -> None:
    session = FakeSession()
    app = Host(session)
    working = session.open_model

    def damaged(source: str | Path | None) -> TextModel:
        raise CheckpointError(f"{source or 'the newest run'} is damaged: train again")

    async with app.run_test() as pilot:
        session.open_model = damaged  # type: ignore[method-assign]
        await Driver(app, pilot).press("a", "enter")
        assert "✗ the newest run is damaged: train again" in app.screen_text
        session.open_model = working  # type: ignore[method-assign]
        await Driver(app, pilot).press("b", "enter")
        assert app.answer.text


async def test_an_unexpected_error_is_reported_on_the_card() -> None:
    class Broken(FakeTextModel):
        def unknown(self, text: str) -> str:
            raise ZeroDivisionError(text)

    app = Host(FakeSession(model=Broken()))
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        assert "ZeroDivisionError" in app.answer.error


async def test_markup_and_control_characters_are_shown_as_they_are() -> None:
    app = Host(FakeSession(model=FakeTextModel(text="[b]\x1b[31m")), AppState(sampling=SampleConfig(max_new_tokens=8)))
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        assert "a[b]␛[31m" in app.screen_text


async def test_history_survives_a_restart() -> None:
    async with (app := Host(FakeSession())).run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        await Driver(app, pilot).press("escape", "r")
        await pilot.press("left")
        before = app.cards
    async with (app := Host(FakeSession())).run_test() as pilot:
        await wait_until(pilot, lambda: len(app.cards) == 1)
        assert (app.cards[0].id, app.cards[0].shown) == (before[0].id, 0)
        assert [answer.text for answer in app.cards[0].answers] == [answer.text for answer in before[0].answers]
        await pilot.press("up")
        assert app.pane.box.text == "a"


async def test_an_undone_card_does_not_come_back() -> None:
    async with (app := Host(FakeSession())).run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        await Driver(app, pilot).press("b", "enter")
        await pilot.press("escape", "u")
    assert [card.answer.prompt for card in History().load()] == ["a"]


async def test_up_and_down_recall_earlier_prompts_and_the_draft() -> None:
    app = Host(FakeSession())
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        await Driver(app, pilot).press("b", "enter")
        await pilot.press("d", "up")
        assert app.pane.box.text == "b"
        await pilot.press("up", "up")
        assert app.pane.box.text == "a"
        await pilot.press("down", "down")
        assert app.pane.box.text == "d"


@pytest.mark.parametrize("key", ["ctrl+j", "shift+enter", "alt+enter"])
async def test_a_modifier_with_enter_breaks_the_line(key: str) -> None:
    app = Host(FakeSession())
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("a", key, "b", "enter")
        assert app.answer.prompt == "a\nb"


async def test_settings_are_changed_by_keys_and_remembered() -> None:
    model = FakeTextModel()
    app = Host(FakeSession(model=model))
    async with app.run_test() as pilot:
        await pilot.press("shift+tab", "up", "right", "up", "enter")
        assert (app.state.sampling.temperature, app.state.sampling.top_k) == (0.9, 1)
        await Driver(app, pilot).press("a", "enter")
        assert (model.configs[0].temperature, model.configs[0].top_k) == (0.9, 1)


async def test_a_typed_seed_is_used_for_every_answer() -> None:
    model = FakeTextModel()
    app = Host(FakeSession(model=model))
    async with app.run_test() as pilot:
        await pilot.press("shift+tab", *["right"] * 5, "4", "2", "enter", "enter")
        await Driver(app, pilot).press("a", "enter")
        await Driver(app, pilot).press("b", "enter")
        assert [config.seed for config in model.configs] == [42, 42]


async def test_a_value_out_of_range_is_refused_with_an_error() -> None:
    app = Host(FakeSession())
    async with app.run_test() as pilot:
        await pilot.press("shift+tab", "right", "right", "7", "enter")
        await wait_until(pilot, lambda: bool(app._notifications))
        assert "top_p is 7" in next(iter(app._notifications)).message
        assert app.state.sampling == SHORT


async def test_settings_changed_during_generation_apply_at_once_and_are_noted_on_the_card() -> None:
    """By the preset's key, and one by one; the answer keeps what it began with, and a new one begins with the new."""
    model = GatedModel(free=2)
    app = Host(FakeSession(model=model))
    async with app.run_test(size=(160, 30)) as pilot:
        await pilot.press("a", "enter")
        await wait_until(pilot, lambda: "aab" in app.screen_text)
        await pilot.press("ctrl+t")
        assert preset_of(app.pane.controls.config) == "wild"
        assert app.state.sampling.temperature == 1.2
        model.free = 3
        await wait_until(pilot, lambda: "temperature 0.8 → 1.2 at 2" in app.screen_text)
        await pilot.press("shift+tab", "up")
        model.gate.set()
        await Driver(app, pilot).wait()
        assert "temperature 0.8 → 1.2 at 2 → 1.3 at 3" in app.screen_text
        assert app.answer.config.temperature == 0.8
        assert list(app.answer.changes) == [(2, "temperature", 1.2), (2, "min_p", 0.02), (3, "temperature", 1.3)]
        await Driver(app, pilot).press("enter", "b", "enter")
        assert model.configs[-1].temperature == 1.3
        assert not app.answer.changes


async def test_probabilities_colour_the_characters_and_show_bits_per_character() -> None:
    app = Host(FakeSession())
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        before = app.pane.view.render_line(0)
        await pilot.press("escape", "p")
        assert app.pane.view.render_line(0).text == before.text
        assert list(app.pane.view.render_line(0)) != list(before)
        assert "1.00 bits per character" in app.screen_text
        await pilot.press("p")
        assert "bits per character" not in app.screen_text


async def test_a_cursor_in_the_text_shows_alternatives_and_branches() -> None:
    model = FakeTextModel(text="bcdef")
    app = Host(FakeSession(model=model))
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        await pilot.press("escape", "enter", "right", "right")
        await wait_until(
            pilot,
            lambda: (
                app.pane.cards_pane.inspector.panel.character == "d"
                and app.pane.cards_pane.inspector.panel.alternatives is not None
            ),
        )
        assert model.prompts[-1] == "abc"
        await Driver(app, pilot).press("enter", "enter")
        assert app.answer.prompt == "a"
        assert app.answer.kept == "bcb"
        assert app.answer.text == "bcdef"
        assert math.isnan(app.answer.logprobs[2])
        assert len(app.cards[0].answers) == 2
        assert not app.pane.cards_pane.inspector.has_class("-inspecting")


async def test_a_byte_that_is_a_part_of_a_character_cannot_be_chosen_alone() -> None:
    class OfBytes(FakeTextModel):
        def _piece(self, character: str, details: bool) -> Piece:
            return Piece(character, -1.0, (("\udce4", 0.9),) if details else ())

    app = Host(FakeSession(model=OfBytes(text="bcd")))
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        await pilot.press("escape", "enter")
        await wait_until(pilot, lambda: app.pane.cards_pane.inspector.panel.alternatives is not None)
        await pilot.press("enter", "enter")
        await wait_until(pilot, lambda: bool(app._notifications))
        assert [one.message for one in app._notifications] == [
            "A part of a character cannot be chosen alone: choose a whole one."
        ]
        assert len(app.cards[0].answers) == 1


async def test_escape_leaves_the_alternatives_and_then_the_text() -> None:
    app = Host(FakeSession())
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        await pilot.press("escape", "enter")
        await wait_until(pilot, lambda: app.pane.cards_pane.inspector.panel.alternatives is not None)
        await pilot.press("enter")
        assert app.pane.cards_pane.inspector.panel.has_focus
        await pilot.press("escape")
        assert app.pane.view.has_focus
        await pilot.press("escape")
        assert app.pane.view.inspected is None


async def test_a_text_is_scored_instead_of_continued() -> None:
    model = FakeTextModel()
    app = Host(FakeSession(model=model))
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("h", "i", "ctrl+r")
        assert (app.answer.kind, app.answer.text, len(app.answer.logprobs)) == ("measured", "hi", 2)
        assert model.prompts == []
        assert "1.00 bits per character" in app.screen_text


async def test_compare_generates_with_another_model_from_the_same_prompt_and_seed() -> None:
    model = FakeTextModel(text="bcdef")
    session = FakeSession(model=model)
    app = Host(session)
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        app.pane.use_source("other@best")
        await Driver(app, pilot).press("escape", "b")
        assert session.opened == [None, "other@best"]
        assert model.configs[0] == model.configs[1]
        assert app.screen_text.count("abcdef") == 2


async def test_four_more_answers_are_generated_at_once_and_can_be_repeated() -> None:
    class Four(FakeTextModel):
        def stream_many(
            self, prompt: str, config: SampleConfig, count: int, control: Control | None = None
        ) -> Iterator[tuple[Piece, ...]]:
            self.configs.append(config)
            for column in zip("abcd", "efgh", "ijkl", "mnop", strict=True):
                yield tuple(Piece(character, -0.6931) for character in column)

    model = Four(text="bcdef")
    app = Host(FakeSession(model=model))
    async with app.run_test(size=(160, 40)) as pilot:
        await Driver(app, pilot).press("x", "enter")
        await Driver(app, pilot).press("escape", "n")
        answers = app.cards[0].answers[1:]
        assert [answer.full for answer in answers] == ["xabcd", "xefgh", "xijkl", "xmnop"]
        assert all(answer.bits_per_char == pytest.approx(1.0, abs=1e-3) for answer in answers)
        for text in ("xabcd", "xmnop", "seed 102 (4 of 4)"):
            assert text in app.screen_text
        await pilot.press("right")
        await Driver(app, pilot).press("R")
        assert app.answer.full == "xefgh"
        assert model.configs[-1] == model.configs[-2]


async def begin_four_beside_one(app: Host, pilot: Pilot[None], model: Uneven) -> None:
    """Generate one answer, and hold four beside it after three characters."""
    await Driver(app, pilot).press("x", "enter")
    model.free = 3
    await pilot.press("escape", "n")
    await wait_until(pilot, lambda: app.screen_text.count("▍") == 4 and app.screen_text.count("xabc▍") == 2)


@pytest.mark.parametrize("is_stopped", [True, False])
async def test_answers_of_different_heights_look_as_after_a_redraw_when_they_end(is_stopped: bool) -> None:
    model = Uneven(free=5)
    app = Host(FakeSession(model=model))
    async with app.run_test(size=(160, 40)) as pilot:
        await begin_four_beside_one(app, pilot, model)
        if is_stopped:
            await pilot.press("ctrl+c")
        else:
            model.gate.set()
            await Driver(app, pilot).wait()
        seen = app.screen_text
        app.pane.view.redraw()
        assert seen == app.screen_text
        assert "▍" not in seen
        assert seen.count("xabc") == 3
        assert seen.count("stopped") == (4 if is_stopped else 0)


async def test_text_generated_so_far_survives_a_change_of_layout() -> None:
    """The answers that fit side by side, then one alone, and side by side again."""
    model = Uneven(free=5)
    app = Host(FakeSession(model=model))
    async with app.run_test(size=(160, 40)) as pilot:
        await begin_four_beside_one(app, pilot, model)
        await pilot.resize_terminal(80, 40)
        await wait_until(pilot, lambda: app.screen_text.count("xabc▍") == 1)
        await pilot.press("v")
        await wait_until(pilot, lambda: app.screen_text.count("▍") == 1)
        await pilot.resize_terminal(160, 40)
        await pilot.press("v")
        await wait_until(pilot, lambda: app.screen_text.count("xabc▍") == 2 and app.screen_text.count("▍") == 4)
        model.gate.set()
        await Driver(app, pilot).wait()
        assert app.screen_text.count("xabcde") == 3


async def test_an_answer_of_the_newest_model_is_repeated_with_that_model() -> None:
    session = FakeSession(model=FakeTextModel(name="my-run@best"))
    app = Host(session)
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        await Driver(app, pilot).press("escape", "R")
        assert session.opened == [None, "my-run@best"]


async def test_the_arrows_on_a_card_switch_answers() -> None:
    app = Host(FakeSession())
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        await Driver(app, pilot).press("escape", "r")
        row = next(y for y, line in enumerate(app.screen_text.split("\n")) if "‹ 2/2 ›" in line)
        await pilot.click(app.pane.view, offset=(2, row))
        await pilot.pause()
        assert app.cards[0].shown == 0


async def test_a_model_is_chosen_from_a_list() -> None:
    app = Host(FakeSession())
    async with app.run_test() as pilot:
        app.pane.set_training("my-run")
        await pilot.press("ctrl+o")
        await wait_until(pilot, lambda: isinstance(app.screen, ModelChooser) and bool(app.screen.query(OptionList)))
        await pilot.press("down", "enter")
        assert app.state.source == "live"
        await Driver(app, pilot).press("a", "enter")
        assert app.session.opened == ["live"]


async def test_a_card_is_copied_and_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app = Host(FakeSession(model=FakeTextModel(text="bcdef")))
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        await pilot.press("escape", "y", "w", "W")
        assert app.copied == "abcdef"
        assert (tmp_path / "tui-gpt-abcdef.txt").read_text(encoding="utf-8") == "abcdef\n"
        assert "seed 101" in (tmp_path / "tui-gpt-abcdef.md").read_text(encoding="utf-8")


async def test_an_empty_notebook_offers_prompts_to_click() -> None:
    model = FakeTextModel()
    app = Host(FakeSession(model=model))
    async with app.run_test() as pilot:
        assert app.pane.has_class("-empty")
        await Driver(app, pilot).pilot.click("#prompt-0")
        await Driver(app, pilot).wait()
        assert model.prompts == ["ROMEO:"]
        assert not app.pane.has_class("-empty")


async def test_escape_in_the_prompt_of_an_empty_notebook_focuses_the_examples() -> None:
    model = FakeTextModel()
    app = Host(FakeSession(model=model))
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("escape", "right", "enter")
        await wait_until(pilot, lambda: model.prompts == ["To be, or not"])


async def test_page_keys_scroll_the_cards_from_the_prompt() -> None:
    app = Host(FakeSession(), AppState(sampling=SampleConfig(max_new_tokens=800)))
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        end = app.pane.view.scroll_y
        await pilot.press("pageup")
        assert app.pane.view.scroll_y < end
        await pilot.press("pagedown")
        assert app.pane.view.scroll_y == end


async def test_cards_are_selected_by_keys_and_by_mouse() -> None:
    app = Host(FakeSession())
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        await Driver(app, pilot).press("b", "enter")
        await pilot.press("escape", "k")
        first, second = app.pane.view.cards
        assert app.pane.view.selected is first
        await pilot.click(app.pane.view, offset=(5, first.height(app.pane.view.row_width)))
        assert app.pane.view.selected is second
        await pilot.press("down")
        assert app.pane.box.has_focus


async def test_leaving_the_app_stops_the_generation() -> None:
    app = Host(FakeSession(model=GatedModel(free=3)))
    async with app.run_test() as pilot:
        await pilot.press("x", "enter")
        await wait_until(pilot, lambda: "xabc" in app.screen_text)
        app.pane.stop()
    assert [card.answer.text for card in History().load()] == ["abc"]


async def test_cards_that_cannot_be_saved_are_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And again where it had taken one in between."""
    takes = iter([False, False, False, False, True, True, True, False])
    monkeypatch.setattr(History, "append", lambda _history, _parts, _answers: next(takes))
    app = Host(FakeSession())
    async with app.run_test() as pilot:
        for refusals in (1, 1, 1, 2):
            await Driver(app, pilot).press("a", "enter")
            assert sum("cannot be saved" in notice.message for notice in app._notifications) == refusals


async def test_the_seconds_of_opening_a_model_are_shown() -> None:
    class Slow(FakeSession):
        def open_model(self, source: str | Path | None) -> TextModel:
            self.gate.wait()
            return super().open_model(source)

    session = Slow()
    app = Host(session)
    async with app.run_test() as pilot:
        await pilot.press("a", "enter")
        await wait_until(pilot, lambda: "opening the newest model … 1 s" in app.screen_text)
        session.gate.set()
        await Driver(app, pilot).wait()
        assert "…" not in app.screen_text


async def test_the_seconds_before_the_first_character_are_shown() -> None:
    model = GatedModel(free=0)
    app = Host(FakeSession(model=model))
    async with app.run_test() as pilot:
        await pilot.press("a", "enter")
        await wait_until(pilot, lambda: "generating … 1 s" in app.screen_text)
        model.gate.set()
        await Driver(app, pilot).wait()


async def test_the_seconds_of_computing_alternatives_are_shown() -> None:
    model = GatedModel(free=5)
    app = Host(FakeSession(model=model))
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        model.free = 0
        await pilot.press("escape", "t")
        panel = app.pane.cards_pane.inspector.panel
        await wait_until(pilot, lambda: "computing … 1 s" in panel.render_line(2).text)
        model.gate.set()
        await wait_until(pilot, lambda: bool(panel.alternatives))


async def test_a_system_without_threads_is_reported_on_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_work: object, _name: str) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(controller, "start_in_background", refuse)
    app = Host(FakeSession())
    async with app.run_test() as pilot:
        await Driver(app, pilot).press("a", "enter")
        assert "no thread" in app.answer.error


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives threads a priority of their own")
async def test_generation_does_not_lower_the_priority_of_shared_threads() -> None:
    """A thread that has stepped back cannot come forward again, so it must not be one that lists runs afterwards."""

    class Named(FakeTextModel):
        def unknown(self, text: str) -> str:
            threads.append(threading.current_thread())
            return super().unknown(text)

    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    threads: list[threading.Thread] = []
    app = Host(FakeSession(model=Named()))
    async with app.run_test() as pilot:
        before = await asyncio.to_thread(niceness)
        await Driver(app, pilot).press("a", "enter")
        assert not threads[0].name.startswith("asyncio")
        assert await asyncio.to_thread(niceness) == before


async def test_only_existing_checkpoints_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {("last-only", "last"), ("both", "best"), ("both", "last")}

    def found(run: Run, which: str) -> Path | None:
        return run.path if (run.name, which) in there else None

    monkeypatch.setattr(Run, "checkpoint_dir", found)
    for name in ("last-only", "both", "neither"):
        RunStore().create(resolve("nano"), name)
    app = Host(FakeSession())
    async with app.run_test() as pilot:
        await pilot.press("ctrl+o")
        await wait_until(pilot, lambda: isinstance(app.screen, ModelChooser) and bool(app.screen.query(OptionList)))
        options = app.screen.query_one(OptionList)
        lines = [str(options.get_option_at_index(k).prompt) for k in range(options.option_count)]
        assert {line.split()[0] for line in lines if "@" in line} == {"last-only@last", "both@best", "both@last"}
