"""A run with a time budget, on a simulated clock: its plan, its evaluations, and its end."""

import dataclasses
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.training.workbench import MODEL, TRAIN, Workbench
from tui_gpt.errors import StorageError
from tui_gpt.events import Evaluated, Finished, Paused, Progress, Sampled, SettingChanged
from tui_gpt.training.budget.time_budget import ESTIMATE
from tui_gpt.training.evaluation.loss import Measured
from tui_gpt.training.live_weights import LiveWeights
from tui_gpt.training.state import Kind, Snapshot

SMALL = dataclasses.replace(MODEL, n_layer=1)
timed_workbench = partial(Workbench, SMALL, tick=0.04)
"""On a clock on which a step takes a few tenths of a second, so that a budget holds few steps."""
TIMED = dataclasses.replace(TRAIN, max_iters=None, max_seconds=20.0)


def evaluations(bench: Workbench) -> list[Evaluated]:
    return [event for event in bench.run() if isinstance(event, Evaluated)]


def small_estimates(bench: Workbench, tokens: int = 64) -> None:
    """Estimate on a part of the split, as on a slow machine."""
    bench.state.estimate_tokens = tokens


def test_a_budget_has_at_least_eight_evaluations_and_ends_within_it() -> None:
    bench = timed_workbench(train=TIMED)
    events = bench.run()
    assert sum(isinstance(event, Evaluated) for event in events) >= 8
    last = events[-1]
    assert isinstance(last, Finished)
    assert 0.85 * 20.0 <= last.elapsed_seconds <= 1.05 * 20.0


def test_evaluations_before_the_last_are_marked_as_estimates() -> None:
    bench = timed_workbench(train=TIMED)
    small_estimates(bench)
    found = evaluations(bench)
    assert [(event.is_estimate, event.val_tokens) for event in found[:8]] == [(True, 64)] * 8
    assert found[-1].val_tokens > 64


def test_checkpoints_and_live_weights_say_whether_their_loss_is_an_estimate() -> None:
    bench = timed_workbench(train=TIMED)
    small_estimates(bench)
    live: list[Future[LiveWeights]] = []
    for event in bench.trainer.run():
        if isinstance(event, Evaluated) and event.is_estimate and not live:
            live.append(bench.control.request_weights())
    assert live[0].result().val_is_estimate
    states = [snapshot.state for snapshot in bench.checkpoints["last"]]
    assert {state.record_tokens for state in states} == {bench.parts.batches.record_tokens}
    assert any(0 < state.val_tokens < state.record_tokens for state in states)


def test_the_last_evaluation_measures_what_the_time_allows() -> None:
    bench = timed_workbench(train=TIMED)
    small_estimates(bench)
    bench.costs.save = 19.0  # so that next to nothing is left
    last = evaluations(bench)[-1]
    assert last.is_estimate
    assert 64 < last.val_tokens < len(bench.corpus.val) - 1


def fall_apart(bench: Workbench) -> None:
    """Let the first estimate be the best; at the end the last model loses 2.5 and the first one 1.5."""
    estimates, at_the_end = iter([1.0, 2.0, *[3.0] * 1_000]), iter([2.5, 1.5])
    small_estimates(bench)

    def scripted(tokens: int, is_enough: object = None) -> Measured:
        return Measured(next(estimates if tokens == 64 else at_the_end), tokens)

    bench.meter.validation = scripted  # type: ignore[method-assign]


def test_the_best_checkpoint_is_measured_again_where_the_last_one_is_worse() -> None:
    """What is called best has the loss of record, and the newest event with is_best is the best model's."""
    bench = timed_workbench(train=dataclasses.replace(TIMED, max_seconds=8.0))
    fall_apart(bench)
    events = bench.run()
    best = [event for event in events if isinstance(event, Evaluated) and event.is_best][-1]
    last = [event for event in events if isinstance(event, Evaluated)][-2]
    assert (best.val_loss, best.is_estimate, best.step < last.step) == (1.5, False, True)
    assert (last.val_loss, last.is_best) == (2.5, False)
    end = events[-1]
    assert isinstance(end, Finished)
    assert (end.best_val_loss, end.best_is_estimate) == (1.5, False)
    assert bench.checkpoints["best"][-1].state.best_val_loss == 1.5
    assert bench.checkpoints["best"][-1].state.step == best.step


def test_a_slow_run_reports_and_samples_more_often_than_its_intervals() -> None:
    bench = timed_workbench(train=dataclasses.replace(TIMED, log_interval=1_000, sample_interval=1_000))
    events = bench.run()
    assert sum(isinstance(event, Progress) for event in events) >= 20
    assert sum(isinstance(event, Sampled) for event in events) >= 3


def test_corrections_by_the_clock_have_the_origin_plan() -> None:
    changes = [event for event in timed_workbench(train=TIMED).run() if isinstance(event, SettingChanged)]
    assert {(event.setting, event.origin) for event in changes} == {("max_iters", "plan")}


