"""Generating text without a screen: what goes to stdout, what to stderr, and the exit code."""

import io
import itertools
import json
import signal
from collections.abc import Iterator

import pytest

from tests.cli.headless.writing import write
from tests.cli.helpers import AbcModel, BrokenPipe, FakeTerminal, memory_streams, short_session
from tests.fakes import FakeSession
from tui_gpt.cli.headless import samples as samples_module
from tui_gpt.cli.headless import tally as tally_module
from tui_gpt.cli.headless.generate import generate
from tui_gpt.cli.headless.streams import Streams
from tui_gpt.config import SampleConfig
from tui_gpt.control import Control
from tui_gpt.errors import EXIT_SIGPIPE
from tui_gpt.generation.text_model import NO_PIECE, Piece


def test_text_is_raw_on_a_pipe_and_escaped_on_a_terminal() -> None:
    session = short_session()
    session.model.text = "a\x1b\n"
    streams, out, _ = memory_streams()
    write(session, streams, length=3)
    assert out.getvalue() == "a\x1b\n"
    screen = FakeTerminal()
    write(session, Streams(screen, io.StringIO()), length=4)
    assert screen.getvalue() == "a␛\na\n"


def test_on_a_terminal_the_prompt_comes_before_the_text() -> None:
    screen = FakeTerminal()
    write(short_session(), Streams(screen, screen), "To be")
    assert "To beabcabc\n" in screen.getvalue()


def test_unknown_characters_are_skipped_with_a_message() -> None:
    session = short_session()
    streams, _, messages = memory_streams()
    write(session, streams, "Señor é")
    assert session.model.prompts == ["Seor "]
    assert messages.getvalue().startswith("skipped in the prompt, as they are not in the model's alphabet: 'ñ' 'é'\n")


def test_a_random_seed_is_shown_so_that_the_text_can_be_repeated() -> None:
    session = short_session()
    streams, _, messages = memory_streams()
    generate(session, None, "", SampleConfig(max_new_tokens=3), streams, samples=1, as_json=False)
    assert f"seed {session.model.configs[0].seed}\n" in messages.getvalue()


def closing_line(session: FakeSession, *, samples: int = 1, as_json: bool = False) -> str:
    streams, out, messages = memory_streams()
    write(session, streams, samples=samples, as_json=as_json)
    assert "copied" not in out.getvalue()
    return messages.getvalue().splitlines()[-1]


def test_the_closing_line_reports_how_much_of_all_texts_is_copied() -> None:
    class Copying(AbcModel):
        """Half of what is in capitals is copied."""

        def copied(self, text: str) -> float | None:
            self.compared.append(text)
            return 0.5 if text.isupper() else 0.0

    session = short_session()
    session.model = model = Copying()
    assert closing_line(session, samples=2).endswith(
        "chars/s; 25.0% copied from the training text, in pieces of 20 characters or more"
    )
    assert model.compared == ["abcabc", "ABCABC"]


def test_the_closing_line_reports_copies_with_json_too() -> None:
    session = short_session()
    session.model.copied_share = 1.0
    assert "; 100.0% copied" in closing_line(session, samples=2, as_json=True)
    assert session.model.compared == ["abcabc", "abcabc"]


def test_a_long_text_is_compared_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally_module, "_MAX_HELD_PARTS", 4)
    session = short_session()
    session.model.copied_share = 0.5
    assert "; 50.0% copied" in closing_line(session)
    assert session.model.compared == ["abca", "bc"]


def test_copies_are_not_mentioned_when_they_are_unknown() -> None:
    assert "copied" not in closing_line(short_session())


def test_a_quiet_command_does_not_look_for_copies() -> None:
    session = short_session()
    write(session, memory_streams(quiet=True)[0])
    assert session.model.compared == []


@pytest.mark.parametrize(("is_estimate", "loss"), [(False, "loss 1.8812"), (True, "loss ~1.8812")])
def test_a_validation_loss_that_is_an_estimate_is_marked_as_one(is_estimate: bool, loss: str) -> None:
    session = short_session()
    session.model.val_is_estimate = is_estimate
    streams, _, messages = memory_streams()
    write(session, streams)
    assert loss in messages.getvalue()


