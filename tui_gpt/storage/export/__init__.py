"""The measurements of a run for other programs: a CSV file, or an event file for TensorBoard."""

from tui_gpt.storage.export.curves import Curves
from tui_gpt.storage.export.table import COLUMNS, csv_text, export_csv
from tui_gpt.storage.export.tensorboard import export_tensorboard

__all__ = ["COLUMNS", "Curves", "csv_text", "export_csv", "export_tensorboard"]
