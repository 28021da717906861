"""The loop learns, reports events, handles requests, and resumes exactly."""

import dataclasses
import math
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.workbench import MODEL, TRAIN, Workbench, learning_log, same_weights
from tui_gpt.config import TrainConfig
from tui_gpt.errors import DivergedError, StorageError
from tui_gpt.events import (
    ChangeRefused,
    Evaluated,
    Event,
    Finished,
    Initialized,
    Paused,
    Progress,
    Resumed,
    ResumeDiffers,
    RolledBack,
    Sampled,
    Saved,
    SettingChanged,
    Started,
    StepSkipped,
    StorageProblem,
    StorageRecovered,
)
from tui_gpt.training.checkpoints.tensors import tensors_of
from tui_gpt.training.live_weights import LiveWeights
from tui_gpt.training.state import Kind, Snapshot


def of_type(events: list[Event], *kinds: type[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, kinds)]


def finished(events: list[Event]) -> Finished:
    last = events[-1]
    assert isinstance(last, Finished)
    return last


def test_a_run_starts_with_its_facts_and_ends_saved() -> None:
    bench = Workbench()
    events = bench.run()
    first = events[0]
    assert isinstance(first, Started)
    assert (first.step, first.max_iters, first.train_tokens) == (0, 20, len(bench.corpus.train))
    assert first.parameters == sum(parameter.numel() for parameter in bench.model.parameters())
    assert finished(events).reason == "completed"
    assert bench.checkpoints["last"][-1].state.step == 20


def test_progress_and_evaluations_come_at_their_intervals() -> None:
    events = Workbench().run()
    assert [event.step for event in of_type(events, Progress)] == list(range(2, 21, 2))
    assert [event.step for event in of_type(events, Evaluated)] == [5, 10, 15, 20]


@pytest.mark.parametrize(("max_iters", "steps"), [(21, [21]), (22, [20, 22]), (40, [20, 40])])
def test_an_evaluation_shortly_before_the_end_is_left_out(max_iters: int, steps: list[int]) -> None:
    events = Workbench(train=dataclasses.replace(TRAIN, max_iters=max_iters, eval_interval=20)).run()
    assert [event.step for event in of_type(events, Evaluated)] == steps


def test_the_model_learns() -> None:
    events = Workbench(train=dataclasses.replace(TRAIN, max_iters=120, eval_interval=40)).run()
    evaluations = [event for event in events if isinstance(event, Evaluated)]
    assert evaluations[0].val_loss > evaluations[-1].val_loss
    assert evaluations[-1].val_loss < 2.0 < math.log(27)


def test_equal_seeds_give_equal_logs_and_weights() -> None:
    one, other = Workbench(), Workbench()
    assert learning_log(one.run()) == learning_log(other.run())
    assert same_weights(one.weights, other.weights)


def test_another_seed_gives_another_log() -> None:
    assert learning_log(Workbench().run()) != learning_log(Workbench(train=dataclasses.replace(TRAIN, seed=1)).run())


@pytest.mark.parametrize("stop_at", [2, 5, 6, 10, 14])
def test_a_run_interrupted_and_resumed_equals_one_straight_through(stop_at: int) -> None:
    straight = Workbench()
    whole = learning_log(straight.run())
    first = Workbench()
    before = learning_log(list(first.run_until(stop_at)))
    resumed = Workbench(snapshot=first.checkpoints["last"][-1])
    after = learning_log(resumed.run())
    assert before + after == whole
    assert same_weights(straight.weights, resumed.weights)


def test_a_stop_in_the_middle_of_an_interval_keeps_the_running_mean() -> None:
    """Steps between two progress events are not forgotten by a checkpoint."""
    train = dataclasses.replace(TRAIN, log_interval=7, eval_interval=4)
    whole = learning_log(Workbench(train=train).run())
    first = Workbench(train=train)
    before = learning_log(list(first.run_until(4)))
    after = learning_log(Workbench(snapshot=first.checkpoints["last"][-1]).run())
    assert before + after == whole


