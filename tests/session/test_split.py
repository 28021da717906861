"""Runs with every kind of split: resumed, evaluated, and refused where a text has changed."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.session.test_session import learned, train, train_until
from tui_gpt.config import RunConfig, resolve
from tui_gpt.control import Control
from tui_gpt.errors import CorpusError, IncompatibleError
from tui_gpt.events import Evaluated, Event, Started
from tui_gpt.requests import TrainRequest
from tui_gpt.session import Session
from tui_gpt.storage.runs import RunStore
from tui_gpt.text.corpora import load, read_corpus

Make = Callable[..., RunConfig]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of documents of several lengths, which have blank lines too."""
    place = tmp_path / "letters"
    place.mkdir()
    for number in range(12):
        (place / f"{number:02}.txt").write_text(f"letter {number} begins\n\n" + "dear reader, " * (3 + number % 4))
    return place


@pytest.fixture
def tiny(folder: Path) -> Make:
    """Return a function that makes a tiny configuration for the folder."""

    def make(preset: str = "nano", **overrides: Any) -> RunConfig:
        shape = {
            "n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 8, "batch_size": 4, "max_iters": 12,
            "eval_interval": 4, "log_interval": 2, "device": "cpu", "threads": 1, "dropout": 0.1,
        }  # fmt: skip
        if preset == "quick":
            shape |= {"dropout": 0.0, "members": 1, "ngram_order": 3}
        return resolve(preset, str(folder), **{**shape, **overrides})

    return make


@pytest.fixture
def val_file(tmp_path: Path) -> Path:
    path = tmp_path / "held-out.txt"
    path.write_text("a letter to the dear reader begins\n" * 6)
    return path


def resume(name: str, **request: Any) -> list[Event]:
    return list(Session().train(TrainRequest(resume=name, **request), Control()))


def sizes(events: list[Event]) -> list[tuple[int, int]]:
    """Return the sizes of the training and the validation part, in characters."""
    return [(event.train_tokens, event.val_tokens) for event in events if isinstance(event, Started)]


@pytest.mark.parametrize("preset", ["nano", "quick"])
@pytest.mark.parametrize(
    "chosen", [{"val_share": 0.3}, {"shuffle_documents": True, "val_share": 0.2}, {"val_file": True}]
)
def test_a_resumed_run_is_measured_on_the_same_validation_text(
    preset: str, chosen: dict[str, Any], tiny: Make, val_file: Path
) -> None:
    settings = {name: str(val_file) if name == "val_file" else value for name, value in chosen.items()}
    whole = train(Session(), tiny(preset, **settings), name="whole")
    first = train_until(Session(), TrainRequest(config=tiny(preset, **settings), name="cut"), 5)
    second = resume("cut")
    assert learned(first) + learned(second) == learned(whole)
    assert sizes(second) == sizes(first) == sizes(whole)
    measured = Session().evaluate("whole", Control())
    assert measured.val_loss == pytest.approx(
        min(event.val_loss for event in whole if isinstance(event, Evaluated)), abs=1e-5
    )


@pytest.mark.parametrize("change", ["changed", "moved"])
def test_a_validation_text_that_changed_or_moved_is_refused(change: str, tiny: Make, val_file: Path) -> None:
    train_until(Session(), TrainRequest(config=tiny(val_file=str(val_file)), name="one"), 5)
    if change == "changed":
        val_file.write_text("something else altogether\n" * 6)
        reason, way = "has changed since", "start a new run with --init-from one"
    else:
        val_file.rename(val_file.with_name("elsewhere.txt"))
        reason, way = "is no longer there", "name its new path with --val-file and --resume"
    with pytest.raises(IncompatibleError, match=f"the validation text {val_file}.* {reason}.*{way}"):
        resume("one")
    with pytest.raises(IncompatibleError, match=f"the validation text {val_file}.* {reason}.*--file"):
        Session().evaluate("one@last", Control())
    if change == "moved":
        resume("one", changes={"val_file": str(val_file.with_name("elsewhere.txt"))})
        assert Session().evaluate("one", Control()).step > 0


def test_a_changed_training_text_is_reported_as_such(tiny: Make, val_file: Path, folder: Path) -> None:
    train_until(Session(), TrainRequest(config=tiny(val_file=str(val_file)), name="one"), 5)
    (folder / "00.txt").write_text("another letter\n" * 9)
    with pytest.raises(IncompatibleError, match=f"the text {folder} has changed"):
        resume("one")


def test_the_same_text_with_other_documents_is_another_text(tiny: Make, folder: Path, tmp_path: Path) -> None:
    """In one file the documents are the blocks between blank lines."""
    train_until(Session(), TrainRequest(config=tiny(shuffle_documents=True), name="one"), 5)
    (tmp_path / "joined.txt").write_text(load(read_corpus(str(folder))).text)
    assert read_corpus(str(tmp_path / "joined.txt")).digest == read_corpus(str(folder)).digest
    with pytest.raises(IncompatibleError, match="has changed since"):
        resume("one", corpus=str(tmp_path / "joined.txt"))


@pytest.mark.parametrize("changes", [{"val_share": 0.2}, {"shuffle_documents": True}])
def test_the_split_cannot_change_when_a_run_is_resumed(changes: dict[str, Any], tiny: Make) -> None:
    train_until(Session(), TrainRequest(config=tiny(), name="one"), 5)
    with pytest.raises(IncompatibleError, match=f"{min(changes)} cannot change when a run is resumed"):
        resume("one", changes=changes)


@pytest.mark.parametrize("had_one", [True, False])
def test_resuming_can_neither_remove_nor_add_a_validation_text(had_one: bool, tiny: Make, val_file: Path) -> None:
    own, other = (str(val_file), None) if had_one else (None, str(val_file))
    train_until(Session(), TrainRequest(config=tiny(val_file=own), name="one"), 5)
    with pytest.raises(IncompatibleError, match="the validation text"):
        resume("one", changes={"val_file": other})


def test_an_untrusted_run_cannot_name_a_pipe_as_its_validation_text(tiny: Make, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for number, spec in enumerate([str(tmp_path / "pipe"), "-"]):
        config = tiny()
        config = dataclasses.replace(config, train=dataclasses.replace(config.train, val_file=spec))
        RunStore().create(config, f"run-{number}")
        with pytest.raises(CorpusError, match="which is not a file"):
            resume(f"run-{number}")


def test_a_run_without_a_checkpoint_accepts_a_moved_validation_text(tiny: Make, val_file: Path) -> None:
    RunStore().create(tiny(val_file=str(val_file)), "one")
    moved = val_file.rename(val_file.with_name("elsewhere.txt"))
    resume("one", changes={"val_file": str(moved)})
    assert RunStore().get("one").summary().best_val_loss is not None
