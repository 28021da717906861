"""The recording that ships is a log like that of any run."""

from pathlib import Path

import pytest

from tests.fakes import started
from tui_gpt.errors import TuiGptError
from tui_gpt.events import Evaluated, Finished, Sampled, Saved, to_json
from tui_gpt.progress import RunRecord
from tui_gpt.storage.paths import shipped_dir
from tui_gpt.tui.demo.recording import Recording

SIZE_LIMIT = 200_000
"""Bytes of the whole recording."""


def test_the_recording_is_a_whole_run_that_learned() -> None:
    recording = Recording.load()
    record = RunRecord.of(recording.events)
    assert record.started is not None
    assert record.started.preset == recording.config.preset
    assert isinstance(recording.events[-1], Finished)
    assert recording.command.startswith("tui-gpt train ")
    losses = [event.val_loss for event in recording.events if isinstance(event, Evaluated)]
    assert len(losses) >= 4
    assert losses[-1] < losses[0]
    assert len([event for event in recording.events if isinstance(event, Sampled)]) >= 5
    assert recording.seconds > 10.0


def test_it_is_small_and_names_no_path_of_the_machine_that_made_it() -> None:
    assert sum(file.stat().st_size for file in (shipped_dir() / "demo").iterdir()) <= SIZE_LIMIT
    assert {event.path for event in Recording.load().events if isinstance(event, Saved)} <= {"last", "best"}


def test_a_missing_or_damaged_recording_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(TuiGptError, match="install tui-gpt again"):
        Recording.load(tmp_path)
    (tmp_path / "events.jsonl").write_text(to_json(started()) + "\n")
    with pytest.raises(TuiGptError, match="missing or damaged"):
        Recording.load(tmp_path)
