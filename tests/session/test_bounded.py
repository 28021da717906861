"""A long run needs no more memory than a short one; `benchmarks/torture.py memory` tests 20,000 steps."""

import gc
import itertools
import sys
from pathlib import Path

import pytest

from tests.storage.damage import tiny_config
from tui_gpt.control import Control
from tui_gpt.events import Progress
from tui_gpt.requests import TrainRequest
from tui_gpt.session import Session


@pytest.mark.skipif(sys.platform != "linux", reason="counts the entries of /proc")
def test_the_numbers_of_objects_and_open_files_stay_constant(tmp_path: Path) -> None:
    """Between some two evaluations late in a run they do not grow; what other threads do can disturb one comparison."""
    config = tiny_config(tmp_path, "nano", max_iters=240, eval_interval=40, log_interval=40, sample_interval=80)
    objects: list[int] = []
    files: list[int] = []
    for event in Session().train(TrainRequest(config=config), Control()):
        if isinstance(event, Progress) and event.step >= 120:
            gc.collect()
            objects.append(len(gc.get_objects()))
            files.append(len(list(Path("/proc/self/fd").iterdir())))
    assert min(later - earlier for earlier, later in itertools.pairwise(objects)) < 40, objects
    assert max(files) - min(files) <= 4, files
