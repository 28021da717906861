"""Stop conditions and constraints in the app: the dialog, the line that names them, and the notes of an answer."""

from collections.abc import Iterator

import pytest
from textual.widgets import Input, Static

from tests.fakes import FakeSession, FakeTextModel
from tests.tui.driver import NARROW, running
from tests.tui.fakes import wait_until
from tui_gpt.config import SampleConfig
from tui_gpt.control import Control
from tui_gpt.errors import ConfigError
from tui_gpt.generation.text_model import NO_PIECE, Piece
from tui_gpt.tui.generate.generate_pane import GeneratePane
from tui_gpt.tui.generate.notebook import Answer, provenance
from tui_gpt.tui.generate.notebook.history_records import from_line, to_line
from tui_gpt.tui.generate.notebook.limits import limits
from tui_gpt.tui.generate.prompt.limit_fields import FIELDS, field_text, with_field, without_limits
from tui_gpt.tui.generate.prompt.limits_row import LimitsRow
from tui_gpt.tui.generate.prompt.limits_screen import LimitsScreen

ALL = SampleConfig(
    stop=("\n\n", "a|b", "c"),
    until="blank-line",
    max_seconds=2.5,
    allow=r"a-z\n",
    forbid="x",
    match="[^ ]+ and more than anybody could read",
    repetition_penalty=1.5,
    repetition_length=3,
    repetition_window=99,
)


class EndingModel(FakeTextModel):
    """Ends at a blank line after two characters."""

    def stream(
        self, prompt: str, config: SampleConfig, control: Control | None = None, *, details: bool = False
    ) -> Iterator[Piece]:
        self.configs.append(config)
        yield from (Piece("a", -1.0), Piece("b", -1.0), NO_PIECE._replace(end="blank-line"))


def test_limits_are_named_in_a_few_words_each() -> None:
    assert list(limits(ALL)) == [
        r'stop "\n\n" "a\|b" and 1 more',
        "until blank line",
        "2.5 s at most",
        r"only a-z\n",
        "without x",
        "match [^ ]+ and more than any…",
        "repetition penalty 1.5 (3 of 99)",
    ]
    assert not list(limits(SampleConfig()))


def test_every_field_is_read_as_it_is_shown() -> None:
    config = SampleConfig(seed=3)
    for name in FIELDS:
        config = with_field(config, name, field_text(ALL, name))
        assert getattr(config, name) == getattr(ALL, name)
    assert without_limits(config) == SampleConfig(seed=3)
    assert not any(field_text(SampleConfig(), name) for name in FIELDS)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("max_seconds", "soon", "seconds cannot be 'soon': type a number from 1 to 31,536,000"),
        ("repetition_window", "1.5", "window cannot be '1.5': type a number from 1 to 1,000,000"),
        ("match", "[a", "match '[a' is not a valid regular expression: unterminated character set at position 2"),
        ("stop", r"\q", r"stop has \q, which is no escape"),
    ],
)
def test_an_invalid_field_is_refused_with_a_reason(name: str, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        with_field(SampleConfig(), name, text)
    assert str(caught.value).startswith(sentence)


def test_the_record_of_an_answer_keeps_its_limits_and_why_it_ended() -> None:
    answer = Answer(config=ALL, model="m", text="ab", end="blank-line")
    assert from_line(to_line(answer).decode()) == answer
    assert provenance(answer).endswith("repetition penalty 1.5 (3 of 99), 2 characters, ended at a blank line")
    with pytest.raises(ConfigError, match="unknown reason"):
        from_line(to_line(Answer(end="boredom")).decode())


async def test_limits_are_chosen_in_a_dialog_and_named_above_the_prompt() -> None:
    model = EndingModel()
    async with running(FakeSession(model=model), NARROW) as (pilot, main, _):
        await pilot.press("f3", "ctrl+l")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, LimitsScreen))
        dialog = pilot.app.screen
        field = dialog.query_one("#limit-match Input", Input)
        field.value = "[a"
        await wait_until(pilot, lambda: dialog.query_one("#refusal", Static).display)
        assert "not a valid regular expression" in str(dialog.query_one("#refusal", Static).render())
        await pilot.press("enter")
        assert pilot.app.screen is dialog
        field.value = "[a-z]+"
        await pilot.press("tab", "right", "enter")
        await wait_until(pilot, lambda: pilot.app.screen is not dialog)
        pane = main.query_one(GeneratePane)
        row = pane.query_one(LimitsRow)
        assert row.display
        assert str(row.render()) == "Ctrl+L until line · match [a-z]+"
        await pilot.press("R", "enter")
        await wait_until(pilot, lambda: bool(pane.controller.notebook.cards) and not pane.controller.is_generating)
        answer = pane.controller.notebook.cards[-1].answer
        assert (answer.text, answer.end) == ("ab", "blank-line")
        assert (model.configs[-1].until, model.configs[-1].match) == ("line", "[a-z]+")
        drawn = "\n".join(pane.view.render_line(y).text for y in range(pane.view.size.height))
        assert "ended at a blank line" in drawn

        await pilot.click(LimitsRow)
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, LimitsScreen))
        await pilot.press("ctrl+l")
        assert pilot.app.screen.query_one("#limit-match Input", Input).value == ""
        await pilot.click("#apply")
        await wait_until(pilot, lambda: not row.display)
        assert without_limits(main.state.sampling) == main.state.sampling
        await pilot.press("ctrl+l", "a", "escape")
        assert main.state.sampling.stop == ()
