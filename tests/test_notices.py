"""Events in words."""

import pytest

from tests.fakes import evaluated, finished, progress, started
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
    Saved,
    SettingChanged,
    StepSkipped,
    StorageProblem,
    StorageRecovered,
)
from tui_gpt.notices import notice_of

WARNINGS: list[tuple[Event, str]] = [
    (
        ChangeRefused(step=5, setting="max_iters", reason="it is 9"),
        "max_iters was not changed: it is 9",
    ),
    (StepSkipped(step=1_004), "step 1,004 was skipped: its loss or gradient was not finite"),
    (
        RolledBack(step=1_009, to_step=1_000),
        "step 1,009: the loss or gradient was not finite again, rolled back to step 1,000",
    ),
    (StorageProblem(step=5, problem="the disk is full"), "the disk is full"),
    (
        MemoryRanOut(step=1_200, windows=16),
        "step 1,200: the device's memory ran out; training continues in passes of 16 windows",
    ),
    (
        MemoryRanOut(step=2, windows=1),
        "step 2: the device's memory ran out; training continues in passes of 1 window",
    ),
    (CompileFailed(step=0, problem="no compiler"), "training continues without --compile (no compiler)"),
    (
        ResumeDiffers(step=5, expected_loss=2.5, loss=2.75),
        "the first loss after resuming is 2.750000 instead of 2.500000: this machine or this version computes "
        "differently; training continues",
    ),
]

NOTICES: list[tuple[Event, str]] = [
    (started(40), "training nano: 810 k parameters, 1.00 M characters, 40 steps on cpu"),
    (started(40, step=8), "resuming nano at step 8: 810 k parameters, 1.00 M characters, 40 steps on cpu"),
    (Paused(step=5), "paused at step 5"),
    (Resumed(step=5), "continuing at step 5"),
    (Initialized(step=0, source="shipped", new_characters="äß"), "initialized from shipped; new characters: äß"),
    (SettingChanged(step=20, setting="max_iters", value=1_200), "step 20: max_iters set to 1,200"),
    (SettingChanged(step=20, setting="max_seconds", value=None), "step 20: max_seconds removed"),
]


@pytest.mark.parametrize(("event", "sentence"), WARNINGS, ids=lambda value: getattr(value, "type", ""))
def test_a_problem_is_a_warning_that_silence_does_not_hide(event: Event, sentence: str) -> None:
    notice = notice_of(event)
    assert notice is not None
    assert (notice.kind, notice.is_urgent, notice.sentence, notice.step) == ("warning", True, sentence, event.step)


@pytest.mark.parametrize(("event", "sentence"), NOTICES, ids=lambda value: getattr(value, "type", ""))
def test_news_are_hidden_by_silence(event: Event, sentence: str) -> None:
    notice = notice_of(event)
    assert notice is not None
    assert (notice.is_urgent, notice.sentence, notice.step) == (False, sentence, event.step)


def test_the_end_of_a_storage_problem_is_urgent_too() -> None:
    notice = notice_of(StorageRecovered(step=5))
    assert notice is not None
    assert notice.is_urgent


@pytest.mark.parametrize(
    "event",
    [
        progress(1),
        evaluated(1, 2.0),
        Saved(step=1, path="last"),
        finished(),
        SettingChanged(step=2, setting="max_iters", value=300, origin="plan"),
    ],
    ids=lambda event: event.type,
)
def test_what_the_figures_show_needs_no_words(event: Event) -> None:
    assert notice_of(event) is None
