"""What a new run starts from."""

import dataclasses
from pathlib import Path

import pytest

from tui_gpt.config import resolve
from tui_gpt.storage.runs import RunSummary
from tui_gpt.tui.train.form import FieldError
from tui_gpt.tui.train.start_from import NEW_WEIGHTS, StartFrom, start_choices, start_label

ENSEMBLE = StartFrom("mine", resolve("best", members=8))
CLASSIC = StartFrom("old", resolve("nano"))


def test_the_time_chooses_how_many_members_of_an_ensemble_are_trained() -> None:
    assert ENSEMBLE.model == dataclasses.replace(ENSEMBLE.config.model, members=0)
    assert CLASSIC.model == CLASSIC.config.model


@pytest.mark.parametrize(
    ("start", "current", "preset"),
    [
        (ENSEMBLE, "quick", "quick"),
        (ENSEMBLE, "nano", "best"),
        (CLASSIC, "quick", "nano"),
        (CLASSIC, "bigram", "bigram"),
    ],
)
def test_a_preset_is_kept_where_it_is_for_the_same_architecture(start: StartFrom, current: str, preset: str) -> None:
    assert start.preset(current) == preset


def test_a_preset_for_another_architecture_is_refused_with_those_that_fit() -> None:
    with pytest.raises(FieldError, match="choose quick or best, or start from new weights") as caught:
        ENSEMBLE.require_preset("nano")
    assert caught.value.field == "start"


def test_settings_that_differ_from_those_of_the_source_are_chosen() -> None:
    config = dataclasses.replace(resolve("quick"), model=ENSEMBLE.model)
    assert ENSEMBLE.chosen(config) == {}
    changed = dataclasses.replace(config, model=dataclasses.replace(ENSEMBLE.model, dropout=0.1, members=2))
    assert ENSEMBLE.chosen(changed) == {"dropout": 0.1, "members": 2}


def summary(name: str, *, has_checkpoint: bool) -> RunSummary:
    return RunSummary(name, "finished", "quick", "x", 1_200, 1_200, 1.5, 0.0, Path(name), has_checkpoint)


def test_runs_with_a_checkpoint_are_offered() -> None:
    choices = start_choices([summary("one", has_checkpoint=True), summary("two", has_checkpoint=False)])
    assert [source for source, _ in choices] == [NEW_WEIGHTS, "shipped", "one"]
    assert choices[-1] == ("one", "step 1,200, loss 1.500")
    assert [start_label(source) for source, _ in choices] == ["new weights", "the shipped model", "one"]
