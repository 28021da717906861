"""A run's losses as CSV."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import estimated, evaluated, finished, progress, started, training_script
from tui_gpt.errors import StorageError, UsageError
from tui_gpt.events import Event, Sampled
from tui_gpt.storage.export import COLUMNS, csv_text, export_csv


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_each_step_at_which_something_was_measured_is_a_row_of_the_documented_columns() -> None:
    text = csv_text([started(), progress(10, 3.0), progress(20, 2.0), evaluated(20, 1.9), evaluated(25, 1.8)])
    table = rows(text)
    assert list(table[0]) == list(COLUMNS)
    assert [row["step"] for row in table] == ["10", "20", "25"]
    assert table[0] == dict.fromkeys(COLUMNS, "") | {
        "step": "10", "elapsed_seconds": "0.5", "train_loss": "3.0", "learning_rate": "0.001", "grad_norm": "0.5",
        "tokens_per_second": "20000.0",
    }  # fmt: skip
    assert (table[1]["train_loss"], table[1]["val_loss"], table[1]["val_is_estimate"]) == ("2.0", "1.9", "0")
    assert (table[2]["train_loss"], table[2]["val_loss"]) == ("", "1.8")


def test_a_loss_of_record_is_not_replaced_by_an_estimate_of_the_same_step() -> None:
    table = rows(csv_text([started(), evaluated(20, 1.9), estimated(20, 1.7), estimated(10, 2.5)]))
    assert [(row["val_loss"], row["val_is_estimate"]) for row in table] == [("2.5", "1"), ("1.9", "0")]


def test_a_number_is_read_back_as_it_was_measured() -> None:
    loss = 1.3238932490348816
    assert float(rows(csv_text([progress(10, loss)]))[0]["train_loss"]) == loss


def test_samples_are_left_out() -> None:
    assert "HYPERLINK" not in csv_text([progress(1), Sampled(step=1, prompt="", text='=HYPERLINK("x")')])


def test_a_log_without_measurements_is_a_line_of_headings() -> None:
    assert csv_text([started(), finished(0, None)]) == ",".join(COLUMNS) + "\n"


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "one.csv"
    assert export_csv(training_script(100), file) == file
    before = file.read_bytes()
    with pytest.raises(UsageError, match="exists already: name a new file"):
        export_csv([], file)
    assert file.read_bytes() == before == csv_text(training_script(100)).encode()


def test_a_folder_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="could not write"):
        export_csv([], tmp_path / "missing" / "one.csv")


def test_the_steps_are_in_order_after_a_resume() -> None:
    events: list[Event] = [started(), progress(10), progress(20), replace(started(), step=10), progress(20, 1.0)]
    assert [(row["step"], row["train_loss"]) for row in rows(csv_text(events))] == [("10", "2.0"), ("20", "1.0")]
