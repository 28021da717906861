"""Whatever happens, the last checkpoint is there and correct, and a stranger's file can at worst fail.

A handful of everything here; `benchmarks/torture.py` does the same thousands of times.
"""

import ast
import dataclasses
import errno
import json
import os
import random
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

import tui_gpt
from tests.fakes import progress, started
from tests.storage.damage import TEXT, altered, open_mutated_settings, resume_altered, tiny_config
from tests.training.workbench import TRAIN, Workbench, learning_log, same_weights
from tui_gpt.config import RunConfig, resolve
from tui_gpt.control import Control
from tui_gpt.errors import DivergedError, StorageError
from tui_gpt.events import (
    Evaluated,
    Event,
    Finished,
    Progress,
    RolledBack,
    Sampled,
    Saved,
    SettingChanged,
    StepSkipped,
    StorageProblem,
    StorageRecovered,
)
from tui_gpt.prior import ngram
from tui_gpt.prior.ngram import NgramPrior
from tui_gpt.requests import TrainRequest
from tui_gpt.session import Session
from tui_gpt.storage.recorder import Recorder
from tui_gpt.storage.runs import Run, RunStore
from tui_gpt.training.checkpoints.tensors import read_checkpoint
from tui_gpt.training.nan_guard import NanGuard

ROOT = Path(__file__).parents[2]


def train(config: RunConfig, name: str, control: Control | None = None) -> Iterator[Event]:
    store = RunStore()
    request = TrainRequest(config=config, name=name)
    if (store.root / name).exists():
        request = TrainRequest(resume=name)
    return Session(store).train(request, control or Control())


def learned(name: str) -> list[Event]:
    """Return the run's log without times and without the events of interruptions."""
    kept: list[Event] = []
    for event in RunStore().get(name).events():
        if isinstance(event, Progress):
            kept.append(dataclasses.replace(event, tokens_per_second=0.0, elapsed_seconds=0.0))
        elif isinstance(event, Evaluated | Sampled | SettingChanged | StepSkipped | RolledBack):
            kept.append(event)
    return kept


def assert_equal_runs(one: str, other: str) -> None:
    """Check that two runs learned the same, to the bit: weights, optimizer, generators, prior, log."""
    assert learned(one) == learned(other)
    for which in ("last", "best"):
        first, second = (
            read_checkpoint(RunStore().get(name).path / which, training=True)
            for name in (one, other)
        )  # fmt: skip
        assert same_weights(first.weights, second.weights)
        assert same_weights(first.training or {}, second.training or {})


# Crashes


@pytest.mark.skipif(sys.platform == "win32", reason="forks and kills")
@pytest.mark.parametrize(
    "arguments",
    [
        ("faults", "--stride", "101"),
        pytest.param(("kill", "--kills", "3"), marks=pytest.mark.slow),
        pytest.param(("faults", "--stride", "67"), marks=pytest.mark.slow),
    ],
)
def test_killed_trainings_resume_exactly(arguments: tuple[str, ...]) -> None:
    """In a separate process, because a fork of one that has computed with several threads would hang."""
    command = [sys.executable, "-m", "benchmarks.torture", *arguments]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


# Exact resumption

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "classic": {"preset": "classic", "dropout": 0.2, "gradient_accumulation": 2},
    "best": {"preset": "best", "members": 2},
    "nano": {"preset": "nano"},
    "bigram": {"preset": "bigram"},
    "quick": {"preset": "quick", "dropout": 0.1},
    "quick on two cores, no prior": {"preset": "quick", "ngram_order": 0, "threads": 2},
}


BY_DEFAULT = ("classic", "best", "quick on two cores, no prior")
"""These cover every part of a model, dropout, an ensemble and replicas."""


@pytest.mark.parametrize(
    "name", [name if name in BY_DEFAULT else pytest.param(name, marks=pytest.mark.slow) for name in ARCHITECTURES]
)
def test_a_run_interrupted_again_and_again_equals_one_that_was_not(name: str, tmp_path: Path) -> None:
    config = tiny_config(tmp_path, max_iters=12, eval_interval=4, sample_interval=6, **ARCHITECTURES[name])
    list(train(config, "straight"))
    for stop_at in (3, 4, 9, 99):
        control = Control()
        for event in train(config, "broken", control):
            if event.step >= stop_at:
                control.stop()
    assert_equal_runs("straight", "broken")


