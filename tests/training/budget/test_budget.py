"""A run with a time budget: what is measured on the way and at the end, on a clock made of numbers."""

import dataclasses
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.workbench import TRAIN, Workbench
from tui_gpt.config import RunConfig, resolve
from tui_gpt.control import Control
from tui_gpt.errors import ConfigError, StorageError
from tui_gpt.events import Evaluated, Finished, Paused, Progress, Sampled, SettingChanged
from tui_gpt.text.corpora import CorpusText
from tui_gpt.text.dataset import Corpus
from tui_gpt.training.budget.calibration import time_step
from tui_gpt.training.budget.estimate import FEWEST_STEPS, planned
from tui_gpt.training.budget.memory import (
    LIMIT_BYTES,
    members_that_fit,
    require_memory,
    training_bytes,
    windows_per_pass,
)
from tui_gpt.training.device import ComputeDevice
from tui_gpt.training.evaluation import Measured
from tui_gpt.training.trainer import ESTIMATE, Kind, LiveWeights, Snapshot

TIMED = dataclasses.replace(TRAIN, max_iters=None, max_seconds=20.0)
CPU = ComputeDevice(torch.device("cpu"), cores=2)


def evaluations(bench: Workbench) -> list[Evaluated]:
    return [event for event in bench.run() if isinstance(event, Evaluated)]


def small_estimates(bench: Workbench, tokens: int = 64) -> None:
    """As a slow machine would: estimates on a part of the split."""
    bench.trainer._now.estimate_tokens = tokens


def test_a_budget_has_at_least_eight_evaluations_and_ends_within_it() -> None:
    bench = Workbench(train=TIMED)
    events = bench.run()
    assert sum(isinstance(event, Evaluated) for event in events) >= 8
    last = events[-1]
    assert isinstance(last, Finished)
    assert 0.85 * 20.0 <= last.elapsed_seconds <= 1.05 * 20.0


def test_evaluations_before_the_last_are_estimates_and_say_so() -> None:
    bench = Workbench(train=TIMED)
    small_estimates(bench)
    found = evaluations(bench)
    assert [(event.is_estimate, event.val_tokens) for event in found[:8]] == [(True, 64)] * 8
    assert found[-1].val_tokens > 64


def test_checkpoints_and_live_weights_say_whether_their_loss_is_an_estimate() -> None:
    bench = Workbench(train=TIMED)
    small_estimates(bench)
    live: list[Future[LiveWeights]] = []
    for event in bench.trainer.run():
        if isinstance(event, Evaluated) and event.is_estimate and not live:
            live.append(bench.control.ask_weights())
    assert live[0].result().val_is_estimate
    standings = [snapshot.standing for snapshot in bench.checkpoints["last"]]
    assert {standing.record_tokens for standing in standings} == {bench.parts.batches.record_tokens}
    assert any(0 < standing.val_tokens < standing.record_tokens for standing in standings)


def test_the_last_evaluation_measures_what_the_time_allows() -> None:
    bench = Workbench(train=TIMED)
    small_estimates(bench)
    bench.trainer._costs.save = 19.0  # so that next to nothing is left
    last = evaluations(bench)[-1]
    assert last.is_estimate
    assert 64 < last.val_tokens < len(bench.corpus.val) - 1


def fall_apart(bench: Workbench) -> None:
    """Let the first estimate be the best; at the end the last model loses 2.5 and the first one 1.5."""
    estimates, at_the_end = iter([1.0, 2.0, *[3.0] * 1_000]), iter([2.5, 1.5])
    small_estimates(bench)

    def scripted(tokens: int, is_enough: object = None) -> Measured:
        return Measured(next(estimates if tokens == 64 else at_the_end), tokens)

    bench.trainer._measure_validation = scripted  # type: ignore[method-assign]


def test_the_best_checkpoint_is_measured_again_where_the_last_one_is_worse() -> None:
    """What is called best has the loss of record, and the newest event with is_best is the best model's."""
    bench = Workbench(train=dataclasses.replace(TIMED, max_seconds=8.0))
    fall_apart(bench)
    events = bench.run()
    best = [event for event in events if isinstance(event, Evaluated) and event.is_best][-1]
    last = [event for event in events if isinstance(event, Evaluated)][-2]
    assert (best.val_loss, best.is_estimate, best.step < last.step) == (1.5, False, True)
    assert (last.val_loss, last.is_best) == (2.5, False)
    end = events[-1]
    assert isinstance(end, Finished)
    assert (end.best_val_loss, end.best_is_estimate) == (1.5, False)
    assert bench.checkpoints["best"][-1].standing.best_val_loss == 1.5
    assert bench.checkpoints["best"][-1].standing.step == best.step


def test_a_slow_run_reports_and_samples_more_often_than_its_intervals() -> None:
    bench = Workbench(train=dataclasses.replace(TIMED, log_interval=1_000, sample_interval=1_000))
    events = bench.run()
    assert sum(isinstance(event, Progress) for event in events) >= 20
    assert sum(isinstance(event, Sampled) for event in events) >= 3


