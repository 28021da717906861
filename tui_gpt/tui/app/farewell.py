"""The lines in the shell after the app: what was trained, where it is, and the commands that continue from it."""

from collections.abc import Iterator
from pathlib import Path

from tui_gpt.escaping import escape_controls
from tui_gpt.storage.runs import RunStore
from tui_gpt.summary import next_commands, run_folder, summary
from tui_gpt.tui.train.record import RunView


def farewell(record: RunView | None, store: RunStore) -> Iterator[str]:
    """Yield at most five lines about the last run that the app has trained; none if it made no step."""
    if record is None or record.started is None or record.step <= record.started.step:
        return
    model_path = _folder_outside(record, store)
    if record.finished is not None:
        first, *rest = summary(record, record.name, model_path, headless=False)
        yield f"{escape_controls(record.name)}: {first}"
        yield from rest
    elif record.phase == "failed" and record.saved is not None:
        yield f"{escape_controls(record.name)}: failed at step {record.step:,}"
        yield f"saved in {escape_controls(run_folder(record.saved))}"
        yield from next_commands(record.saved.step, record.name, model_path, is_done=False, headless=False)


def _folder_outside(record: RunView, store: RunStore) -> Path | None:
    """Return the folder of a run that is not in the store."""
    folder = None if record.saved is None else Path(run_folder(record.saved))
    return None if folder is None or folder.parent == store.root else folder
