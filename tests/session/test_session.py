"""A session finds runs, trains them, writes their log and opens their models, with real tiny models."""

import dataclasses
import gc
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from tui_gpt import session as session_module
from tui_gpt.config import RunConfig, SampleConfig, TrainConfig, resolve
from tui_gpt.control import Control
from tui_gpt.errors import ConfigError, CorpusError, IncompatibleError, NotFoundError, RunLockedError
from tui_gpt.events import Evaluated, Event, Finished, Progress, Sampled, SettingChanged, Started
from tui_gpt.requests import TrainRequest
from tui_gpt.session import Session
from tui_gpt.storage.checkpoint import quantize_checkpoint
from tui_gpt.storage.manifest import MODEL_FILE
from tui_gpt.storage.recorder import Recorder
from tui_gpt.storage.runs import RunStore
from tui_gpt.training.budget.calibration import StepTime
from tui_gpt.training.budget.sizing import MAX_MEMBERS
from tui_gpt.training.checkpoints.tensors import Checkpoint, read_checkpoint
from tui_gpt.training.compute.device import ComputeDevice

FOX = "the quick brown fox jumps over the lazy dog and runs back to the river bank\n"
Make = Callable[..., RunConfig]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "fox.txt"
    path.write_text(FOX * 40, encoding="utf-8")
    return path


@pytest.fixture
def tiny(text: Path) -> Make:
    """Return a config that trains in a fraction of a second."""

    def make(preset: str = "nano", **overrides: Any) -> RunConfig:
        settings = {
            "n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 16, "batch_size": 4, "max_iters": 20,
            "eval_interval": 5, "log_interval": 2, "device": "cpu", "threads": 1, "dropout": 0.1,
        }  # fmt: skip
        return resolve(preset, str(text), **{**settings, **overrides})

    return make


def train(session: Session, config: RunConfig, **request: Any) -> list[Event]:
    return list(session.train(TrainRequest(config=config, **request), Control()))


def train_until(session: Session, request: TrainRequest, step: int) -> list[Event]:
    control, events = Control(), []
    for event in session.train(request, control):
        events.append(event)
        if event.step >= step and not isinstance(event, Started):
            control.stop()
    return events


def learned(events: list[Event]) -> list[Event]:
    """Return the events of learning, without times."""
    kept: list[Event] = []
    for event in events:
        if isinstance(event, Progress):
            kept.append(dataclasses.replace(event, tokens_per_second=0.0, elapsed_seconds=0.0))
        elif isinstance(event, Evaluated | Sampled):
            kept.append(event)
    return kept


def test_a_run_ends_in_the_store_with_its_log_and_its_checkpoints(tiny: Make) -> None:
    session = Session()
    events = train(session, tiny())
    assert session.run_name is not None
    run = RunStore().get(session.run_name)
    assert list(run.events()) == events
    assert run.summary().state == "finished"
    assert run.checkpoint_dir("last") is not None
    assert run.checkpoint_dir("best") is not None


@pytest.mark.parametrize("preset", ["nano", "bigram", pytest.param("best", marks=pytest.mark.slow)])
def test_a_stopped_run_resumes_exactly(tiny: Make, preset: str) -> None:
    shape = {"n_layer": 0} if preset == "bigram" else {}
    straight = learned(train(Session(), tiny(preset, sample_interval=10, **shape), name="straight"))
    request = TrainRequest(config=tiny(preset, sample_interval=10, **shape), name="broken")
    train_until(Session(), request, 10)
    list(Session().train(TrainRequest(resume="broken"), Control()))
    assert learned(list(RunStore().get("broken").events())) == straight


def test_a_trained_model_can_generate(tiny: Make) -> None:
    session = Session()
    train(session, tiny())
    model = session.open_model(None)
    assert (model.name, model.step) == (f"{session.run_name}@best", 20)
    written = "".join(piece.text for piece in model.stream("the ", SampleConfig(max_new_tokens=30, seed=1)))
    assert len(written) == 30
    assert set(written) <= set(FOX)


def test_best_and_last_are_opened_by_name(tiny: Make) -> None:
    session = Session()
    train(session, tiny(learning_rate=1.0, eval_interval=4), name="wild")
    assert session.open_model("wild@last").step == 20
    best = RunStore().get("wild").summary().best_val_loss
    assert session.open_model("wild@best").val_loss == best


@pytest.mark.parametrize("source", ["missing", "missing@best"])
def test_an_unknown_run_is_reported(source: str) -> None:
    with pytest.raises(NotFoundError, match="missing"):
        Session().open_model(source)


def test_an_unknown_kind_of_checkpoint_is_answered_with_the_kinds(tiny: Make) -> None:
    session = Session()
    train(session, tiny(), name="fox")
    with pytest.raises(NotFoundError, match="fox@best or fox@last"):
        session.open_model("fox@worst")


