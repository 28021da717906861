"""The list of runs that is read again and again."""

import pytest

from tests.fakes import evaluated, progress
from tests.storage.runs.helpers import NANO, fake_checkpoint
from tui_gpt.storage.runs import Run, RunList, RunStore


def test_the_list_is_that_of_the_store(store: RunStore, run: Run) -> None:
    store.create(NANO, "other")
    assert RunList(store).read() == store.list()


def test_an_unchanged_run_is_read_once(store: RunStore, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = RunList(store)
    before = runs.read()
    monkeypatch.setattr(Run, "summary", lambda _: pytest.fail("it was read again"))
    assert runs.read() == before


def test_every_change_of_a_run_is_seen(store: RunStore, run: Run) -> None:
    runs = RunList(store)
    runs.read()
    run.record(progress(7))
    assert runs.read()[0].step == 7
    run.record(evaluated(8, 1.75))
    assert runs.read()[0].best_val_loss == 1.75
    run.set_note("good")
    assert runs.read()[0].note == "good"
    run.set_note("")
    assert runs.read()[0].note == ""
    run.set_state("stopped")
    assert runs.read()[0].state == "stopped"
    fake_checkpoint(run.path / "last")
    assert runs.read()[0].has_checkpoint
    store.rename("plays", "dramas")
    assert [one.name for one in runs.read()] == ["dramas"]
    store.delete("dramas")
    assert runs.read() == []


def test_a_run_that_gets_or_loses_its_process_is_seen(store: RunStore, run: Run) -> None:
    run.set_state("running")
    runs = RunList(store)
    states = [runs.read()[0].state]
    with run.lock():
        states.append(runs.read()[0].state)
    states.append(runs.read()[0].state)
    assert states == ["interrupted", "running", "interrupted"]
