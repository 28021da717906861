"""A real run is followed and controlled by another session, while it trains, is paused, and is prepared."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.storage.damage import tiny_config
from tests.storage.runs.live.helpers import wait_until
from tui_gpt.control import Control
from tui_gpt.events import Event, Finished, Paused, Progress, Saved, SettingChanged, Started
from tui_gpt.requests import TrainRequest
from tui_gpt.session import Session
from tui_gpt.storage.runs import RunStore
from tui_gpt.storage.runs.live.attach import send_request
from tui_gpt.storage.runs.live.requests import RunRequest
from tui_gpt.training.checkpoints.tensors import read_checkpoint
from tui_gpt.training.setup import resume


@contextmanager
def training(request: TrainRequest) -> Iterator[list[Event]]:
    """Train in a thread within the block; the events are in the list."""
    control, events = Control(), list[Event]()
    thread = threading.Thread(target=lambda: events.extend(Session().train(request, control)), daemon=True)
    thread.start()
    try:
        yield events
    finally:
        control.stop()
        thread.join(120.0)
        assert not thread.is_alive()


ENDLESS = 10_000_000


def test_a_run_in_training_is_followed_paused_changed_saved_and_stopped(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, "nano", max_iters=ENDLESS, eval_interval=1_000_000)
    store = RunStore()
    with training(TrainRequest(config=config, name="far")) as written:
        wait_until(lambda: any(isinstance(event, Progress) for event in written))
        run, control = store.get("far"), Control()
        followed = Session(store).attach("far", control)
        assert next(followed) == written[0]
        control.pause()
        assert any(isinstance(event, Paused) for event in followed)
        control.change("learning_rate", 0.25)
        control.change("grad_clip", 2.0)
        changes = (event for event in followed if isinstance(event, SettingChanged))
        assert {next(changes).setting, next(changes).setting} == {"learning_rate", "grad_clip"}
        control.resume()
        saved = sum(isinstance(event, Saved) for event in run.events())
        assert any(isinstance(event, Progress) for event in followed)
        send_request(run, RunRequest(action="save"))
        wait_until(lambda: sum(isinstance(event, Saved) for event in run.events()) > saved)
        control.stop()
        *_, last = followed
        assert isinstance(last, Finished)
        assert last.reason == "stopped"
    assert list(run.events()) == written
    assert run.state == "stopped"
    assert not (run.path / "requests").exists()


def test_a_run_that_is_being_prepared_answers_and_its_follower_sees_it_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(tmp_path, "nano")
    list(Session().train(TrainRequest(config=config, name="far"), Control()))
    gate, reached, read = threading.Event(), threading.Event(), read_checkpoint

    def held(*arguments: Any, **options: Any) -> Any:
        reached.set()
        assert gate.wait(120.0)
        return read(*arguments, **options)

    monkeypatch.setattr(resume, "read_checkpoint", held)
    changes = {"max_iters": ENDLESS, "eval_interval": 1_000_000}
    with training(TrainRequest(resume="far", changes=changes)):
        assert reached.wait(120.0)
        control = Control()
        followed = Session().attach("far", control)
        assert isinstance(next(followed), Started)
        send_request(RunStore().get("far"), RunRequest(action="pause"))
        gate.set()
        starts = (event for event in followed if isinstance(event, Started | Paused))
        first = next(starts)
        assert isinstance(first, Started)
        assert first.step == 6
        assert isinstance(next(starts), Paused)
        control.stop()
        *_, last = followed
        assert isinstance(last, Finished)


def test_a_run_is_followed_twice_and_one_follower_detaches(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, "nano", max_iters=ENDLESS, eval_interval=1_000_000)
    with training(TrainRequest(config=config, name="far")) as written:
        wait_until(lambda: bool(written))
        session, controls = Session(), (Control(), Control())
        first, second = (session.attach("far", control) for control in controls)
        assert next(first) == next(second)
        controls[0].detach()
        list(first)
        controls[1].stop()
        *_, last = second
        assert isinstance(last, Finished)
