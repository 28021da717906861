"""Generation jobs and predictions without a screen."""

import math
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import FakeSession, FakeTextModel
from tui_gpt.config import SampleConfig
from tui_gpt.control import Control
from tui_gpt.errors import NotFoundError
from tui_gpt.generation.text_model import Piece, TextModel
from tui_gpt.tui.generate.job import GenerationJob
from tui_gpt.tui.generate.lookup import AlternativesLookup, Position
from tui_gpt.tui.generate.notebook import Answer

CONFIG = SampleConfig(max_new_tokens=4, seed=1)


def run(job: GenerationJob, session: FakeSession) -> None:
    """Run the job in this thread."""
    job.run(session, threading.Lock())


def test_everything_written_is_taken_once() -> None:
    job = GenerationJob(Answer(prompt="a", config=CONFIG))
    run(job, FakeSession(model=FakeTextModel(text="bcde")))
    assert [burst.text for burst in (*job.take(), *job.take())] == ["bcde", ""]
    assert (job.answers[0].full, len(job.answers[0].logprobs)) == ("abcde", 4)


def test_what_was_not_taken_is_not_in_the_answer() -> None:
    job = GenerationJob(Answer(prompt="a", config=CONFIG))
    run(job, FakeSession())
    assert job.answers[0].text == ""


def test_a_continuation_keeps_the_probabilities_it_had() -> None:
    job = GenerationJob(Answer(prompt="a", kept="b", logprobs=(math.nan,), config=CONFIG))
    run(job, FakeSession())
    job.take()
    assert len(job.answers[0].logprobs) == 5


def test_seconds_count_from_the_opened_model_to_the_last_character() -> None:
    """However late it is polled."""
    times = iter([9.0, 10.0, 10.5, 11.0, 11.5, 12.5])
    job = GenerationJob(Answer(config=CONFIG), clock=lambda: next(times))
    run(job, FakeSession())
    job.take()
    assert job.answers[0].seconds == 2.5


def test_nothing_arrives_after_a_stop() -> None:
    class Stopping(FakeTextModel):
        """A model whose user stops it after two characters, and which does not care."""

        def stream(
            self, prompt: str, config: SampleConfig, control: Control | None = None, *, details: bool = False
        ) -> Iterator[Piece]:
            for k, piece in enumerate(super().stream(prompt, config, None, details=details)):
                if k == 2:
                    job.stop()
                yield piece

    job = GenerationJob(Answer(config=CONFIG))
    run(job, FakeSession(model=Stopping(text="abcd")))
    assert job.take()[0].text == "ab"
    assert job.answers[0].stopped


def test_a_job_stopped_before_its_turn_opens_no_model() -> None:
    session, job = FakeSession(), GenerationJob(Answer(config=CONFIG))
    job.stop()
    run(job, session)
    assert session.opened == []


def test_an_error_ends_the_answer_with_its_sentence() -> None:
    class Empty(FakeSession):
        def open_model(self, source: str | Path | None) -> TextModel:
            raise NotFoundError(f"there is no run {source}: choose another")

    job = GenerationJob(Answer(config=CONFIG, source="x"))
    run(job, Empty())
    assert (job.phase, job.answers[0].error) == ("done", "there is no run x: choose another")


def test_answers_of_a_batch_have_their_probabilities() -> None:
    answers = Answer(prompt="a").batch_of(2, CONFIG, None)
    job = GenerationJob(*answers)
    run(job, FakeSession(model=FakeTextModel(text="bcde")))
    job.take()
    for place, answer in enumerate(job.answers):
        assert (answer.place, answer.batch, answer.text) == (place, 2, ("bcde", "BCDE")[place])
        assert tuple(answer.logprobs) == pytest.approx((-math.log(2),) * 4)


class Copying(FakeTextModel):
    """A model whose copied fraction is a tenth per character."""

    def copied(self, text: str) -> float | None:
        return len(text) / 10


def test_an_answer_says_how_much_of_what_was_written_is_copied() -> None:
    """However much of it the screen has taken by then; what was given does not count."""
    job = GenerationJob(Answer(prompt="abcdef", kept="g", config=CONFIG))
    run(job, FakeSession(model=Copying()))
    assert job.answers[0].copied == 0.4