def test_a_text_that_cannot_be_used_leaves_no_run_behind(tiny: Make, tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("too short", encoding="utf-8")
    with pytest.raises(CorpusError, match="short"):
        train(Session(), dataclasses.replace(tiny(), corpus=str(short)))
    assert RunStore().list() == []


def test_a_run_whose_text_has_changed_is_not_resumed(tiny: Make, text: Path) -> None:
    train_until(Session(), TrainRequest(config=tiny(), name="fox"), 10)
    text.write_text(FOX * 41, encoding="utf-8")
    with pytest.raises(IncompatibleError, match="has changed"):
        list(Session().train(TrainRequest(resume="fox"), Control()))


def test_a_running_run_has_one_writer(tiny: Make) -> None:
    control = Control()
    events = Session().train(TrainRequest(config=tiny(), name="fox"), control)
    next(events)
    with pytest.raises(RunLockedError):
        list(Session().train(TrainRequest(resume="fox"), Control()))
    events.close()  # type: ignore[attr-defined]  # a generator, seen as an iterator


def test_closing_the_event_stream_saves_the_run(tiny: Make) -> None:
    events = Session().train(TrainRequest(config=tiny(), name="fox"), Control())
    while next(events).step < 6:
        pass
    events.close()  # type: ignore[attr-defined]  # a generator, seen as an iterator
    summary = RunStore().get("fox").summary()
    assert (summary.state, summary.has_checkpoint) == ("stopped", True)


def test_a_finished_run_can_be_made_longer(tiny: Make) -> None:
    train(Session(), tiny(), name="fox")
    events = list(Session().train(TrainRequest(resume="fox", changes={"max_iters": 30}), Control()))
    assert isinstance(events[0], Started)
    assert events[0].step == 20
    assert SettingChanged(step=20, setting="max_iters", value=30) in events
    assert events[-1].step == 30


def test_a_setting_that_shapes_the_model_cannot_change_on_resume(tiny: Make) -> None:
    train(Session(), tiny(), name="fox")
    with pytest.raises(IncompatibleError, match="batch_size"):
        list(Session().train(TrainRequest(resume="fox", changes={"batch_size": 8}), Control()))


def test_fine_tuning_starts_from_the_other_run_s_weights_and_learns_new_characters(tiny: Make, tmp_path: Path) -> None:
    train(Session(), tiny(max_iters=60), name="fox")
    other = tmp_path / "other.txt"
    other.write_text((FOX.upper() + FOX) * 20, encoding="utf-8")
    config = dataclasses.replace(tiny(max_iters=1, learning_rate=1e-9), corpus=str(other))
    tuned = train(Session(), config, init_from="fox", name="tuned")
    fresh = train(Session(), config, name="fresh")
    assert first_train_loss(tuned) < first_train_loss(fresh) - 0.2


def first_train_loss(events: list[Event]) -> float:
    return next(event.train_loss for event in events if isinstance(event, Evaluated))


def test_a_run_can_live_in_a_folder_of_the_user_s_choice(tiny: Make, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    train(Session(), tiny(), model_path=folder)
    assert (folder / "last").is_dir()
    assert Session().open_model(folder).step == 20
    assert Session().open_model(folder / "last").step == 20


def test_generating_from_the_live_weights_does_not_disturb_the_run(tiny: Make) -> None:
    quiet = learned(train(Session(), tiny(), name="quiet"))
    session, control = Session(), Control()
    events, written = [], []

    def write_live() -> None:
        try:
            model = session.open_model("live")
            pieces = model.stream("t", SampleConfig(max_new_tokens=9))
            written.append((model.step, "".join(piece.text for piece in pieces)))
        finally:
            control.resume()

    writer = threading.Thread(target=write_live)
    for event in session.train(TrainRequest(config=tiny(), name="watched"), control):
        events.append(event)
        if isinstance(event, Progress) and event.step == 6:
            control.pause()
            writer.start()
    writer.join()
    assert [(step, len(text)) for step, text in written] == [(6, 9)]
    assert learned(events) == quiet


def test_live_weights_asked_for_after_the_last_step_are_refused_at_once(
    tiny: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session still knows the run, but its worker no longer answers."""
    session, refusals = Session(), []

    def ask(_recorder: Recorder) -> None:
        with pytest.raises(NotFoundError, match="just ended"):
            session.open_model("live")
        refusals.append(True)

    monkeypatch.setattr(session_module, "_LIVE_TIMEOUT_SECONDS", 1e9)
    monkeypatch.setattr(Recorder, "require_all", ask)
    train(session, tiny())
    assert refusals == [True]


def test_without_a_run_in_progress_there_is_nothing_live() -> None:
    with pytest.raises(NotFoundError, match="nothing is being trained"):
        Session().open_model("live")


@pytest.mark.parametrize("source", ["shipped@last", "shipped@best"])
def test_the_shipped_model_has_one_checkpoint(source: str) -> None:
    with pytest.raises(NotFoundError, match="has one checkpoint: ask for shipped"):
        Session().open_model(source)


def test_a_model_is_evaluated_here_and_not_where_it_was_trained(tiny: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The device of its training may not exist on this machine."""
    train(Session(), tiny(threads=2), name="fox")
    configs: list[TrainConfig] = []
    original = ComputeDevice.of

    def noted(config: TrainConfig) -> ComputeDevice:
        configs.append(config)
        return original(config)

    monkeypatch.setattr(ComputeDevice, "of", noted)
    Session().evaluate("fox@last", Control())
    Session(place=TrainConfig(max_iters=1, threads=1, device="cpu")).evaluate("fox@last", Control())
    assert [(config.device, config.threads) for config in configs] == [("auto", 0), ("cpu", 1)]


def test_a_budget_counts_from_when_the_process_began(tiny: Make) -> None:
    config = tiny(max_seconds=2_000)
    events = list(Session().train(TrainRequest(config=config, began=time.monotonic() - 1_000), Control()))
    assert isinstance(events[-1], Finished)
    assert events[-1].elapsed_seconds > 1_000
    config = tiny(max_iters=None, max_seconds=30)
    with pytest.raises(ConfigError, match="not one step fits"):
        list(Session().train(TrainRequest(config=config, began=time.monotonic() - 30), Control()))


def test_an_evaluation_agrees_with_the_one_in_training(tiny: Make) -> None:
    events = train(Session(), tiny(), name="fox")
    last = [event for event in events if isinstance(event, Evaluated)][-1]
    measured = Session().evaluate("fox@last", Control())
    assert measured.val_loss == pytest.approx(last.val_loss, abs=1e-5)
    assert measured.bits_per_char == pytest.approx(last.bits_per_char, abs=1e-5)


def test_an_estimate_contains_time_steps_and_size(tiny: Make) -> None:
    estimate = Session().estimate(tiny(), Control())
    assert estimate.iterations == 20
    assert estimate.seconds > 0
    assert estimate.train_tokens == int(0.9 * len(FOX * 40))
    assert RunStore().list() == []


def test_the_run_of_a_failed_worker_is_marked(tiny: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from tui_gpt.training.step_gradients import LocalGradients, Step

    def fail(_self: LocalGradients, _step: Step) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(LocalGradients, "accumulate", fail)
    with pytest.raises(RuntimeError):
        train(Session(), tiny(), name="fox")
    assert RunStore().get("fox").summary().state == "failed"


def test_a_finished_run_reports_why_it_ended(tiny: Make) -> None:
    last = train(Session(), tiny())[-1]
    assert isinstance(last, Finished)
    assert last.reason == "completed"


def test_the_number_of_networks_that_the_time_allowed_is_kept_and_resumed(
    tiny: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text is so small that a fast machine has time for the largest ensemble."""
    monkeypatch.setattr("tui_gpt.training.budget.estimate.time_step", lambda *_: StepTime(0.001, 1))
    config = tiny("quick", max_iters=None, max_seconds=30.0)
    session = Session()
    train_until(session, TrainRequest(config=config, name="fox"), 4)
    kept = checkpoint_of("fox")
    assert kept.info.config.model.members == MAX_MEMBERS
    resumed = train_until(session, TrainRequest(config=config, resume="fox"), 8)
    assert isinstance(resumed[0], Started)
    assert resumed[0].max_iters == checkpoint_of("fox").info.max_iters == kept.info.max_iters
    assert checkpoint_of("fox").info.config.model == kept.info.config.model


def test_a_large_alphabet_gets_a_shorter_prior_which_is_kept_and_resumed(text: Path, tiny: Make) -> None:
    letters = "".join(chr(0x4E00 + k * 7 % 300) for k in range(900))
    text.write_text(letters * 3, encoding="utf-8")
    config = tiny("quick", ngram_order=7)
    train_until(Session(), TrainRequest(config=config, name="fox"), 4)
    assert checkpoint_of("fox").info.config.model.ngram_order == 5
    assert train(Session(), config, resume="fox")[-1].step == 20
    train(Session(), tiny("quick", ngram_order=3), name="shorter")
    assert checkpoint_of("shorter").info.config.model.ngram_order == 3


def test_an_exported_checkpoint_can_be_quantized(tiny: Make, tmp_path: Path) -> None:
    train(Session(), tiny("quick"), name="fox")
    whole, small = (RunStore().export("fox", "best", tmp_path / name) for name in ("whole", "small"))
    quantize_checkpoint(small)
    assert size_of(small) < 0.5 * size_of(whole)
    config = SampleConfig(max_new_tokens=40, seed=1, temperature=0)
    first, second = (Session().open_model(place).stream("the", config) for place in (whole, small))
    assert "".join(piece.text for piece in first) == "".join(piece.text for piece in second)


def checkpoint_of(name: str) -> Checkpoint:
    return read_checkpoint(RunStore().get(name).require_checkpoint("last"))


def size_of(folder: Path) -> int:
    """Bytes of the weights, the prior's counts left out."""
    tensors = load_file(folder / MODEL_FILE)
    return sum(tensor.nbytes for name, tensor in tensors.items() if not name.startswith("prior."))


def test_objects_from_before_the_import_of_torch_can_still_be_collected() -> None:
    """Such as a widget that was on the screen then, and has been removed since."""

    class Widget:
        itself: object

    widget = Widget()
    widget.itself = widget
    left = weakref.ref(widget)
    Session().collect_garbage()
    del widget
    gc.collect()
    assert left() is None
