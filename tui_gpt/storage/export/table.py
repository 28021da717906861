"""A run's losses as CSV: one row for each step at which something was measured, numbers alone.

Samples are left out: they are text of any kind, and a spreadsheet would compute those that begin with `=`.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from tui_gpt.errors import UsageError
from tui_gpt.events import Event
from tui_gpt.storage.export.curves import Curves
from tui_gpt.storage.files import storage_errors, sync_folder, write_synced
from tui_gpt.storage.paths import real_path

COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "step": "optimizer steps done",
        "elapsed_seconds": "seconds of training",
        "train_loss": "mean training loss since the previous value, nats per token (character)",
        "learning_rate": "learning rate of the step",
        "grad_norm": "norm of the gradient before clipping",
        "tokens_per_second": "tokens trained on per second",
        "eval_train_loss": "loss on a small part of the training split, without dropout, nats per token",
        "val_loss": "validation loss, nats per token",
        "val_bits_per_char": "the same in bits per character",
        "val_bits_per_byte": "the same in bits per byte of UTF-8",
        "val_tokens": "validation tokens that were read",
        "val_is_estimate": "1 if that is only a part of the validation split, else 0",
    }
)
"""The columns, in this order, and what they hold. A cell is empty where a step has no such value."""


def csv_text(events: Iterable[Event]) -> str:
    """Return the table of a complete log, with a line of headings and `\\n` at the end of each line."""
    curves, text = Curves.of(events), io.StringIO()
    writer = csv.DictWriter(text, list(COLUMNS), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(_row(curves, step) for step in curves.steps)
    return text.getvalue()


def _row(curves: Curves, step: int) -> dict[str, float]:
    row: dict[str, float] = {"step": step}
    progress, evaluation = curves.progress.get(step), curves.evaluations.get(step)
    if progress is not None:
        row |= {
            "elapsed_seconds": progress.elapsed_seconds,
            "train_loss": progress.loss,
            "learning_rate": progress.learning_rate,
            "grad_norm": progress.grad_norm,
            "tokens_per_second": progress.tokens_per_second,
        }
    if evaluation is not None:
        row |= {
            "eval_train_loss": evaluation.train_loss,
            "val_loss": evaluation.val_loss,
            "val_bits_per_char": evaluation.bits_per_char,
            "val_bits_per_byte": evaluation.bits_per_byte,
            "val_tokens": evaluation.val_tokens,
            "val_is_estimate": int(evaluation.is_estimate),
        }
    return row


def export_csv(events: Iterable[Event], target: Path) -> Path:
    """Write the table of a complete log to a new file and return its real path.

    Raises UsageError when the file exists, StorageError.
    """
    place = real_path(target)
    with storage_errors(f"write {target}"):
        try:
            write_synced(place, [csv_text(events).encode("ascii")])
            sync_folder(place.parent)
        except FileExistsError:
            raise UsageError(f"{target} exists already: name a new file") from None
    return place