def test_accumulating_gradients_over_small_batches_equals_one_large_batch() -> None:
    """With the same windows in the same order and no dropout, up to rounding."""
    model = dataclasses.replace(MODEL, dropout=0.0)
    large = Workbench(model, dataclasses.replace(TRAIN, max_iters=5, batch_size=4))
    small = Workbench(model, dataclasses.replace(TRAIN, max_iters=5, batch_size=2, gradient_accumulation=2))
    large.run()
    small.run()
    for name, tensor in large.weights.items():
        assert torch.allclose(tensor, small.weights[name], atol=2e-4), name


def test_a_stop_request_saves_and_ends() -> None:
    bench = Workbench()
    events = list(bench.run_until(6))
    assert finished(events).reason == "stopped"
    assert finished(events).step == 6
    assert bench.checkpoints["last"][-1].state.step == 6


def test_closing_the_generator_saves_and_stops_the_run() -> None:
    bench = Workbench()
    events = bench.trainer.run()
    while next(events).step < 4:
        pass
    events.close()
    assert bench.checkpoints["last"][-1].state.step == 4


def test_a_paused_run_saves_waits_and_continues() -> None:
    bench = Workbench()
    seen: list[Event] = []
    for event in bench.trainer.run():
        seen.append(event)
        if isinstance(event, Progress) and event.step == 4:
            bench.control.pause()
        if isinstance(event, Paused):
            bench.control.change("learning_rate", 5e-3)
            bench.control.resume()
    assert [event.step for event in of_type(seen, Paused, Resumed)] == [4, 4]
    assert SettingChanged(step=4, setting="learning_rate", value=5e-3) in seen
    assert any(snapshot.state.step == 4 for snapshot in bench.checkpoints["last"])
    assert finished(seen).step == 20


def test_a_stop_while_paused_ends_the_run() -> None:
    bench = Workbench()
    events: list[Event] = []
    for event in bench.trainer.run():
        events.append(event)
        if isinstance(event, Progress):
            bench.control.pause()
        if isinstance(event, Paused):
            bench.control.stop()
    assert finished(events).reason == "stopped"
    assert of_type(events, Resumed) == []


@pytest.mark.parametrize(("setting", "value"), [("n_embd", 3), ("learning_rate", -1.0), ("max_iters", None)])
def test_an_invalid_change_is_not_applied(setting: str, value: float | None) -> None:
    bench = Workbench()
    bench.control.change(setting, value)
    assert of_type(bench.run(), SettingChanged) == []


def test_max_iters_can_be_raised_during_a_run() -> None:
    bench = Workbench()
    bench.control.change("max_iters", 24)
    assert finished(bench.run()).step == 24


def test_a_logged_change_is_repeated_at_its_step() -> None:
    bench = Workbench(planned_changes={10: {"max_iters": 12}})
    events = bench.run()
    assert SettingChanged(step=10, setting="max_iters", value=12) in events
    assert finished(events).step == 12


def test_training_stops_early_without_improvement() -> None:
    worse = Workbench(train=dataclasses.replace(TRAIN, learning_rate=3.0, max_iters=400, patience=2))
    assert finished(worse.run()).reason == "early_stop"


def test_the_best_checkpoint_is_the_one_with_the_lowest_validation_loss() -> None:
    bench = Workbench(train=dataclasses.replace(TRAIN, learning_rate=0.3, max_iters=60))
    evaluations = [event for event in bench.run() if isinstance(event, Evaluated)]
    best = min(evaluations, key=lambda event: event.val_loss)
    assert best.is_best
    assert bench.checkpoints["best"][-1].state.step == best.step
    assert bench.checkpoints["best"][-1].state.best_val_loss == best.val_loss


def test_a_time_budget_becomes_a_number_of_steps_that_ends_in_time() -> None:
    bench = Workbench(train=dataclasses.replace(TRAIN, max_iters=None, max_seconds=20.0), tick=0.05)
    events = bench.run()
    assert finished(events).reason == "time_limit"
    assert 16.0 <= finished(events).elapsed_seconds <= 21.0
    corrected = [event for event in of_type(events, SettingChanged) if isinstance(event, SettingChanged)]
    assert {event.setting for event in corrected} <= {"max_iters"}


