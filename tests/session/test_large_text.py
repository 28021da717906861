"""Training on a text that is too large for memory, with limits so low that a few kilobytes are."""

from pathlib import Path
from typing import Any

import pytest

from tui_gpt.config import RunConfig, resolve
from tui_gpt.control import Control
from tui_gpt.errors import IncompatibleError
from tui_gpt.events import Evaluated, Event, Finished, Progress
from tui_gpt.prior import ngram
from tui_gpt.requests import TrainRequest
from tui_gpt.session import Session
from tui_gpt.storage import paths
from tui_gpt.storage.runs import RunStore
from tui_gpt.text.large import pieces, text, tokens
from tui_gpt.training import batches
from tui_gpt.training.budget import estimate as estimate_module

FOX = "the quick brown fox jumps over the lazy dog and runs back to the river bank\n"


@pytest.fixture
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts of more than 1,000 bytes are large, 500 tokens are counted, and pages are released all the time."""
    monkeypatch.setattr(text, "LARGE_BYTES", 1_000)
    monkeypatch.setattr(pieces, "PIECE_BYTES", 100)
    monkeypatch.setattr(tokens, "CHUNK_TOKENS", 300)
    monkeypatch.setattr(ngram, "FIT_LIMIT", 500)
    monkeypatch.setattr(batches, "RELEASE_WINDOWS", 1)


def config_of(place: Path, preset: str = "nano", **overrides: Any) -> RunConfig:
    """Return a config that trains on `place` in a fraction of a second."""
    settings = {
        "n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 16, "batch_size": 4, "max_iters": 12,
        "max_seconds": None, "eval_interval": 5, "log_interval": 2, "device": "cpu", "threads": 1,
    }  # fmt: skip
    return resolve(preset, str(place), **{**settings, **overrides})


def fox(tmp_path: Path) -> Path:
    """Return a text of 3,000 bytes."""
    place = tmp_path / "fox.txt"
    place.write_text("".join(f"{number} {FOX}" for number in range(40)), encoding="utf-8")
    return place


def learned(events: list[Event]) -> list[tuple[object, ...]]:
    """Return all losses."""
    evaluated = [(event.step, event.val_loss, event.train_loss) for event in events if isinstance(event, Evaluated)]
    return [*evaluated, *((event.step, event.loss) for event in events if isinstance(event, Progress))]


def trained(request: TrainRequest, control: Control | None = None) -> list[Event]:
    """Return the events of a run."""
    return list(Session().train(request, control or Control()))


def test_training_on_a_mapped_text_is_training_on_the_same_text_in_memory(
    tmp_path: Path, low_limits: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(fox(tmp_path), "quick", ngram_order=3, members=1)
    mapped = trained(TrainRequest(config=config))
    assert paths.prepared_dir().is_dir()
    monkeypatch.setattr(text, "LARGE_BYTES", 1 << 20)
    assert learned(mapped) == learned(trained(TrainRequest(config=config)))


def test_a_run_on_a_large_text_resumes_without_reading_it_again(
    tmp_path: Path, low_limits: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = fox(tmp_path)
    whole = trained(TrainRequest(config=config_of(place), name="whole"))
    control = Control()
    for event in Session().train(TrainRequest(config=config_of(place), name="stopped"), control):
        if event.step == 6:
            control.stop()
    monkeypatch.setattr(text, "raw_pieces", None)
    monkeypatch.setattr(text, "scan_file", None)
    trained(TrainRequest(config=config_of(place), resume="stopped"))
    assert learned(list(RunStore().get("stopped").events())) == learned(whole)


def test_a_run_on_a_large_text_that_has_changed_is_not_resumed(tmp_path: Path, low_limits: None) -> None:
    place = fox(tmp_path)
    config = config_of(place)
    trained(TrainRequest(config=config, name="fox"))
    place.write_text(place.read_text() + "more", encoding="utf-8")
    with pytest.raises(IncompatibleError, match="has changed since fox was trained on it"):
        trained(TrainRequest(config=config, resume="fox", changes={"max_iters": 20}))


def test_a_stop_while_a_large_text_is_prepared_leaves_no_run(tmp_path: Path, low_limits: None) -> None:
    control = Control()
    control.stop()
    assert trained(TrainRequest(config=config_of(fox(tmp_path))), control) == []
    assert RunStore().list() == []


def test_a_run_on_a_large_text_is_evaluated_and_generates(tmp_path: Path, low_limits: None) -> None:
    events = trained(TrainRequest(config=config_of(fox(tmp_path)), name="fox"))
    assert isinstance(events[-1], Finished)
    evaluation = Session().evaluate("fox", Control())
    assert evaluation.val_loss == pytest.approx(events[-1].best_val_loss, abs=1e-6)
    assert Session().open_model("fox").name == "fox@best"


def test_an_estimate_reads_the_beginning_of_a_large_text(
    tmp_path: Path, low_limits: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate_module, "SAMPLE_BYTES", 1_000)
    place = fox(tmp_path)
    estimate = Session().estimate(config_of(place), Control())
    assert estimate.train_tokens == pytest.approx(0.9 * place.stat().st_size, rel=0.01)
    assert not paths.prepared_dir().exists()
