"""Events go to disk and come back as they were."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_gpt.events import (
    EVENT_TYPES,
    ChangeRefused,
    CompileFailed,
    Evaluated,
    Event,
    Finished,
    Initialized,
    MemoryRanOut,
    Progress,
    ResumeDiffers,
    RolledBack,
    Sampled,
    SettingChanged,
    StepSkipped,
    StorageProblem,
    StorageRecovered,
    from_json,
    to_json,
)

EXAMPLES: list[Event] = [
    Progress(step=3, loss=2.5, learning_rate=1e-3, grad_norm=0.5, tokens_per_second=1e4, elapsed_seconds=1.25),
    Evaluated(
        step=3,
        train_loss=2.0,
        val_loss=2.1,
        bits_per_char=3.0,
        bits_per_byte=3.0,
        is_best=True,
        val_tokens=1000,
        is_estimate=False,
    ),
    Sampled(step=3, prompt="\n", text='"quoted"\u2028\x00é'),
    SettingChanged(step=3, setting="learning_rate", value=0.1),
    SettingChanged(step=3, setting="max_seconds", value=None, origin="plan"),
    StepSkipped(step=3),
    RolledBack(step=3, to_step=1),
    StorageProblem(step=3, problem="the disk is full"),
    StorageRecovered(step=3),
    CompileFailed(step=3, problem="no compiler"),
    MemoryRanOut(step=3, windows=16),
    ChangeRefused(step=3, setting="learning_rate", reason="it is too high"),
    Initialized(step=0, source="shipped", new_characters="é→"),
    ResumeDiffers(step=3, expected_loss=1.5, loss=1.25),
    Finished(step=3, reason="stopped", best_val_loss=None, elapsed_seconds=0.0),
]


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.type)
def test_an_event_survives_a_round_trip_through_json(event: Event) -> None:
    line = to_json(event)
    assert "\n" not in line
    assert from_json(line) == event


def test_the_type_comes_first_and_the_keys_are_the_field_names() -> None:
    assert list(json.loads(to_json(EXAMPLES[1]))) == [
        "type", "step", "train_loss", "val_loss", "bits_per_char", "bits_per_byte", "is_best", "val_tokens",
        "is_estimate",
    ]  # fmt: skip


def test_every_event_class_has_its_own_name() -> None:
    assert sorted(EVENT_TYPES) == [
        "change_refused", "compile_failed", "evaluated", "finished", "initialized", "memory_ran_out", "paused",
        "progress", "request_refused", "resume_differs", "resumed", "rolled_back", "sampled", "saved",
        "setting_changed", "started", "step_skipped", "storage_problem", "storage_recovered",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "",
        "null",
        "[]",
        "{",
        '{"type": "unheard"}',
        '{"type": ["paused"], "step": 1}',
        '{"type": "paused"}',
        '{"type": "paused", "step": "1"}',
        '{"type": "paused", "step": true}',
        '{"type": "paused", "step": 1, "more": 2}',
        '{"type": "finished", "step": 1, "reason": "tired", "best_val_loss": null, "elapsed_seconds": 1}',
    ],
)
def test_an_invalid_event_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(line)


@given(st.text())
def test_any_text_of_a_sample_survives(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    assert from_json(to_json(Sampled(step=1, prompt="", text=text))) == Sampled(step=1, prompt="", text=text)
