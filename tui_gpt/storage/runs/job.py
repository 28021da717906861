"""The torchrun that a run was made by, in the file `job.json` of its folder, so that restarted processes resume it."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from tui_gpt.errors import TuiGptError
from tui_gpt.records import read_record
from tui_gpt.storage.files import atomic_write
from tui_gpt.storage.plain_files import read_json_object

JOB_FILE = "job.json"
_FILE_LIMIT = 1 << 13


@dataclass(frozen=True, kw_only=True)
class _JobRecord:
    """The content of `job.json`."""

    job: str


def read_job(folder: Path) -> str:
    """Return the job (see `Ranks.job`) that made the run in a folder; empty for none, or none that can be read."""
    try:
        return read_record(_JobRecord, read_json_object(folder / JOB_FILE, _FILE_LIMIT)).job
    except (OSError, ValueError, TuiGptError):
        return ""


def write_job(folder: Path, job: str) -> None:
    """Write the job that makes the run in a folder. Raises StorageError."""
    record = dataclasses.asdict(_JobRecord(job=job))
    atomic_write(folder / JOB_FILE, (json.dumps(record) + "\n").encode("ascii"))
