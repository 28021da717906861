"""The recipes in docs/integrations.md run with the events of a training.

TensorBoard is the real one; in place of the others, which are large, is a module that records the calls.
"""

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]  # it has no annotations
    EventAccumulator,
)

from tests.fakes import training_script
from tui_gpt.events import Evaluated, scalars

PAGE = Path(__file__).parents[3] / "docs" / "integrations.md"
EVENTS = training_script(100)

pytestmark = pytest.mark.skipif(
    not PAGE.is_file(), reason="these are the documents of the repository, not of a package"
)


def run_recipe(name: str) -> None:
    """Call the recipe that uses `name` with each event of a run."""
    (code,) = re.findall(rf"```python\n((?:(?!```).)*{name}.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    module: dict[str, Any] = {}
    exec(code, module)
    for event in EVENTS:
        module["log"](event, "my-run")
    if "writer" in module:
        module["writer"].close()


def test_tensorboard_shows_what_the_recipe_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_recipe("SummaryWriter")
    accumulator = EventAccumulator("tensorboard")
    accumulator.Reload()
    losses = {one.step: one.value for one in accumulator.Scalars("my-run/loss/validation")}
    assert losses == pytest.approx({event.step: event.val_loss for event in EVENTS if isinstance(event, Evaluated)})


@pytest.mark.parametrize(
    ("name", "start", "log"),
    [
        ("trackio", ("init", {"project": "tui-gpt", "name": "my-run"}), "log"),
        ("wandb", ("init", {"project": "tui-gpt", "name": "my-run"}), "log"),
        ("mlflow", ("start_run", {"run_name": "my-run"}), "log_metrics"),
    ],
)
def test_a_tracker_gets_the_runs_name_and_every_measurement(
    name: str, start: tuple[str, dict[str, str]], log: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[dict[str, str]] = []
    logged: list[tuple[int, dict[str, float]]] = []
    functions = {
        start[0]: lambda **settings: started.append(settings),
        log: lambda numbers, step: logged.append((step, numbers)),
    }
    monkeypatch.setitem(sys.modules, name, SimpleNamespace(**functions))
    run_recipe(f"import {name}")
    assert started == [start[1]]
    assert [one for one in logged if one[1]] == [(event.step, scalars(event)) for event in EVENTS if scalars(event)]
