"""The figures of a run in a list of runs."""

import dataclasses
import math

import pytest

from tests.fakes import estimated, evaluated, finished, progress, started
from tests.storage.runs.helpers import fake_checkpoint
from tui_gpt.events import SettingChanged, SettingValue
from tui_gpt.storage.manifest import read_info
from tui_gpt.storage.runs import Run, RunSummary


def test_a_summary_has_the_figures_of_the_log(run: Run) -> None:
    run.record(started(100))
    for step in range(1, 3_000):
        run.record(progress(step))
    run.record(evaluated(3_000, 1.75))
    run.record(SettingChanged(step=3_000, setting="max_iters", value=5_000))
    run.set_state("stopped")
    summary = run.summary()
    assert summary == RunSummary(
        name="plays",
        state="stopped",
        preset="nano",
        corpus="tinyshakespeare",
        step=3_000,
        max_iters=5_000,
        best_val_loss=1.75,
        updated=summary.updated,
        path=run.path,
        has_checkpoint=False,
        best_is_estimate=False,
        best_val_tokens=111_540,
        best_bits_per_char=1.75 / math.log(2),
        best_bits_per_byte=1.75 / math.log(2),
        size=sum(path.stat().st_size for path in run.path.iterdir()),
    )
    fake_checkpoint(run.path / "best")
    assert (run.summary().best_val_loss, run.summary().has_checkpoint) == (1.75, True)


def best_of(run: Run) -> tuple[float | None, bool, int]:
    summary = run.summary()
    return summary.best_val_loss, summary.best_is_estimate, summary.best_val_tokens


def test_a_summary_says_whether_the_best_loss_is_an_estimate(run: Run) -> None:
    """The log has it from the first evaluation; the end of a run repeats it without the number of characters."""
    run.record(started())
    run.record(estimated(10, 1.75))
    assert best_of(run) == (1.75, True, 8_192)
    run.record(dataclasses.replace(finished(10), best_val_loss=1.75, best_is_estimate=True))
    assert best_of(run) == (1.75, True, 8_192)
    run.record(evaluated(10, 1.8))
    assert best_of(run) == (1.8, False, 111_540)
    run.record(dataclasses.replace(finished(20), best_val_loss=1.7, best_is_estimate=True))
    assert best_of(run) == (1.7, True, 0)


def test_a_summary_without_a_log_has_the_figures_of_the_checkpoint(run: Run) -> None:
    standing: dict[str, SettingValue] = {"best_tokens": 80, "val_tokens": 1000, "record_tokens": 1000}
    folder = fake_checkpoint(run.path / "best", extra=standing)
    assert best_of(run) == (1.25, True, 80)
    info = read_info(folder)
    assert (info.best_is_estimate, info.val_is_estimate, info.val_tokens) == (True, False, 1000)


@pytest.mark.parametrize("extra", [{}, {"record_tokens": "many", "best_tokens": None}, {"val_tokens": 3}])
def test_without_the_number_of_characters_a_loss_is_not_an_estimate(extra: dict[str, SettingValue], run: Run) -> None:
    info = read_info(fake_checkpoint(run.path / "best", extra=extra))
    assert not info.best_is_estimate
    assert not info.val_is_estimate