def test_a_step_aborted_in_the_middle_is_repeated_exactly(tmp_path: Path) -> None:
    """Dropout has drawn from its generator by then."""
    straight, first = Workbench(), Workbench()
    whole = learning_log(straight.run())
    passes = {"made": 0}

    def stop_in_the_seventh_pass(*_: object) -> None:
        passes["made"] += 1
        if passes["made"] == 7:
            first.control.stop()

    first.model.register_forward_pre_hook(stop_in_the_seventh_pass)
    before = learning_log(first.run())
    snapshot = first.checkpoints["last"][-1]
    resumed = Workbench(snapshot=snapshot)
    assert snapshot.state.step < 7
    assert before + learning_log(resumed.run()) == whole
    assert same_weights(straight.weights, resumed.weights)


def test_what_is_measured_at_the_step_of_a_checkpoint_is_reported_once(tmp_path: Path) -> None:
    """Stopped in an evaluation, resumed, and stopped again right after it."""
    config = tiny_config(tmp_path, "nano", max_iters=12, eval_interval=4, sample_interval=4)
    list(train(config, "straight"))
    control = Control()
    for event in train(config, "broken", control):
        if event.step == 4:
            control.stop()
    for _ in range(2):
        for kind in (Evaluated, Sampled):
            events = train(config, "broken")
            next(event for event in events if isinstance(event, kind))
            events.close()  # type: ignore[attr-defined]  # a generator, seen as an iterator
    list(train(config, "broken"))
    assert_equal_runs("straight", "broken")


def test_a_log_ahead_of_its_checkpoint_at_the_same_step_is_cut(tmp_path: Path) -> None:
    """Killed after an evaluation was reported and before it was saved."""
    config = tiny_config(tmp_path, "nano", max_iters=12, eval_interval=4, sample_interval=4)
    list(train(config, "straight"))
    control = Control()
    for event in train(config, "broken", control):
        if event.step == 4:
            control.stop()
    last = RunStore().get("broken").path / "last"
    shutil.copytree(last, tmp_path / "saved")
    events = train(config, "broken")
    next(event for event in events if isinstance(event, Sampled))
    events.close()  # type: ignore[attr-defined]  # a generator, seen as an iterator
    _put_back(tmp_path / "saved", last)
    list(train(config, "broken"))
    assert_equal_runs("straight", "broken")


def test_a_consumer_that_stops_at_an_event_changes_nothing(tmp_path: Path) -> None:
    """A loss that was reported is not counted a second time."""
    config = tiny_config(tmp_path, "nano", max_iters=12)
    list(train(config, "straight"))
    for step in (2, 3, 8):
        events = train(config, "broken")
        next(event for event in events if event.step >= step and isinstance(event, Progress | Evaluated))
        events.close()  # type: ignore[attr-defined]  # a generator, seen as an iterator
    list(train(config, "broken"))
    assert_equal_runs("straight", "broken")


def test_a_change_is_repeated_however_often_the_run_is_interrupted_before_its_step(tmp_path: Path) -> None:
    """The log is cut at the checkpoint, but the requests after it are kept."""
    config = tiny_config(tmp_path, "nano", max_iters=12, eval_interval=100)
    _train_with_a_change(config, "straight", until=99)
    saved = tmp_path / "saved"
    _train_with_a_change(config, "broken", until=10, keep=saved)
    last = RunStore().get("broken").path / "last"
    for _ in range(2):
        _put_back(saved, last)
        list(zip(train(config, "broken"), range(2), strict=False))
    _put_back(saved, last)
    list(train(config, "broken"))
    assert SettingChanged(step=8, setting="learning_rate", value=5e-4) in learned("broken")
    assert_equal_runs("straight", "broken")


def _train_with_a_change(config: RunConfig, name: str, until: int, keep: Path | None = None) -> None:
    """Pause and save at step 4, change the rate at step 8; `keep` gets a copy of the checkpoint of step 4."""
    control = Control()
    for event in train(config, name, control):
        if event.step == 4 and isinstance(event, Progress):
            control.pause()
        if isinstance(event, Saved) and event.step == 4:
            if keep is not None:
                shutil.copytree(event.path, keep)
            control.resume()
        if event.step == 8 and isinstance(event, Progress):
            control.change("learning_rate", 5e-4)
        if event.step >= until:
            break


def _put_back(saved: Path, last: Path) -> None:
    """Restore the checkpoint, as if the process had been killed before its next save: the log is ahead of it."""
    shutil.rmtree(last)
    shutil.copytree(saved, last)


