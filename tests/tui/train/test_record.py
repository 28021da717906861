"""A run as far as its events tell."""

import dataclasses

import pytest

from tests.tui.fakes import estimated, evaluated, finished, progress, started, training_script
from tui_gpt.config import RunConfig, resolve
from tui_gpt.events import (
    ChangeRefused,
    CompileFailed,
    Event,
    Initialized,
    Paused,
    Resumed,
    ResumeDiffers,
    RolledBack,
    Sampled,
    SettingChanged,
    StepSkipped,
    StorageProblem,
    StorageRecovered,
)
from tui_gpt.tui.train.record import RunRecord, loss_words


def record_of(*events: object) -> RunRecord:
    record = RunRecord()
    record.apply_all(events)  # type: ignore[arg-type]  # every caller passes events
    return record


def test_a_whole_run_is_gathered() -> None:
    record = RunRecord.replay("a", RunConfig(), training_script(steps=100, every=1))
    assert record.name == "a"
    assert record.step == record.max_iters == 100
    assert len(record.train) == 100
    assert len(record.evaluations) == len(record.samples) == 10
    assert record.best is not None
    assert record.best.step == 100
    assert record.finished is not None
    assert record.phase == "replayed"


def test_the_phase_follows_the_events() -> None:
    record = RunRecord()
    phases = []
    for event in (started(10), Paused(step=1), Resumed(step=1), finished(10, 1.5)):
        record.apply(event)
        phases.append(record.phase)
    assert phases == ["running", "paused", "running", "finished"]
    assert not record.is_live


def test_a_resumed_run_forgets_what_came_after_its_checkpoint() -> None:
    steps = [progress(step, 2.0) for step in range(1, 6)]
    record = record_of(started(10), *steps, evaluated(2, 2.0), evaluated(5, 1.9))
    record.apply(started(20, step=3))
    assert [point.step for point in record.train] == [1, 2, 3]
    assert [one.step for one in record.evaluations] == [2]
    assert record.best is not None
    assert record.best.step == 2
    assert (record.step, record.max_iters) == (3, 20)


def test_pauses_and_changes_leave_marks() -> None:
    changed = SettingChanged(step=2, setting="learning_rate", value=0.0005)
    record = record_of(started(10), Paused(step=1), Resumed(step=1), changed)
    assert [(mark.step, mark.sign, mark.text) for mark in record.marks] == [
        (1, "‖", "paused"),
        (1, "▸", "resumed"),
        (2, "◆", "lr 5e-4"),
    ]


@pytest.mark.parametrize(
    ("event", "sign", "text"),
    [
        (StepSkipped(step=4), "!", "step skipped (NaN)"),
        (RolledBack(step=4, to_step=1_500), "!", "rolled back to step 1,500"),
        (CompileFailed(step=4, problem="no compiler"), "!", "not compiled"),
        (SettingChanged(step=4, setting="learning_rate", value=0.01, origin="trainer"), "◆", "lr 0.01"),
        (SettingChanged(step=4, setting="learning_rate", value=0.00025), "◆", "lr 2.5e-4"),
        (SettingChanged(step=4, setting="max_iters", value=2_000), "◆", "up to step 2,000"),
        (SettingChanged(step=4, setting="max_seconds", value=60.0), "◆", "time budget 60 s"),
        (SettingChanged(step=4, setting="grad_clip", value=0.5), "◆", "grad_clip 0.5"),
        (ChangeRefused(step=4, setting="max_iters", reason="it has made more"), "!", "max_iters not changed"),
        (Initialized(step=4, source="shipped", new_characters="äß"), "◆", "started from shipped; new characters: äß"),
        (Initialized(step=4, source="one@best", new_characters=""), "◆", "started from one@best"),
        (
            ResumeDiffers(step=4, expected_loss=2.0, loss=2.1),
            "!",
            "computed differently than before the interruption",
        ),
    ],
)
def test_what_happened_can_be_read_without_knowing_the_log(event: Event, sign: str, text: str) -> None:
    record = record_of(started(10), event)
    assert [(mark.sign, mark.text) for mark in record.marks] == [(sign, text)]


@pytest.mark.parametrize(("setting", "value"), [("max_iters", 300), ("max_seconds", None)])
def test_what_the_time_budget_corrects_leaves_no_mark(setting: str, value: int | None) -> None:
    assert record_of(SettingChanged(step=2, setting=setting, value=value, origin="plan")).marks == []


def test_the_peak_rate_is_the_newest_one() -> None:
    record = record_of(started(10), SettingChanged(step=2, setting="learning_rate", value=0.5))
    assert record.learning_rate == 0.5


def test_evaluations_are_in_the_order_of_their_steps_and_the_newest_best_holds_the_figure() -> None:
    """At the end the best model, of an earlier step, is measured again on the whole."""
    record = record_of(
        started(300), estimated(100, 1.5), estimated(200, 1.4), estimated(300, 1.6, is_best=False), evaluated(200, 1.45)
    )
    assert [(one.step, one.val_loss, one.is_estimate) for one in record.evaluations] == [
        (100, 1.5, True),
        (200, 1.45, False),
        (300, 1.6, True),
    ]
    assert record.best is not None
    assert (record.best.val_loss, record.best.is_estimate) == (1.45, False)
    assert record.step == 300


def test_an_estimate_never_takes_the_place_of_the_loss_of_record() -> None:
    record = record_of(evaluated(100, 1.5), estimated(100, 1.4))
    assert [one.val_loss for one in record.evaluations] == [1.5]


def test_a_resumed_run_has_the_best_of_before_its_checkpoint() -> None:
    record = record_of(estimated(100, 1.5), estimated(200, 1.4), evaluated(100, 1.55), started(300, step=150))
    assert record.best is not None
    assert (record.best.step, record.best.val_loss) == (100, 1.55)


def test_an_evaluation_says_on_how_much_it_was_made() -> None:
    estimate = estimated(100, 1.5)
    record = record_of(started(300), estimate)
    assert record.extent_of(estimate) == "on 8,192 of 111,540 characters"
    assert record.extent_of(evaluated(100, 1.5)) == ""
    assert record.extent_of(dataclasses.replace(evaluated(100, 1.5), val_tokens=100_000)) == (
        "on 100,000 of 111,540 characters"
    )
    assert (loss_words(estimate), loss_words(evaluated(100, 1.5), 4)) == ("~1.500", "1.5000")


def test_a_corrected_number_of_steps_moves_the_end() -> None:
    record = record_of(started(10), SettingChanged(step=2, setting="max_iters", value=30, origin="plan"))
    assert record.max_iters == 30


def test_a_storage_problem_is_a_warning_until_it_is_solved() -> None:
    record = record_of(started(10), StorageProblem(step=2, problem="the disk is full"))
    assert record.warning == "the disk is full"
    record.apply(StorageRecovered(step=3))
    assert record.warning is None


def test_samples_are_looked_up_by_step() -> None:
    record = record_of(*(Sampled(step=step, prompt="", text=str(step)) for step in (10, 20)))
    assert [getattr(record.sample_at(step), "step", None) for step in (5, 10, 19, 20, 99)] == [10, 10, 10, 20, 20]
    assert RunRecord().sample_at(5) is None


def test_only_tinyshakespeare_has_published_losses_to_compare_with() -> None:
    assert len(RunRecord(config=resolve("quick")).references) == 3
    assert RunRecord(config=resolve("quick", "my.txt")).references == ()
    assert RunRecord(config=resolve("quick", val_share=0.2)).references == ()