def test_a_time_budget_does_not_change_what_is_learned() -> None:
    """A run with a time budget learns what a run of the same number of steps learns."""
    planned, plain = Workbench(train=dataclasses.replace(TRAIN, max_iters=20, max_seconds=1e6)), Workbench()
    planned.run()
    plain.run()
    assert same_weights(planned.weights, plain.weights)


def test_checkpoints_are_saved_every_autosave_seconds() -> None:
    """Sixty steps without an evaluation, a save at least every second of the clock's."""
    train = dataclasses.replace(TRAIN, max_iters=60, eval_interval=1000, autosave_seconds=1.0)
    bench = Workbench(train=train, tick=0.05)
    saved = [event.step for event in of_type(bench.run(), Saved)]
    assert len(saved) > 2
    assert saved[0] < 60


def test_a_sample_is_written_at_its_interval() -> None:
    events = Workbench(train=dataclasses.replace(TRAIN, sample_interval=10)).run()
    assert [event.step for event in of_type(events, Sampled)] == [10, 20]


def test_a_single_nan_step_is_skipped_and_reported() -> None:
    bench = Workbench()
    spoil_gradients(bench, {3})
    events = bench.run()
    assert StepSkipped(step=4) in events
    assert finished(events).reason == "completed"
    assert all(torch.isfinite(tensor).all() for tensor in bench.weights.values())


@pytest.mark.parametrize("first", [7, 2])
def test_a_second_nan_rolls_back_to_the_newest_evaluation_at_half_the_rate(first: int) -> None:
    """In a row or not; the trainer's state is then that of the evaluation, to the bit."""
    bench = Workbench()
    spoil_gradients(bench, {first, 8})
    events = []
    for event in bench.trainer.run():
        events.append(event)
        if isinstance(event, RolledBack):
            weights, training = bench.weights, bench.trainer._snapshot().training
    at_five = bench.checkpoints["best"][0]
    assert at_five.state.step == 5
    assert same_weights(weights, at_five.weights)
    assert same_weights(training, at_five.training)
    assert RolledBack(step=9, to_step=5) in events
    assert SettingChanged(step=9, setting="learning_rate", value=5e-3, origin="trainer") in events
    assert finished(events).reason == "completed"


def test_a_second_nan_before_any_evaluation_rolls_back_to_the_start() -> None:
    bench = Workbench()
    weights = bench.weights
    spoil_gradients(bench, {1, 2})
    for event in bench.trainer.run():
        if isinstance(event, RolledBack):
            assert event.to_step == 0
            assert same_weights(bench.weights, weights)
            return
    pytest.fail("it never went back")


@pytest.mark.parametrize("spoilt", [{7, 8, 9}, {2, 8, 13}, set(range(7, 100))])
def test_a_third_nan_ends_the_run_with_the_last_good_checkpoint_kept(spoilt: set[int]) -> None:
    bench = Workbench()
    spoil_gradients(bench, spoilt)
    with pytest.raises(DivergedError, match=r"third time, at step \d+: .* lower --learning-rate"):
        bench.run()
    kept = bench.checkpoints["last"][-1]
    assert kept.state.step in (5, 10)
    assert all(torch.isfinite(tensor).all() for tensor in kept.weights.values())


def test_a_learning_rate_of_the_user_resets_the_count_of_bad_steps() -> None:
    bench = Workbench(planned_changes={10: {"learning_rate": 1e-3}})
    spoil_gradients(bench, {2, 8, 13, 14})
    assert finished(bench.run()).reason == "completed"