def test_a_change_during_a_pause_is_kept_after_a_crash_in_the_pause(tmp_path: Path) -> None:
    """The checkpoint of a pause is older than the changes during it."""
    config = tiny_config(tmp_path, "nano", max_iters=12, eval_interval=100)
    control, saved = Control(), tmp_path / "saved"
    for event in train(config, "one", control):
        if event.step == 4 and isinstance(event, Progress):
            control.pause()
        if isinstance(event, Saved):
            shutil.copytree(event.path, saved)
            control.change("max_iters", 8)
        if isinstance(event, SettingChanged):
            break
    _put_back(saved, RunStore().get("one").path / "last")
    assert list(train(config, "one"))[-1].step == 8


def test_a_rollback_after_nan_is_repeated_however_the_run_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before the first bad step, between the two, and after the second; the restored state is from between."""
    _spoil_steps(monkeypatch, 6, 10)
    config = tiny_config(tmp_path, max_iters=16, eval_interval=7, dropout=0.1)
    list(train(config, "straight"))
    rate = config.train.learning_rate / 2
    assert [event for event in learned("straight") if not isinstance(event, Progress | Evaluated | Sampled)] == [
        StepSkipped(step=6),
        RolledBack(step=10, to_step=7),
        SettingChanged(step=10, setting="learning_rate", value=rate, origin="trainer"),
    ]
    for stop_at in (*range(2, 15, 2), 99):
        control = Control()
        for event in train(config, "broken", control):
            if event.step >= stop_at:
                control.stop()
    assert_equal_runs("straight", "broken")


def test_a_third_bad_step_is_counted_over_interruptions_and_a_lower_rate_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _spoil_steps(monkeypatch, 3, 5, 9)
    config = tiny_config(tmp_path, "nano", max_iters=14, eval_interval=4)
    for stop_at in (4, 8):
        control = Control()
        for event in train(config, "one", control):
            if event.step >= stop_at:
                control.stop()
    with pytest.raises(DivergedError, match="third time, at step 9"):
        list(train(config, "one"))
    assert RunStore().get("one").state == "failed"
    slower = TrainRequest(resume="one", changes={"learning_rate": 1e-4})
    assert list(Session(RunStore()).train(slower, Control()))[-1].step == 14


def test_a_run_whose_rollback_state_is_lost_can_be_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It then rolls back to the step at which it was resumed."""
    _spoil_steps(monkeypatch, 6, 10)
    config = tiny_config(tmp_path, "nano", max_iters=16, eval_interval=7)
    control = Control()
    for event in train(config, "one", control):
        if event.step >= 8:
            control.stop()
    (RunStore().get("one").path / "good" / "model.safetensors").write_bytes(b"")
    assert next(event.to_step for event in train(config, "one") if isinstance(event, RolledBack)) == 8


def _spoil_steps(monkeypatch: pytest.MonkeyPatch, *steps: int) -> None:
    """Let the first step to any of these fail as with NaN, and each repetition of it."""
    is_finite = NanGuard.is_finite

    def spoilt(guard: NanGuard, loss: Tensor, grad_norm: Tensor) -> bool | Tensor:
        return guard._state.step + 1 not in steps and is_finite(guard, loss, grad_norm)

    monkeypatch.setattr(NanGuard, "is_finite", spoilt)


# A disk that refuses


