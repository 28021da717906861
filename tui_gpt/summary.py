"""The lines in the shell after a training: the result, where it is, and the commands that continue from it."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from tui_gpt.escaping import escape_controls
from tui_gpt.events import Finished, Saved
from tui_gpt.formatting import format_duration
from tui_gpt.progress import RunRecord

_ENDINGS = {
    "completed": "done",
    "stopped": "stopped",
    "time_limit": "time limit reached",
    "early_stop": "stopped early (no improvement)",
}


def summary(
    record: RunRecord, run_name: str | None, model_path: Path | None, *, headless: bool = True
) -> Iterator[str]:
    """Yield at most five lines for a run that has finished; none for another.

    The commands are those without the app if `headless`.
    """
    finished = record.finished
    if finished is None:
        return
    yield _ending(finished, record)
    if finished.best_val_loss is not None:
        yield f"best validation loss {finished.best_val_loss:.4f} ({_extent(finished, record)})"
    if record.saved is not None:
        yield f"saved in {escape_controls(run_folder(record.saved))}"
    is_done = finished.reason != "stopped"
    yield from next_commands(finished.step, run_name, model_path, is_done=is_done, headless=headless)


def run_folder(saved: Saved) -> str:
    """Return the folder of the run that a checkpoint was saved in."""
    return str(Path(saved.path).parent)


def _ending(finished: Finished, record: RunRecord) -> str:
    if record.started is not None and finished.step == record.started.step and finished.reason != "stopped":
        return f"nothing left to do: all {finished.step:,} steps are done"
    return f"{_ENDINGS[finished.reason]} after {finished.step:,} steps, {format_duration(finished.elapsed_seconds)}"


def _extent(finished: Finished, record: RunRecord) -> str:
    """Return the best loss in bits, and how much of the validation split it was measured on."""
    bits = f"{finished.best_bits_per_char or 0.0:.3f} bits per character"
    if finished.best_bits_per_byte != finished.best_bits_per_char:
        bits += f", {finished.best_bits_per_byte or 0.0:.3f} per byte"
    if record.best is None:
        return bits + (", an estimate" if finished.best_is_estimate else "")
    kind = "estimate on" if finished.best_is_estimate else "on"
    return f"{bits}, {kind} {record.best.val_tokens:,} {record.unit}s"


def next_commands(
    step: int, run_name: str | None, model_path: Path | None, *, is_done: bool, headless: bool
) -> Iterator[str]:
    """Yield the commands to generate with a run and to resume it; with more steps if it has made all of them."""
    place = f"--model-path {shlex.quote(str(model_path))}" if model_path else run_name
    resume = f"tui-gpt train {'--headless ' if headless else ''}--resume {place}"
    yield f"generate:       tui-gpt generate {place if model_path else f'--run {run_name}'}"
    if is_done:
        yield f"train further:  {resume} --max-iters {2 * max(1, step)}"
    else:
        yield f"resume:         {resume}"