def test_a_budget_set_during_a_run_counts_from_then() -> None:
    bench = timed_workbench(train=dataclasses.replace(TRAIN, max_iters=100_000))
    for event in bench.trainer.run():
        last = event
        if isinstance(event, Progress) and event.step == 40:
            bench.control.change_all({"max_iters": None, "max_seconds": 5.0})
            changed_at = event.elapsed_seconds
    assert isinstance(last, Finished)
    assert last.reason == "time_limit"
    assert 3.0 <= last.elapsed_seconds - changed_at <= 5.5


def stopped_at(step: int, **train: Any) -> Snapshot:
    """Return the last checkpoint of a run that was stopped there."""
    bench = timed_workbench(train=dataclasses.replace(TRAIN, max_iters=100_000, **train))
    list(bench.run_until(step))
    return bench.checkpoints["last"][-1]


def test_a_run_resumed_with_a_new_budget_follows_it_from_the_first_step() -> None:
    """Its plan, its estimates and its learning rate are those of the new budget."""
    snapshot = stopped_at(130)
    began = snapshot.state.elapsed_seconds
    changes = {"max_iters": None, "max_seconds": 6.0}
    bench = timed_workbench(snapshot=snapshot, resume_changes=changes, follows_clock=True)
    events = bench.run()
    logged = [(event.setting, event.origin) for event in events if isinstance(event, SettingChanged)]
    assert logged[:4] == [("max_iters", "user"), ("max_seconds", "user"), ("max_iters", "plan"), (ESTIMATE, "plan")]
    assert isinstance(events[-1], Finished)
    assert 4.0 <= events[-1].elapsed_seconds - began <= 6.5
    assert sum(isinstance(event, Evaluated) for event in events) >= 8


def test_the_best_model_stays_comparable_when_a_run_gets_a_budget_or_loses_it() -> None:
    snapshot = stopped_at(130)
    bench = timed_workbench(
        snapshot=snapshot, resume_changes={"max_iters": None, "max_seconds": 6.0}, follows_clock=True
    )
    small_estimates(bench, 48)
    with_budget = [event for event in bench.run() if isinstance(event, Evaluated)]
    assert any(event.is_best and event.val_tokens == 48 for event in with_budget)
    cut = timed_workbench(train=TIMED)
    small_estimates(cut)
    for event in cut.trainer.run():
        if isinstance(event, Evaluated) and event.step > 50:
            cut.control.stop()
    last = cut.checkpoints["last"][-1]
    longer = timed_workbench(snapshot=last, resume_changes={"max_iters": last.state.step + 300, "max_seconds": None})
    longer.checkpoints["best"].append(cut.checkpoints["best"][-1])
    longer.state.max_iters = last.state.step + 300
    without = [event for event in longer.run() if isinstance(event, Evaluated)]
    assert not any(event.is_estimate for event in without)
    assert any(event.is_best for event in without)


def test_a_budget_set_during_a_pause_does_not_count_the_pause() -> None:
    bench = timed_workbench(train=dataclasses.replace(TRAIN, max_iters=100_000))
    for event in bench.trainer.run():
        last = event
        if isinstance(event, Progress) and event.step == 40:
            bench.control.pause()
        if isinstance(event, Paused):
            paused_at = bench.seconds()
            bench.clock.seconds += 100.0
            bench.control.change_all({"max_iters": None, "max_seconds": 5.0})
        if isinstance(event, SettingChanged) and event.setting == ESTIMATE:
            bench.clock.seconds += 100.0
            bench.control.resume()
    assert isinstance(last, Finished)
    assert 3.0 <= last.elapsed_seconds - paused_at <= 6.0


def test_a_spent_budget_makes_no_further_step() -> None:
    bench = timed_workbench(train=TIMED)
    for event in bench.trainer.run():
        last = event
        if isinstance(event, Progress) and event.step == 20:
            bench.clock.seconds += 30.0
            late = bench.state.step
    assert last.step <= late + 5  # the clock is looked at every few steps


def test_an_estimate_at_the_end_is_corrected_like_those_before_it() -> None:
    bench = timed_workbench(train=TIMED)
    small_estimates(bench)
    bench.costs.save = 19.0  # so that the last evaluation is cut
    bench.meter._corrections = dict.fromkeys(range(300), 5.0)
    assert all(event.val_loss > 5.0 for event in evaluations(bench) if event.is_estimate)


def test_a_best_model_that_could_not_be_written_is_still_the_best_at_the_end() -> None:
    bench = timed_workbench(train=dataclasses.replace(TIMED, max_seconds=8.0))
    fall_apart(bench)

    def refuse_best(kind: Kind, snapshot: Snapshot) -> Path:
        if kind == "best":
            raise StorageError("the disk is full")
        return bench.keep(kind, snapshot)

    bench.commit = refuse_best
    with pytest.raises(StorageError, match="full"):
        bench.run()
    measured = bench.trainer._checkpoints._best
    assert measured is not None
    assert measured.state.best_val_loss == 1.5


def test_the_training_loss_of_a_short_evaluation_is_comparable_to_its_validation_loss() -> None:
    evaluated = next(event for event in timed_workbench(train=TIMED).run() if isinstance(event, Evaluated))
    assert evaluated.train_loss == pytest.approx(evaluated.val_loss, abs=1.0)