def test_each_answer_of_a_batch_says_how_much_of_it_is_copied() -> None:
    job = GenerationJob(*Answer(prompt="a").batch_of(2, CONFIG, None))
    run(job, FakeSession(model=Copying()))
    assert [answer.copied for answer in job.answers] == [0.4, 0.4]


def test_a_stopped_answer_is_compared_as_far_as_it_came() -> None:
    class Stopping(Copying):
        def stream(
            self, prompt: str, config: SampleConfig, control: Control | None = None, *, details: bool = False
        ) -> Iterator[Piece]:
            for k, piece in enumerate(super().stream(prompt, config, None, details=details)):
                if k == 2:
                    job.stop()
                yield piece

    job = GenerationJob(Answer(config=CONFIG))
    run(job, FakeSession(model=Stopping()))
    assert (job.answers[0].stopped, job.answers[0].copied) == (True, 0.2)


def test_a_measured_text_is_not_compared() -> None:
    job = GenerationJob(Answer(kind="measured", text="abcd", config=CONFIG))
    run(job, FakeSession(model=Copying()))
    assert job.answers[0].copied is None


def request(lookup: AlternativesLookup, text: str) -> bool:
    """Ask for a place of the newest model's text."""
    return lookup.request(Position(None, text))


def test_only_the_last_place_asked_for_is_prediction_about() -> None:
    model = FakeTextModel()
    lookup = AlternativesLookup(FakeSession(model=model), threading.Lock())
    assert [request(lookup, "a"), request(lookup, "ab"), request(lookup, "abc")] == [True, False, False]
    lookup.run(lambda: None)
    assert model.prompts == ["abc"]
    prediction = lookup.cached(Position(None, "abc"))
    assert prediction is not None
    assert len(prediction.alternatives) == 10
    assert lookup.cached(Position(None, "a")) is None


def test_the_model_is_opened_once_for_all_places_and_anew_when_forgotten() -> None:
    session = FakeSession()
    lookup = AlternativesLookup(session, threading.Lock())
    for text in ("a", "b"):
        request(lookup, text)
        lookup.run(lambda: None)
    assert session.opened == [None]
    lookup.forget()
    assert lookup.cached(Position(None, "a")) is None
    request(lookup, "a")
    lookup.run(lambda: None)
    assert session.opened == [None, None]


def test_a_place_that_cannot_be_prediction_about_has_a_sentence() -> None:
    class Empty(FakeSession):
        def open_model(self, source: str | Path | None) -> TextModel:
            raise NotFoundError("there is no such run: choose another")

    lookup = AlternativesLookup(Empty(), threading.Lock())
    request(lookup, "a")
    lookup.run(lambda: None)
    prediction = lookup.cached(Position(None, "a"))
    assert prediction is not None
    assert prediction.error == "there is no such run: choose another"


def test_lookup_ends_when_it_is_stopped() -> None:
    model = FakeTextModel()
    lookup = AlternativesLookup(FakeSession(model=model), threading.Lock())
    request(lookup, "a")
    lookup.stop()
    lookup.run(lambda: None)
    assert model.prompts == []


def test_tokens_become_characters_with_a_log_probability_each() -> None:
    class OfTokens(FakeTextModel):
        """A model whose second token is half of a character, and whose last token has three."""

        def stream(
            self, prompt: str, config: SampleConfig, control: Control | None = None, *, details: bool = False
        ) -> Iterator[Piece]:
            yield from (Piece("a", -0.5), Piece("", -1.0, (), (("temperature", 1.2),)), Piece("é", -1.0))
            yield Piece("the", -3.0, (), (("temperature", 0.5),))

    job = GenerationJob(Answer(config=CONFIG))
    run(job, FakeSession(model=OfTokens()))
    job.take()
    answer = job.answers[0]
    assert (answer.text, answer.logprobs) == ("aéthe", (-0.5, -2.0, -1.0, -1.0, -1.0))
    assert answer.changes == ((1, "temperature", 1.2), (2, "temperature", 0.5))
    assert answer.bits_per_char == pytest.approx(5.5 / 5 / math.log(2))
