"""A run as far as its events tell."""

from tests.tui.fakes import evaluated, finished, progress, started, training_script
from tui_gpt.config import RunConfig, resolve
from tui_gpt.events import Changed, Paused, Resumed, Sampled
from tui_gpt.tui.record import RunRecord


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
    changed = Changed(step=2, setting="learning_rate", value=0.0005)
    record = record_of(started(10), Paused(step=1), Resumed(step=1), changed)
    assert [(mark.step, mark.sign, mark.text) for mark in record.marks] == [
        (1, "‖", "paused"),
        (1, "▸", "resumed"),
        (2, "◆", "learning_rate 0.0005"),
    ]


def test_a_corrected_number_of_steps_moves_the_end_and_leaves_no_mark() -> None:
    record = record_of(started(10), Changed(step=2, setting="max_iters", value=30))
    assert record.max_iters == 30
    assert record.marks == []


def test_a_storage_problem_is_a_warning_until_it_is_solved() -> None:
    record = record_of(started(10), Changed(step=2, setting="storage_problem", value="the disk is full"))
    assert record.warning == "the disk is full"
    record.apply(Changed(step=3, setting="storage_problem", value=None))
    assert record.warning is None


def test_samples_are_looked_up_by_step() -> None:
    record = record_of(*(Sampled(step=step, prompt="", text=str(step)) for step in (10, 20)))
    assert [getattr(record.sample_at(step), "step", None) for step in (5, 10, 19, 20, 99)] == [10, 10, 10, 20, 20]
    assert RunRecord().sample_at(5) is None


def test_only_tinyshakespeare_has_published_losses_to_compare_with() -> None:
    assert len(RunRecord(config=resolve("quick")).references) == 3
    assert RunRecord(config=resolve("quick", "my.txt")).references == ()
