"""Computing the latest request only, and opening models for it."""

import threading
from collections.abc import Iterator

import pytest

from tests.fakes import FakeSession, FakeTextModel
from tui_gpt.control import Control
from tui_gpt.errors import NotFoundError
from tui_gpt.tui.generate import background
from tui_gpt.tui.generate.background import LIVE_SECONDS, LatestTask, OpenModels, model_words
from tui_gpt.tui.generate.controller import NO_THREAD


class Delivered:
    """What arrives, and an event when the last of it has."""

    def __init__(self, last: str) -> None:
        self.results: list[tuple[str, str]] = []
        self.done = threading.Event()
        self._last = last

    def take(self, request: str, result: str) -> None:
        self.results.append((request, result))
        if result == self._last:
            self.done.set()


def test_a_later_request_replaces_the_one_before_and_nothing_of_that_arrives() -> None:
    begun, gate, arrived = threading.Event(), threading.Event(), Delivered("third")
    controls: list[Control] = []

    def compute(request: str, control: Control) -> Iterator[str]:
        controls.append(control)
        begun.set()
        gate.wait()
        yield request

    task = LatestTask[str, str](compute, arrived.take, arrived.take)
    task.request("first")
    begun.wait()
    task.request("second")
    task.request("third")
    assert controls[0].stop_requested
    gate.set()
    assert arrived.done.wait(60)
    assert arrived.results == [("third", "third")]
    assert len(controls) == 2


def test_an_error_is_a_sentence_and_the_next_request_is_computed() -> None:
    def compute(request: str, _: Control) -> Iterator[str]:
        if request == "gone":
            raise NotFoundError("there is no such run")
        if request == "bug":
            raise ZeroDivisionError("division")
        yield request

    for request, sentence in (
        ("gone", "there is no such run"),
        ("bug", "unexpected error (ZeroDivisionError: division)"),
    ):
        arrived = Delivered(sentence)
        task = LatestTask[str, str](compute, arrived.take, arrived.take)
        task.request(request)
        assert arrived.done.wait(60)
        assert arrived.results == [(request, sentence)]


def test_a_system_without_threads_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_work: object, _name: str) -> None:
        raise RuntimeError

    monkeypatch.setattr(background, "start_in_background", refuse)
    arrived = Delivered("")
    task = LatestTask[str, str](lambda request, _: iter([request]), arrived.take, arrived.take)
    task.request("a")
    task.request("b")
    assert [sentence for _, sentence in arrived.results] == [NO_THREAD] * 2


def test_live_weights_are_requested_now_and_then_and_other_models_each_time() -> None:
    now = [0.0]
    session = FakeSession()
    models = OpenModels(session, clock=lambda: now[0])
    for source in ("live", "live", "run@live", None, None, "one@best"):
        models.open(source)
    now[0] = LIVE_SECONDS + 1
    models.open("live")
    assert session.opened == ["live", None, None, "one@best", "live"]


def test_characters_that_the_model_does_not_know_are_named() -> None:
    model = FakeTextModel("one", unknown="¶\n")
    assert model_words(model, "text") == "one"
    assert model_words(model, "a\n¶") == "one, without ↵¶"
