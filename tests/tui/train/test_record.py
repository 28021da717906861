"""A run as the Train tab shows it."""

import dataclasses

import pytest

from tests.fakes import estimated, evaluated, finished, progress, started, training_script
from tui_gpt.config import RunConfig, resolve
from tui_gpt.events import (
    ChangeRefused,
    CompileFailed,
    Event,
    Initialized,
    MemoryRanOut,
    Paused,
    Resumed,
    ResumeDiffers,
    RolledBack,
    SettingChanged,
    StepSkipped,
)
from tui_gpt.tui.train.record import RunView, loss_words


def record_of(*events: object) -> RunView:
    record = RunView()
    record.apply_all(events)  # type: ignore[arg-type]  # every caller passes events
    return record


def test_a_whole_run_is_replayed() -> None:
    record = RunView.replay("a", RunConfig(), training_script(steps=100, every=1))
    assert record.name == "a"
    assert record.step == record.max_iters == 100
    assert len(record.train) == 100
    assert len(record.evaluations) == len(record.samples) == 10
    assert record.best is not None
    assert record.best.step == 100
    assert record.finished is not None
    assert record.phase == "replayed"


def test_the_phase_follows_the_events() -> None:
    record = RunView()
    phases = []
    for event in (started(10), Paused(step=1), Resumed(step=1), finished(10, 1.5)):
        record.apply(event)
        phases.append(record.phase)
    assert phases == ["running", "paused", "running", "finished"]
    assert not record.is_live


def test_a_resumed_run_drops_what_came_after_its_checkpoint() -> None:
    steps = [progress(step, 2.0) for step in range(1, 6)]
    record = record_of(started(10), *steps, evaluated(2, 2.0), evaluated(5, 1.9))
    record.apply(started(20, step=3))
    assert [point.step for point in record.train] == [1, 2, 3]
    assert [one.step for one in record.evaluations] == [2]
    assert record.best is not None
    assert record.best.step == 2
    assert (record.step, record.max_iters) == (3, 20)


def test_pauses_and_changes_are_marked() -> None:
    changed = SettingChanged(step=2, setting="learning_rate", value=0.0005)
    record = record_of(started(10), Paused(step=1), Resumed(step=1), changed)
    assert [(mark.step, mark.symbol, mark.text) for mark in record.marks] == [
        (1, "‖", "paused"),
        (1, "▸", "continued"),
        (2, "◆", "lr 5e-4"),
    ]


@pytest.mark.parametrize(
    ("event", "symbol", "text"),
    [
        (StepSkipped(step=4), "!", "step skipped (NaN)"),
        (RolledBack(step=4, to_step=1_500), "«", "rolled back to step 1,500"),
        (MemoryRanOut(step=4, windows=8), "!", "passes of 8 windows"),
        (CompileFailed(step=4, problem="no compiler"), "!", "not compiled"),
        (SettingChanged(step=4, setting="learning_rate", value=0.01, origin="trainer"), "◆", "lr 0.01"),
        (SettingChanged(step=4, setting="learning_rate", value=0.00025), "◆", "lr 2.5e-4"),
        (SettingChanged(step=4, setting="max_iters", value=2_000), "◆", "up to step 2,000"),
        (SettingChanged(step=4, setting="max_seconds", value=60.0), "◆", "time budget 60 s"),
        (SettingChanged(step=4, setting="grad_clip", value=0.5), "◆", "grad_clip 0.5"),
        (ChangeRefused(step=4, setting="max_iters", reason="it has made more"), "!", "max_iters not changed"),
        (
            Initialized(step=4, source="shipped", new_characters="äß"),
            "◆",
            "initialized from shipped; new characters: äß",
        ),
        (Initialized(step=4, source="one@best", new_characters=""), "◆", "initialized from one@best"),
        (
            ResumeDiffers(step=4, expected_loss=2.0, loss=2.1),
            "!",
            "loss differs after resuming",
        ),
    ],
)
def test_a_mark_is_readable_without_knowing_the_log(event: Event, symbol: str, text: str) -> None:
    record = record_of(started(10), event)
    assert [(mark.symbol, mark.text) for mark in record.marks] == [(symbol, text)]


@pytest.mark.parametrize(("setting", "value"), [("max_iters", 300), ("max_seconds", None)])
def test_corrections_of_the_time_budget_leave_no_mark(setting: str, value: int | None) -> None:
    assert record_of(SettingChanged(step=2, setting=setting, value=value, origin="plan")).marks == []


def test_the_extent_of_an_evaluation_is_shown() -> None:
    estimate = estimated(100, 1.5)
    record = record_of(started(300), estimate)
    assert record.extent_of(estimate) == "on 8,192 of 111,540 characters"
    assert record.extent_of(evaluated(100, 1.5)) == ""
    assert record.extent_of(dataclasses.replace(evaluated(100, 1.5), val_tokens=100_000)) == (
        "on 100,000 of 111,540 characters"
    )
    assert (loss_words(estimate), loss_words(evaluated(100, 1.5), 4)) == ("~1.500", "1.5000")


def test_only_tinyshakespeare_has_published_losses_to_compare_with() -> None:
    assert len(RunView(config=resolve("quick")).references) == 3
    assert RunView(config=resolve("quick", "my.txt")).references == ()
    assert RunView(config=resolve("quick", val_share=0.2)).references == ()


def test_hints_do_not_look_behind_a_resume() -> None:
    """A resume may come with more steps, and with them the rate rises again."""
    change = SettingChanged(step=80, setting="learning_rate", value=0.1, origin="user")
    later = dataclasses.replace(started(200), step=60)
    assert record_of(started(), progress(80), change).rate_changed_at == 80
    assert record_of(started(), progress(80), change, later).rate_changed_at == 60
    assert record_of(started(), SettingChanged(step=90, setting="max_iters", value=500)).rate_changed_at == 90
