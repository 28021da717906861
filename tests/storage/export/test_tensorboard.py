"""What TensorBoard itself reads from an exported run."""

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]  # it has no annotations
    EventAccumulator,
)

from tests.fakes import evaluated, progress, started, training_script
from tui_gpt.errors import UsageError
from tui_gpt.events import Evaluated, Event, Progress, Sampled
from tui_gpt.storage.export import export_tensorboard

ENDED = 1_800_000_000.0
TAGS = {
    "loss/validation": "val_loss",
    "loss/train_evaluated": "train_loss",
    "bits_per_character/validation": "bits_per_char",
}


def read_back(events: list[Event], folder: Path) -> EventAccumulator:
    export_tensorboard(events, folder, ended=ENDED)
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    accumulator.Reload()
    return accumulator


def as_read(values: list[tuple[int, float]]) -> object:
    """Return what equals (step, value) in single precision."""
    return [(step, pytest.approx(value, rel=1e-6)) for step, value in values]


def scalars(accumulator: EventAccumulator, tag: str) -> object:
    return [(one.step, one.value) for one in accumulator.Scalars(tag)]


def test_tensorboard_reads_every_value_at_its_step(tmp_path: Path) -> None:
    events = training_script(1_000)
    accumulator = read_back(events, tmp_path / "board")
    measured = [event for event in events if isinstance(event, Progress)]
    evaluations = [event for event in events if isinstance(event, Evaluated)]
    for tag, name in {
        "loss/train": "loss",
        "learning_rate": "learning_rate",
        "grad_norm": "grad_norm",
        "tokens_per_second": "tokens_per_second",
    }.items():
        assert scalars(accumulator, tag) == as_read([(event.step, getattr(event, name)) for event in measured])
    for tag, name in TAGS.items():
        assert scalars(accumulator, tag) == as_read([(event.step, getattr(event, name)) for event in evaluations])
    assert len(accumulator.Tags()["scalars"]) == 7


def test_the_last_step_was_made_when_the_run_ended(tmp_path: Path) -> None:
    accumulator = read_back([started(), progress(20), progress(40), evaluated(40, 1.9)], tmp_path / "board")
    times = [one.wall_time for one in accumulator.Scalars("loss/train")]
    assert times == [ENDED - 1.0, ENDED]
    assert accumulator.Scalars("loss/validation")[0].wall_time == ENDED


def test_tensorboard_reads_a_sample_as_text_in_which_nothing_is_markup(tmp_path: Path) -> None:
    sample = Sampled(step=10, prompt="\n", text="ROMÉO:\n<b>Ay</b> *me*!\n")
    accumulator = read_back([progress(10), sample], tmp_path / "board")
    assert accumulator.PluginTagToContent("text").keys() == {"sample/text_summary"}
    (event,) = accumulator.Tensors("sample/text_summary")
    assert event.step == 10
    assert event.tensor_proto.string_val[0].decode() == "    ROMÉO:\n    <b>Ay</b> *me*!"


def test_an_existing_folder_is_kept(tmp_path: Path) -> None:
    (tmp_path / "board").mkdir()
    (tmp_path / "board" / "mine").touch()
    with pytest.raises(UsageError, match="exists already: name a new folder"):
        export_tensorboard([], tmp_path / "board", ended=ENDED)
    assert [path.name for path in tmp_path.iterdir()] == ["board"]


def test_a_run_without_a_step_is_an_empty_board(tmp_path: Path) -> None:
    assert read_back([started()], tmp_path / "board").Tags()["scalars"] == []
