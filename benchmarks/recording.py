"""Record the training that `tui-gpt demo` replays: `python benchmarks/recording.py [OPTIONS OF tui-gpt train]`.

It trains a run for real, by default the preset nano, and writes its log to `data/demo/`: `run.json` and `events.jsonl`
as in the run's own folder, without the machine's paths. Nothing else is changed.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from tui_gpt.events import Event, Saved, to_json
from tui_gpt.storage.files import atomic_write
from tui_gpt.storage.runs import RunStore
from tui_gpt.storage.runs.run import RUN_FILE, Run

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "data" / "demo"
OPTIONS = ("--preset", "nano", "--log-interval", "10", "--sample-interval", "100", "--eval-interval", "200")
NAME = "demo"


def main() -> None:
    """Train, and write the recording."""
    options = sys.argv[1:] or list(OPTIONS)
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "tui_gpt", "train", "--headless", *options, "--name", NAME]
        subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"TUI_GPT_HOME": home})
        write(RunStore(Path(home) / "runs").get(NAME), options)
    print(TARGET)


def write(run: Run, options: list[str], target: Path = TARGET) -> None:
    """Write the recording of a run that was trained with these options of `tui-gpt train`."""
    config = json.loads((run.path / RUN_FILE).read_text())
    atomic_write(target / RUN_FILE, (json.dumps(config, indent=1) + "\n").encode("ascii"))
    lines = "".join(to_json(event) + "\n" for event in without_paths(run.events()))
    atomic_write(target / "events.jsonl", lines.encode())
    atomic_write(target / "command.txt", (" ".join(["tui-gpt", "train", *options]) + "\n").encode())


def without_paths(events: Iterable[Event]) -> Iterator[Event]:
    """Yield events that name a checkpoint by its kind alone."""
    for event in events:
        yield replace(event, path=Path(event.path).name) if isinstance(event, Saved) else event


if __name__ == "__main__":
    main()
