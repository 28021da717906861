"""Writers without a screen: what a thread puts in comes out once, and stopping lets nothing more through."""

import math
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tui.fakes import FakeSession, FakeTextModel
from tui_gpt.config import SampleConfig
from tui_gpt.control import Control
from tui_gpt.errors import NotFoundError
from tui_gpt.generation.text_model import Piece, TextModel
from tui_gpt.tui.generate.lookup import AlternativesLookup
from tui_gpt.tui.generate.notebook import Answer
from tui_gpt.tui.generate.writer import Writer

CONFIG = SampleConfig(max_new_tokens=4, seed=1)


def run(writer: Writer, session: FakeSession) -> None:
    """Let the writer do all its work in this thread."""
    writer.run(session, threading.Lock())


def test_everything_written_is_taken_once() -> None:
    writer = Writer(Answer(prompt="a", config=CONFIG))
    run(writer, FakeSession(model=FakeTextModel(text="bcde")))
    assert [burst.text for burst in (*writer.take(), *writer.take())] == ["bcde", ""]
    assert (writer.answers[0].full, len(writer.answers[0].logprobs)) == ("abcde", 4)


def test_what_was_not_taken_is_not_in_the_answer() -> None:
    writer = Writer(Answer(prompt="a", config=CONFIG))
    run(writer, FakeSession())
    assert writer.answers[0].text == ""


def test_a_continuation_keeps_the_probabilities_it_had() -> None:
    writer = Writer(Answer(prompt="a", kept="b", logprobs=(math.nan,), config=CONFIG))
    run(writer, FakeSession())
    writer.take()
    assert len(writer.answers[0].logprobs) == 5


def test_seconds_count_from_the_opened_model_to_the_last_character() -> None:
    """However late somebody looks."""
    times = iter([9.0, 10.0, 10.5, 11.0, 11.5, 12.5])
    writer = Writer(Answer(config=CONFIG), clock=lambda: next(times))
    run(writer, FakeSession())
    writer.take()
    assert writer.answers[0].seconds == 2.5


def test_nothing_arrives_after_a_stop() -> None:
    class Stopping(FakeTextModel):
        """A model whose user stops it after two characters, and which does not care."""

        def stream(
            self, prompt: str, config: SampleConfig, control: Control | None = None, *, details: bool = False
        ) -> Iterator[Piece]:
            for k, piece in enumerate(super().stream(prompt, config, None, details=details)):
                if k == 2:
                    writer.stop()
                yield piece

    writer = Writer(Answer(config=CONFIG))
    run(writer, FakeSession(model=Stopping(text="abcd")))
    assert writer.take()[0].text == "ab"
    assert writer.answers[0].stopped


def test_a_writer_stopped_before_its_turn_opens_no_model() -> None:
    session, writer = FakeSession(), Writer(Answer(config=CONFIG))
    writer.stop()
    run(writer, session)
    assert session.opened == []


def test_an_error_ends_the_answer_with_its_sentence() -> None:
    class Empty(FakeSession):
        def open_model(self, source: str | Path | None) -> TextModel:
            raise NotFoundError(f"there is no run {source}: choose another")

    writer = Writer(Answer(config=CONFIG, source="x"))
    run(writer, Empty())
    assert (writer.phase, writer.answers[0].error) == ("done", "there is no run x: choose another")


def test_answers_of_a_batch_have_their_probabilities() -> None:
    answers = Answer(prompt="a").batch_of(2, CONFIG, None)
    writer = Writer(*answers)
    run(writer, FakeSession(model=FakeTextModel(text="bcde")))
    writer.take()
    for place, answer in enumerate(writer.answers):
        assert (answer.place, answer.batch, answer.text) == (place, 2, "bcde")
        assert answer.logprobs == pytest.approx([-0.6931] * 4)


class Copying(FakeTextModel):
    """Calls as many tenths copied as a text has characters."""

    def copied(self, text: str) -> float | None:
        return len(text) / 10


def test_an_answer_says_how_much_of_what_was_written_is_copied() -> None:
    """However much of it the screen has taken by then; what was given does not count."""
    writer = Writer(Answer(prompt="abcdef", kept="g", config=CONFIG))
    run(writer, FakeSession(model=Copying()))
    assert writer.answers[0].copied == 0.4


def test_each_answer_of_a_batch_says_how_much_of_it_is_copied() -> None:
    writer = Writer(*Answer(prompt="a").batch_of(2, CONFIG, None))
    run(writer, FakeSession(model=Copying()))
    assert [answer.copied for answer in writer.answers] == [0.4, 0.4]


def test_a_stopped_answer_is_compared_as_far_as_it_came() -> None:
    class Stopping(Copying):
        def stream(
            self, prompt: str, config: SampleConfig, control: Control | None = None, *, details: bool = False
        ) -> Iterator[Piece]:
            for k, piece in enumerate(super().stream(prompt, config, None, details=details)):
                if k == 2:
                    writer.stop()
                yield piece

    writer = Writer(Answer(config=CONFIG))
    run(writer, FakeSession(model=Stopping()))
    assert (writer.answers[0].stopped, writer.answers[0].copied) == (True, 0.2)


def test_a_measured_text_is_not_compared() -> None:
    writer = Writer(Answer(kind="measured", text="abcd", config=CONFIG))
    run(writer, FakeSession(model=Copying()))
    assert writer.answers[0].copied is None


def look(looking: AlternativesLookup, text: str) -> bool:
    """Ask for a place of the newest model's text."""
    return looking.want((None, text))


def test_only_the_last_place_asked_for_is_thought_about() -> None:
    model = FakeTextModel()
    looking = AlternativesLookup(FakeSession(model=model), threading.Lock())
    assert [look(looking, "a"), look(looking, "ab"), look(looking, "abc")] == [True, False, False]
    looking.run(lambda: None)
    assert model.prompts == ["abc"]
    thought = looking.known((None, "abc"))
    assert thought is not None
    assert len(thought.alternatives) == 10
    assert looking.known((None, "a")) is None


def test_the_model_is_opened_once_for_all_places_and_anew_when_forgotten() -> None:
    session = FakeSession()
    looking = AlternativesLookup(session, threading.Lock())
    for text in ("a", "b"):
        look(looking, text)
        looking.run(lambda: None)
    assert session.opened == [None]
    looking.forget()
    assert looking.known((None, "a")) is None
    look(looking, "a")
    looking.run(lambda: None)
    assert session.opened == [None, None]


def test_a_place_that_cannot_be_thought_about_has_a_sentence() -> None:
    class Empty(FakeSession):
        def open_model(self, source: str | Path | None) -> TextModel:
            raise NotFoundError("there is no such run: choose another")

    looking = AlternativesLookup(Empty(), threading.Lock())
    look(looking, "a")
    looking.run(lambda: None)
    thought = looking.known((None, "a"))
    assert thought is not None
    assert thought.error == "there is no such run: choose another"


def test_looking_ends_when_it_is_stopped() -> None:
    model = FakeTextModel()
    looking = AlternativesLookup(FakeSession(model=model), threading.Lock())
    look(looking, "a")
    looking.stop()
    looking.run(lambda: None)
    assert model.prompts == []