def test_corrections_by_the_clock_are_logged_as_the_plan_s() -> None:
    changes = [event for event in Workbench(train=TIMED).run() if isinstance(event, SettingChanged)]
    assert {(event.setting, event.origin) for event in changes} == {("max_iters", "plan")}


def test_a_budget_set_during_a_run_counts_from_then() -> None:
    bench = Workbench(train=dataclasses.replace(TRAIN, max_iters=100_000))
    for event in bench.trainer.run():
        last = event
        if isinstance(event, Progress) and event.step == 40:
            bench.control.change_all({"max_iters": None, "max_seconds": 5.0})
            changed_at = event.elapsed_seconds
    assert isinstance(last, Finished)
    assert last.reason == "time_limit"
    assert 3.0 <= last.elapsed_seconds - changed_at <= 5.5


def stopped_at(step: int, **train: Any) -> Snapshot:
    """The last checkpoint of a run that was stopped there."""
    bench = Workbench(train=dataclasses.replace(TRAIN, max_iters=100_000, **train))
    list(bench.run_until(step))
    return bench.checkpoints["last"][-1]


def test_a_run_resumed_with_a_new_budget_keeps_to_it_from_the_first_step() -> None:
    """Its plan, its estimates and its learning rate are those of the new budget."""
    snapshot = stopped_at(130)
    began = snapshot.standing.elapsed_seconds
    changes = {"max_iters": None, "max_seconds": 6.0}
    bench = Workbench(snapshot=snapshot, resume_changes=changes, follows_clock=True)
    events = bench.run()
    logged = [(event.setting, event.origin) for event in events if isinstance(event, SettingChanged)]
    assert logged[:4] == [("max_iters", "user"), ("max_seconds", "user"), ("max_iters", "plan"), (ESTIMATE, "plan")]
    assert isinstance(events[-1], Finished)
    assert 4.0 <= events[-1].elapsed_seconds - began <= 6.5
    assert sum(isinstance(event, Evaluated) for event in events) >= 8


def test_the_best_model_stays_comparable_when_a_run_gets_a_budget_or_loses_it() -> None:
    snapshot = stopped_at(130)
    bench = Workbench(snapshot=snapshot, resume_changes={"max_iters": None, "max_seconds": 6.0}, follows_clock=True)
    small_estimates(bench, 48)
    with_budget = [event for event in bench.run() if isinstance(event, Evaluated)]
    assert any(event.is_best and event.val_tokens == 48 for event in with_budget)
    cut = Workbench(train=TIMED)
    small_estimates(cut)
    for event in cut.trainer.run():
        if isinstance(event, Evaluated) and event.step > 50:
            cut.control.stop()
    last = cut.checkpoints["last"][-1]
    longer = Workbench(snapshot=last, resume_changes={"max_iters": last.standing.step + 300, "max_seconds": None})
    longer.checkpoints["best"].append(cut.checkpoints["best"][-1])
    longer.trainer._now.max_iters = last.standing.step + 300
    without = [event for event in longer.run() if isinstance(event, Evaluated)]
    assert not any(event.is_estimate for event in without)
    assert any(event.is_best for event in without)


def test_a_budget_set_during_a_pause_does_not_count_the_pause() -> None:
    bench = Workbench(train=dataclasses.replace(TRAIN, max_iters=100_000))
    for event in bench.trainer.run():
        last = event
        if isinstance(event, Progress) and event.step == 40:
            bench.control.pause()
        if isinstance(event, Paused):
            paused_at = bench.trainer._clock.seconds()
            bench.clock.seconds += 100.0
            bench.control.change_all({"max_iters": None, "max_seconds": 5.0})
        if isinstance(event, SettingChanged) and event.setting == ESTIMATE:
            bench.clock.seconds += 100.0
            bench.control.resume()
    assert isinstance(last, Finished)
    assert 3.0 <= last.elapsed_seconds - paused_at <= 6.0


def test_a_spent_budget_makes_no_further_step() -> None:
    bench = Workbench(train=TIMED)
    for event in bench.trainer.run():
        last = event
        if isinstance(event, Progress) and event.step == 20:
            bench.clock.seconds += 30.0
            late = bench.trainer._now.step
    assert last.step <= late + 5  # the clock is looked at every few steps


def test_an_estimate_at_the_end_is_corrected_as_those_before_it() -> None:
    bench = Workbench(train=TIMED)
    small_estimates(bench)
    bench.trainer._costs.save = 19.0  # so that the last evaluation is cut
    bench.trainer._difficulties = dict.fromkeys(range(300), 5.0)
    assert all(event.val_loss > 5.0 for event in evaluations(bench) if event.is_estimate)


