"""What the export dialog offers, and the export itself, without a widget."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from tui_gpt.storage.export import export_csv, export_tensorboard
from tui_gpt.storage.runs import RunStore

ExportFormat = Literal["model", "csv", "tensorboard"]

FORMATS: Mapping[ExportFormat, tuple[str, str]] = MappingProxyType(
    {
        "model": ("model, to generate with --model-path", "{name}-model"),
        "csv": ("losses as a CSV table", "{name}.csv"),
        "tensorboard": ("curves and samples for TensorBoard", "{name}-tensorboard"),
    }
)
"""What each format is, and the name of its new file or folder."""


@dataclass(frozen=True)
class ExportRequest:
    """What to export, and to where."""

    kind: ExportFormat
    target: Path
    """A new file or folder."""


def default_target(folder: Path, name: str, kind: ExportFormat) -> Path:
    """Return the path that the dialog proposes."""
    return folder / FORMATS[kind][1].format(name=name)


def export(store: RunStore, name: str, request: ExportRequest) -> Path:
    """Export a run and return the real path. Raises TuiGptError, e.g. when the target exists."""
    run = store.get(name)
    match request.kind:
        case "model":
            return store.export(name, "best" if run.ever_saved("best") else "last", request.target)
        case "csv":
            return export_csv(run.events(), request.target)
        case "tensorboard":
            return export_tensorboard(run.events(), request.target, ended=run.updated())