@pytest.mark.parametrize("autosave_seconds", [1.0, 3600.0])
def test_the_roll_back_point_does_not_depend_on_the_clock(autosave_seconds: float) -> None:
    bench = Workbench(
        train=dataclasses.replace(TRAIN, autosave_seconds=autosave_seconds, max_iters=90, eval_interval=40), tick=0.05
    )
    spoil_gradients(bench, {72, 73})
    events = bench.run()
    assert RolledBack(step=74, to_step=40) in events
    saved = {event.step for event in events if isinstance(event, Saved)}
    assert bool(saved & set(range(41, 73))) == (autosave_seconds == 1.0)


def test_a_checkpoint_after_a_roll_back_holds_the_snapshot_it_returned_to_unchanged() -> None:
    """The optimizers continue with copies."""
    bench = Workbench(train=dataclasses.replace(TRAIN, max_iters=24, eval_interval=10))
    spoil_gradients(bench, {12, 13})
    at_ten: list[dict[str, torch.Tensor]] = []
    for event in bench.trainer.run():
        if isinstance(event, Evaluated) and bench.guard._good is not None:
            at_ten.append({name: tensor.clone() for name, tensor in bench.guard._good.training.items()})
        if event.step >= 17:
            bench.control.stop()
    good = bench.checkpoints["last"][-1].good
    assert good is not None
    assert good.state.step == 10
    assert same_weights(good.training, at_ten[0])


def spoil_gradients(bench: Workbench, steps: set[int]) -> None:
    """Make the gradient NaN in some steps, counted by forward passes in training."""
    passes = {"made": -1}
    parameter = next(iter(bench.model.parameters()))

    def count(*_: object) -> None:
        passes["made"] += bench.model.training and torch.is_grad_enabled()

    def spoil(gradient: torch.Tensor) -> torch.Tensor:
        return gradient * math.nan if passes["made"] in steps else gradient

    bench.model.register_forward_hook(count)
    parameter.register_hook(spoil)  # type: ignore[no-untyped-call]  # torch leaves it unannotated


def test_a_failing_disk_is_reported_training_continues_and_the_run_fails_at_its_end() -> None:
    bench = Workbench()

    def refuse(_kind: Kind, _snapshot: Snapshot) -> Path:
        raise StorageError("the disk is full: free some space")

    events: list[Event] = []
    bench.commit = refuse
    with pytest.raises(StorageError, match="full"):
        events.extend(bench.trainer.run())
    assert any(isinstance(event, StorageProblem) for event in events)
    assert finished(events).step == 20


def test_a_recovered_disk_is_reported() -> None:
    bench = Workbench()
    attempts = {"made": 0}

    def refuse_once(_kind: Kind, _snapshot: Snapshot) -> Path:
        attempts["made"] += 1
        if attempts["made"] == 1:
            raise StorageError("the disk is full")
        return Path("last")

    bench.commit = refuse_once
    events = bench.run()
    problem, recovered = (event for event in events if isinstance(event, StorageProblem | StorageRecovered))
    assert isinstance(problem, StorageProblem)
    assert problem.problem == "the disk is full"
    assert isinstance(recovered, StorageRecovered)


def test_live_weights_are_a_copy_and_do_not_affect_the_run() -> None:
    quiet = learning_log(Workbench().run())
    bench = Workbench()
    answers: list[Future[Any]] = []
    events: list[Event] = []
    for event in bench.trainer.run():
        events.append(event)
        if event.step == 6 and not answers:
            answers.append(bench.control.request_weights())
    live = answers[0].result(timeout=0)
    assert isinstance(live, LiveWeights)
    assert 6 <= live.step <= 7
    assert not same_weights(tensors_of(live.weights), bench.weights)
    assert learning_log(events) == quiet


def test_a_request_for_weights_after_the_end_is_refused() -> None:
    bench = Workbench()
    run = bench.trainer.run()
    for event in run:
        if isinstance(event, Finished):
            late = bench.control.request_weights()
    assert late.cancelled()


def test_time_while_the_process_is_suspended_does_not_count() -> None:
    bench = Workbench()
    for event in bench.trainer.run():
        if isinstance(event, Started):
            bench.control.exclude_seconds(1e6)
        if isinstance(event, Finished):
            assert event.elapsed_seconds < 0