class RefusingRun(Run):
    """A run whose disk is full for a while."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.is_full = False

    def record(self, event: Event) -> None:
        if self.is_full:
            raise StorageError("the disk is full: free some space")
        super().record(event)


def test_events_wait_for_a_full_disk_and_are_written_in_order(tmp_path: Path) -> None:
    run = RefusingRun(RunStore().create(tiny_config(tmp_path, "nano"), "one").path)
    recorder = Recorder(run)
    reported: list[Event] = []
    for step, is_full in enumerate([False, True, True, False], start=1):
        run.is_full = is_full
        reported += recorder.take(progress(step))
    assert [event for event in reported if not isinstance(event, Progress)] == [
        StorageProblem(step=2, problem="the disk is full: free some space"),
        StorageRecovered(step=4),
    ]
    assert [event.step for event in run.events()] == [1, 2, 2, 3, 4, 4]
    recorder.require_all()


def test_a_log_that_was_never_written_ends_in_an_error(tmp_path: Path) -> None:
    run = RefusingRun(RunStore().create(tiny_config(tmp_path, "nano"), "one").path)
    run.is_full = True
    recorder = Recorder(run)
    list(recorder.take(started()))
    recorder.end("finished")
    with pytest.raises(StorageError, match="full"):
        recorder.require_all()


def test_writing_a_best_checkpoint_is_retried() -> None:
    bench = Workbench(train=dataclasses.replace(TRAIN, max_iters=5))
    refused: list[object] = []

    def refuse_the_first_best(kind: str, snapshot: object) -> Path:
        if kind == "best" and not refused:
            refused.append(snapshot)
            raise StorageError("the disk is full")
        return bench.keep(kind, snapshot)  # type: ignore[arg-type]  # passed on as it came

    bench.commit = refuse_the_first_best
    events = bench.run()
    assert refused[0] in bench.checkpoints["best"]
    reports = [event for event in events if isinstance(event, StorageProblem | StorageRecovered)]
    assert [event.type for event in reports] == ["storage_problem", "storage_recovered"]
    assert getattr(reports[0], "problem", None) == "the disk is full"


def test_a_run_that_would_not_fit_on_the_disk_does_not_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(StorageError, match="free some space"):
        list(train(tiny_config(tmp_path), "one"))
    assert RunStore().list() == []


TINY = ["--preset", "nano", "--n-layer", "1", "--n-embd", "64", "--n-head", "2", "--block-size", "16", "--threads", "1"]
STEPS = ["--max-iters", "20", "--eval-interval", "10", "--log-interval", "5", "--warmup-iters", "0"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX systems")
def test_on_a_full_disk_training_continues_reports_it_and_exits_with_an_error(tmp_path: Path) -> None:
    """A limit on the size of files fails like a full disk, in the middle of a write."""
    (tmp_path / "text.txt").write_text(TEXT)
    program = (
        "import resource, sys; from tui_gpt.cli.main import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); main()"
    )
    command = [sys.executable, "-c", program, "train", "text.txt", "--headless", "--json", "--name", "one"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [*command, *TINY, *STEPS],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.returncode == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "larger than allowed" in ended.stderr
    assert (events[-1]["type"], events[-1]["step"]) == ("finished", 20)
    assert any(event["type"] == "storage_problem" for event in events)


def test_an_exceeded_quota_is_reported_and_saving_continues_when_there_is_space_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every write fails while it lasts; what could not be saved then is saved afterwards."""
    is_used_up = False
    write = os.write

    def limited(descriptor: int, data: bytes) -> int:
        if is_used_up:
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", limited)
    reports: list[Event] = []
    for event in train(tiny_config(tmp_path, "nano", max_iters=16, eval_interval=4), "one"):
        if isinstance(event, Progress):
            is_used_up = 3 <= event.step < 11
        if isinstance(event, StorageProblem | StorageRecovered):
            reports.append(event)
    assert "your disk quota is used up: free some space" in getattr(reports[0], "problem", "")
    assert isinstance(reports[-1], StorageRecovered)
    assert read_checkpoint(RunStore().get("one").path / "last").info.step == 16
    assert [event.step for event in learned("one")] == sorted(event.step for event in learned("one"))