def test_several_texts_have_headings_on_stdout() -> None:
    streams, out, _ = memory_streams()
    write(short_session(), streams, samples=2, length=3)
    assert out.getvalue() == "--- sample 1 ---\nabc\n--- sample 2 ---\nABC\n"


def test_json_is_one_line_per_character() -> None:
    streams, out, _ = memory_streams()
    write(short_session(), streams, as_json=True, length=2)
    records = [json.loads(line) for line in out.getvalue().splitlines()]
    assert records[0].keys() == {"text", "logprob", "alternatives"}
    assert (records[0]["text"], records[0]["logprob"]) == ("a", -0.6931471805599453)
    assert records[0]["alternatives"][:2] == [["a", 0.5], ["e", 0.5]]
    assert [record["text"] for record in records] == ["a", "b"]


def test_many_texts_are_generated_in_groups_that_fit_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    session = short_session()
    streams, out, _ = memory_streams()
    write(session, streams, samples=150, length=2)
    assert session.model.groups == [(7, 64), (71, 64), (135, 22)]
    assert [int(line.split()[2]) for line in out.getvalue().splitlines() if "sample" in line] == list(range(1, 151))
    assert out.getvalue().count("ab\n") + out.getvalue().count("AB\n") == 150
    monkeypatch.setattr(samples_module, "_MAX_HELD_CHARACTERS", 6)
    session.model.groups.clear()
    write(session, streams, samples=5, length=3)
    assert session.model.groups == [(7, 2), (9, 2)]


def test_the_prompt_comes_before_each_text_on_request() -> None:
    session, (streams, out, _) = short_session(), memory_streams()
    config = SampleConfig(max_new_tokens=3, seed=7)
    generate(session, None, "To é ", config, streams, samples=2, as_json=False, with_prompt=True)
    assert out.getvalue() == "--- sample 1 ---\nTo é abc\n--- sample 2 ---\nTo é ABC\n"


def test_several_texts_in_json_have_their_number_and_their_own_seeds() -> None:
    session = short_session()
    streams, out, _ = memory_streams()
    write(session, streams, as_json=True, samples=2, length=2)
    assert [json.loads(line)["sample"] for line in out.getvalue().splitlines()] == [1, 1, 2, 2]
    assert [config.seed for config in session.model.configs] == [7, 8]


def test_the_part_of_an_interrupted_text_is_kept() -> None:
    class Interrupted(AbcModel):
        def stream(
            self, prompt: str, config: SampleConfig, control: Control | None = None, *, details: bool = False
        ) -> Iterator[Piece]:
            yield Piece("a", -0.5)
            signal.raise_signal(signal.SIGINT)
            assert control is not None
            assert control.stop_requested

    session = short_session()
    session.model = Interrupted()
    screen = FakeTerminal()
    assert write(session, Streams(screen, io.StringIO())) == 130
    assert screen.getvalue() == "a\n"


def test_a_reader_that_exits_ends_the_text_without_an_error() -> None:
    messages = io.StringIO()
    code = write(short_session(), Streams(BrokenPipe(2, BrokenPipeError()), messages))
    assert code == EXIT_SIGPIPE
    assert "error" not in messages.getvalue()


class EndingModel(AbcModel):
    """Ends each text at a stop string after two characters."""

    def stream(
        self, prompt: str, config: SampleConfig, control: Control | None = None, *, details: bool = False
    ) -> Iterator[Piece]:
        yield from itertools.islice(super().stream(prompt, config, control, details=details), 2)
        yield NO_PIECE._replace(end="stop")


def test_the_closing_line_says_why_texts_ended() -> None:
    for samples, words in ((1, "; ended at a stop string"), (3, "; 3 ended at a stop string")):
        session = short_session()
        session.model = EndingModel()
        assert closing_line(session, samples=samples).endswith(words)
    assert "ended" not in closing_line(short_session())


def test_json_ends_with_the_reason_of_a_text_that_ended_early() -> None:
    session = short_session()
    session.model = EndingModel()
    streams, out, _ = memory_streams()
    write(session, streams, as_json=True)
    *lines, last = map(json.loads, out.getvalue().splitlines())
    assert [line["text"] for line in lines] == ["a", "b"]
    assert last == {"text": "", "logprob": 0.0, "alternatives": [], "end": "stop"}