def test_a_config_with_both_limits_ends_at_the_nearer_one() -> None:
    train = TrainConfig(**{**dataclasses.asdict(TRAIN), "max_iters": 3, "max_seconds": 1e6})
    assert finished(Workbench(train=train).run()).reason == "completed"


def test_several_changes_are_applied_together_in_any_order() -> None:
    """`max_seconds` alone could not go: the run would have no end."""
    bench = Workbench(train=dataclasses.replace(TRAIN, max_iters=None, max_seconds=1e6))
    bench.control.change("max_seconds", None)
    bench.control.change("max_iters", 6)
    events = bench.run()
    assert of_type(events, ChangeRefused) == []
    assert (finished(events).step, finished(events).reason) == (6, "completed")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"learning_rate": 50.0}, "learning_rate is 50"),
        ({"n_embd": 3}, "n_embd cannot change during a run"),
        ({"learning_rate": 1e-3, "max_iters": 2}, "max_iters is 2 and 6 steps are done"),
        ({"max_iters": None}, "the run has no end"),
    ],
)
def test_an_impossible_change_is_refused_completely_and_reported(changes: dict[str, Any], words: str) -> None:
    bench = Workbench()
    events = []
    for event in bench.trainer.run():
        events.append(event)
        if isinstance(event, Progress) and event.step == 6:
            bench.control.change_all(changes)
    assert of_type(events, SettingChanged) == []
    refused = [event for event in events if isinstance(event, ChangeRefused)]
    assert {event.setting for event in refused} == set(changes)
    assert all(words in event.reason for event in refused)
    assert finished(events).step == 20


def test_an_interval_without_a_good_step_reports_no_loss() -> None:
    """It would be a loss of 0, the best there is."""
    bench = Workbench(train=dataclasses.replace(TRAIN, log_interval=1))
    spoil_gradients(bench, {3})
    steps = [event.step for event in bench.run() if isinstance(event, Progress)]
    assert steps == [1, 2, 3, *range(5, 21)]


def test_a_run_past_its_lowered_max_iters_is_completed_and_not_out_of_time() -> None:
    first = Workbench()
    list(first.run_until(10))
    snapshot = first.checkpoints["last"][-1]
    shorter = Workbench(snapshot=snapshot, planned_changes={10: {"max_iters": 10}})
    assert finished(shorter.run()).reason == "completed"


def test_the_first_loss_after_a_resume_is_that_of_the_interrupted_run() -> None:
    first = Workbench()
    list(first.run_until(6))
    snapshot = first.checkpoints["last"][-1]
    assert of_type(Workbench(snapshot=snapshot).run(), ResumeDiffers) == []


def test_a_different_first_loss_after_a_resume_is_reported_and_training_continues() -> None:
    first = Workbench()
    list(first.run_until(6))
    snapshot = first.checkpoints["last"][-1]
    weights = {name: tensor.clone() for name, tensor in snapshot.weights.items()}
    next(tensor for tensor in weights.values() if tensor.is_floating_point()).add_(0.01)
    events = Workbench(snapshot=dataclasses.replace(snapshot, weights=weights)).run()
    (differs,) = [event for event in events if isinstance(event, ResumeDiffers)]
    assert differs.step == 6
    assert differs.expected_loss == snapshot.state.next_loss != differs.loss
    assert finished(events).step == 20


def test_a_checkpoint_is_written_even_if_the_next_loss_is_not_finite() -> None:
    bench = Workbench()
    bench.parts.replicas.loss = lambda batch: math.nan  # type: ignore[method-assign]
    bench.run()
    assert bench.checkpoints["last"][-1].state.next_loss is None


def test_a_run_from_another_model_is_saved_before_its_first_event() -> None:
    bench = Workbench()
    bench.trainer._initialized = Initialized(step=0, source="other", new_characters="")
    next(bench.trainer.run())
    assert bench.checkpoints["last"][0].state.step == 0