def test_a_best_model_that_the_disk_refused_is_still_the_best_at_the_end() -> None:
    bench = Workbench(train=dataclasses.replace(TIMED, max_seconds=8.0))
    fall_apart(bench)

    def refuse_best(kind: Kind, snapshot: Snapshot) -> Path:
        if kind == "best":
            raise StorageError("the disk is full")
        return bench._commit(kind, snapshot)

    bench.trainer._parts = dataclasses.replace(bench.parts, commit=refuse_best)
    with pytest.raises(StorageError, match="full"):
        bench.run()
    measured = bench.trainer._best
    assert measured is not None
    assert measured.standing.best_val_loss == 1.5


def test_the_training_sample_is_spread_evenly_however_small_it_is() -> None:
    """The beginning of a text is often a title page."""
    bench = Workbench()
    (one,) = bench.parts.batches.training_sample(1)
    middle = len(bench.corpus.train) // 2
    expected = bench.corpus.train[middle - 8 : middle + 8]
    assert one.inputs[0].tolist() == expected.tolist()
    evaluated = next(event for event in Workbench(train=TIMED).run() if isinstance(event, Evaluated))
    assert evaluated.train_loss == pytest.approx(evaluated.val_loss, abs=1.0)


# Before the start


def text_of(characters: int, alphabet: int = 60) -> Corpus:
    text = "".join(chr(0x4E00 + (k * 7919 + k // 13) % alphabet) for k in range(characters))
    return Corpus.build(CorpusText(name="text", text=text, digest="", source="text"), 16)


def tiny(preset: str = "nano", **settings: object) -> RunConfig:
    shape = {"n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 16, "batch_size": 4, "threads": 2, "device": "cpu"}
    return resolve(preset, "text", **{**shape, **settings})


def test_a_calibration_tries_whole_steps_only_where_there_is_time() -> None:
    """A clock that is a second later at every look makes every pass take a second."""
    ticks = iter(range(1_000))
    config = tiny(batch_size=64)
    found = time_step(config, text_of(3_000), CPU, Control(), 0.5, clock=lambda: float(next(ticks)))
    assert found.seconds == pytest.approx(1.0 * 64 / 2 + 1.0)
    ticks = iter(range(1_000))
    found = time_step(config, text_of(3_000), CPU, Control(), 500.0, clock=lambda: float(next(ticks)))
    assert found.seconds == pytest.approx(2.0)


def test_a_calibration_that_is_stopped_ends_at_once() -> None:
    control = Control()
    control.stop()
    assert time_step(tiny(), text_of(3_000), CPU, control, 1e9).seconds == 1.0


def test_a_budget_that_holds_no_useful_number_of_steps_is_refused_with_one_that_does() -> None:
    config = tiny(max_iters=None, max_seconds=30.0)
    with pytest.raises(
        ConfigError, match=r"max_seconds is 30, and not one step fits .* choose --max-seconds \d+"
    ) as refusal:
        planned(config, text_of(3_000), CPU, Control(), lambda: 29.9)
    seconds = float(str(refusal.value).split("--max-seconds ")[1].split()[0].rstrip(","))
    longer = tiny(max_iters=None, max_seconds=seconds)
    assert planned(longer, text_of(3_000), CPU, Control(), lambda: 29.9)[0] == longer


def test_a_few_steps_are_enough_where_a_few_were_asked_for() -> None:
    config = tiny(max_iters=2, max_seconds=30.0)
    assert planned(config, text_of(3_000), CPU, Control(), lambda: 1.0)[0] == config
    assert FEWEST_STEPS > 2


# Memory


@pytest.mark.parametrize("preset", ["quick", "best", "classic", "nano"])
def test_every_preset_fits_into_memory_with_an_ordinary_alphabet(preset: str) -> None:
    require_memory(resolve(preset), 200, replicas=2)


@pytest.mark.parametrize("vocab_size", [8_000, 60_000])
@pytest.mark.parametrize("preset", ["quick", "best", "classic", "nano"])
def test_a_large_alphabet_fits_or_is_refused_with_settings_that_do(preset: str, vocab_size: int) -> None:
    config = resolve(preset)
    try:
        require_memory(config, vocab_size, replicas=2)
    except ConfigError as error:
        words = str(error).split("choose ")[1].split()
        if words[0] == "a":
            return
        names = [word.removeprefix("--").replace("-", "_") for word in words if word.startswith("--")]
        chosen: dict[str, object] = {}
        for name in names:
            after = words[words.index("--" + name.replace("_", "-")) + 1 :]
            chosen[name] = False if name == "no_induction" else after[0] if name == "preset" else int(after[0])
        if "no_induction" in chosen:
            chosen["induction"] = chosen.pop("no_induction")
        require_memory(resolve(**{"preset": preset, **chosen}), vocab_size, replicas=2)  # type: ignore[arg-type]
    else:
        assert training_bytes(config, vocab_size, 2) <= LIMIT_BYTES


def test_an_open_number_of_networks_becomes_one_that_fits() -> None:
    quick = resolve("quick")
    assert members_that_fit(quick, 65, 2, most=8) > members_that_fit(quick, 4_000, 2, most=8) >= 1
    assert windows_per_pass(quick.model, 65, 2) > windows_per_pass(quick.model, 8_000, 2) >= 1
