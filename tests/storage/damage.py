"""Damage the user's own files, and checkpoints of runs that are then resumed or generated from.

Numbers and texts of a JSON file are replaced one at a time, so that most damage passes the first checks.
Used by `test_never_lose_work` a few dozen times and by `benchmarks/torture.py` for much longer.
"""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.storage.fuzzing import listing
from tests.storage.helpers import mutations
from tui_gpt.config import DEFAULT_CORPUS, RunConfig, SampleConfig, resolve
from tui_gpt.control import Control
from tui_gpt.errors import TuiGptError
from tui_gpt.requests import TrainRequest
from tui_gpt.session import Session
from tui_gpt.storage import paths, settings
from tui_gpt.storage.runs import RunStore
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.generate.notebook import Answer, Card, History

TEXT = "the quick brown fox jumps over the lazy dog and runs back to the river bank\n" * 40
_CONFIG = """
[train]
preset = "nano"
corpus = "tinyshakespeare"
learning_rate = 0.003
max_iters = 100
[generate]
temperature = 0.7
top_k = 20
"""
_UGLY: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 7, 2**31, 2**63, 10**30, 1e308, 0.5, "", "x", "../../..", "\x1b[2J", "\u202e"),
    *([], {}, [[1]], "9" * 3000, "tinyshakespeare", "modern", "classic", "muon"),
)


def tiny_config(folder: Path, preset: str = "quick", **overrides: Any) -> RunConfig:
    """Return a config that trains in a fraction of a second on a text in `folder`."""
    text = folder / "fox.txt"
    text.write_text(TEXT)
    shape = {"n_layer": 1, "n_head": 2, "n_embd": 8, "block_size": 8, "batch_size": 2}
    if preset in ("quick", "best"):
        shape["ngram_order"] = 3
    if preset == "bigram":
        shape = {"batch_size": 2}
    quickly = {"max_iters": 6, "eval_interval": 3, "log_interval": 2, "device": "cpu", "threads": 1}
    return resolve(preset, str(text), **{**shape, **quickly, **overrides})


def one_line(step: Callable[[], object]) -> bool:
    """Call a function that may fail with a TuiGptError of one line; return whether it succeeded."""
    try:
        step()
    except TuiGptError as error:
        if "\n" in str(error):
            raise AssertionError(f"more than one line: {error}") from error
        return False
    return True


def open_mutated_settings(name: str, count: int, seed: int) -> int:
    """Read one of the user's own files, damaged in `count` ways; return how many were read or refused."""
    files: dict[str, tuple[Path, bytes, Callable[[], object]]] = {
        "config.toml": (paths.config_file(), _CONFIG.encode(), _read_config),
        "state.json": (paths.state_file(), _state(), lambda: AppState.load()),
        "notebook": (History().path, _notebook(), lambda: History().load()),
    }
    path, content, read = files[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    for data in mutations(content, count, seed):
        path.write_bytes(data)
        one_line(read)
        if path.read_bytes() != data:
            raise AssertionError(f"reading a damaged {name} changed it")
    path.unlink()
    return count


def _read_config() -> None:
    settings.preferred_run_config()
    settings.preferred_sample_config()


def _state() -> bytes:
    AppState(corpus=DEFAULT_CORPUS).save()
    return paths.state_file().read_bytes()


def _notebook() -> bytes:
    answer = Answer(prompt="the ", text="fox", config=SampleConfig(seed=1), source="one@best")
    History().save(Card(id="one", answers=(answer,)))
    content = History().path.read_bytes()
    History().path.unlink()
    return content


def altered(record: Any, rng: random.Random) -> Any:
    """Return a JSON value with one of its leaves replaced."""
    leaves = list(_leaves(record, ()))
    path = rng.choice(leaves)
    return _replaced(record, path, rng.choice(_UGLY))


def _leaves(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    yield path
    for key, item in items:
        yield from _leaves(item, (*path, key))


def _replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = _replaced(value[path[0]], path[1:], new)
    return copy


def trained(root: Path, preset: str = "quick") -> Path:
    """Return the folder of a run that was trained for a few steps and stopped."""
    root.mkdir(parents=True, exist_ok=True)
    config = tiny_config(root.parent, preset)
    for _ in Session(RunStore(root)).train(TrainRequest(config=config, name="run"), Control()):
        pass
    return root / "run"


def resume_altered(root: Path, count: int, seed: int) -> int:
    """Generate from a run and resume it, after one value of its `checkpoint.json` was replaced, `count` times.

    Values that only ask for more work are not replaced: a batch of a million sequences is not damage.
    """
    run = trained(root)
    spare = root.parent / "spare"
    shutil.copytree(run, spare)
    record = json.loads((run / "last" / "checkpoint.json").read_text())
    rng = random.Random(seed)
    for _ in range(count):
        shutil.rmtree(run)
        shutil.copytree(spare, run)
        new = altered(record, rng)
        if isinstance(new, dict) and isinstance(new.get("config"), dict):
            new["config"]["train"] = record["config"]["train"]
        (run / "last" / "checkpoint.json").write_text(json.dumps(new))
        before = listing(root)
        one_line(lambda: _write_from(root))
        if listing(root) != before:
            raise AssertionError("writing from a damaged run changed the disk")
        one_line(lambda: _go_on(root))
    shutil.rmtree(spare)
    return count


def _write_from(root: Path) -> None:
    for _ in Session(RunStore(root)).open_model("run@last").stream("the ", SampleConfig(max_new_tokens=3, seed=1)):
        pass


def _go_on(root: Path) -> None:
    control = Control()
    changes = {"max_iters": 8, "max_seconds": None}
    for event in Session(RunStore(root)).train(TrainRequest(resume="run", changes=changes), control):
        if event.step >= 8:
            control.stop()