@pytest.fixture
def read_only_home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home that must not be written; root, whom permissions do not restrict, becomes another user meanwhile.

    That user may not be able to read this checkout, so that all that is imported late is imported before.
    """
    list(train(resolve("bigram", "tinyshakespeare", max_iters=1), "before"))
    home = Path("/tmp") / f"read-only-{os.getpid()}"
    home.mkdir()
    text = home / "text.txt"
    text.write_text(TEXT)
    home.chmod(0o555)
    monkeypatch.setenv("TUI_GPT_HOME", str(home))
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65_534)
    try:
        yield home
    finally:
        if is_root:
            os.seteuid(0)
        home.chmod(0o755)
        shutil.rmtree(home)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX systems")
def test_a_read_only_folder_is_reported_in_one_line(read_only_home: Path) -> None:
    config = resolve("bigram", str(read_only_home / "text.txt"), max_iters=3)
    with pytest.raises(StorageError, match="permission denied: change the permissions"):
        list(train(config, "one"))


# Damage


@pytest.mark.parametrize("name", ["config.toml", "state.json", "notebook"])
def test_damaged_files_of_the_user_are_reported_in_one_line_or_tolerated(name: str) -> None:
    assert open_mutated_settings(name, 60, seed=1) == 60


def test_a_run_with_a_damaged_checkpoint_is_generated_from_and_resumed_or_refused(tmp_path: Path) -> None:
    assert resume_altered(tmp_path / "runs", 25, seed=1) == 25


def test_one_value_is_altered_at_a_time() -> None:
    record = {"a": [1, {"b": 2}], "c": "d"}
    assert altered(record, random.Random(1)) != record
    assert record == {"a": [1, {"b": 2}], "c": "d"}


# Files of strangers


def _prior_state() -> dict[str, np.ndarray]:
    return NgramPrior.fit(np.arange(300) % 7, 7, 3).state()


def test_a_prior_is_restored_as_saved() -> None:
    assert NgramPrior.from_state(_prior_state()).order == 3


def test_a_prior_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngram, "FIT_LIMIT", 1000)
    bomb = np.frombuffer(zlib.compress(bytes(5_000_000)), np.uint8)
    with pytest.raises(ValueError, match="too many"):
        NgramPrior.from_state({**_prior_state(), "tokens": bomb})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tokens", np.frombuffer(zlib.compress(bytes([1, 2, 9] * 100)), np.uint8)),
        ("tokens", np.zeros(9, np.uint8)),
        ("settings", np.array([7, 99, 9, 1, 300])),
        ("settings", np.array([7, 3, 9, 3, 300])),
        ("settings", np.array([7, 3])),
        ("discounts", np.full((4, 4), np.nan, np.float32)),
        ("discounts", np.zeros((2, 4), np.float32)),
    ],
)
def test_a_prior_out_of_its_range_is_refused(name: str, value: np.ndarray) -> None:
    """Its counts are used as indices, in C too."""
    with pytest.raises(ValueError, match=r"^its? "):
        NgramPrior.from_state({**_prior_state(), name: value})


def test_a_run_on_a_text_larger_than_the_prior_counts_can_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ngram, "FIT_LIMIT", 900)
    config = tiny_config(tmp_path, "quick", max_iters=8)
    list(train(config, "straight"))
    control = Control()
    for event in train(config, "broken", control):
        if event.step >= 4:
            control.stop()
    list(train(config, "broken"))
    assert_equal_runs("straight", "broken")


RUNS_CODE = {"eval", "exec", "compile", "__import__"}
"""Built-in functions that execute text."""


def test_nothing_in_the_program_unpickles_or_executes_a_file() -> None:
    """No pickle in any guise, no torch.load but the import command's; numpy's loader is pickle's too."""
    banned = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
    for path in Path(tui_gpt.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert not banned & {name.name.partition(".")[0] for name in node.names}, path
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").partition(".")[0] not in banned, path
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in RUNS_CODE, path
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                loads = {("np", "load"), ("numpy", "load")} | (
                    {("torch", "load")} if path.name != "pt_file.py" else set()
                )
                assert (node.value.id, node.attr) not in loads, path


EVIL = "evil\x1b]0;owned\x07\x9b2J\u202e[red].txt"


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal")
@pytest.mark.parametrize(
    "command",
    [
        ["data", "info"],
        ["generate", "--run", "shipped", "--max-new-tokens", "40"],
        pytest.param(
            ["train", "--headless", "--json", *TINY, *STEPS, "--sample-interval", "10"], marks=pytest.mark.slow
        ),
    ],
)
def test_a_text_full_of_escape_sequences_does_nothing_to_the_terminal(command: list[str], tmp_path: Path) -> None:
    """Neither its name nor its content, nor what a model trained on it generates, on stdout or stderr.

    The program's own titles and bells are off.
    """
    from tests.cli.terminals import Terminal

    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "config.toml").write_text("[alerts]\ntitle = false\nbell = false\nnotification = false\n")

    text = tmp_path / EVIL
    text.write_text("\x1b]0;owned\x07\x9b2J\u202e\x9b31m bold [red] words" + " and many more" * 40 + "\n" * 9)
    with Terminal(["-m", "tui_gpt", *command, str(text)], tmp_path / "home") as terminal:
        assert terminal.wait_for_exit() == 0, terminal.words
    for sign in ("\x1b]", "\x07", "\x9b", "\u202e"):
        assert sign not in terminal.screen
    assert "words" in terminal.screen or "evil" in terminal.screen


def test_what_a_finished_run_saved_is_there(tmp_path: Path) -> None:
    """Its files are those that its last events report."""
    events = list(train(tiny_config(tmp_path), "one"))
    run = RunStore().get("one")
    assert isinstance(events[-1], Finished)
    assert list(run.events()) == events
    assert read_checkpoint(run.require_checkpoint("last"), training=True).info.step == events[-1].step
