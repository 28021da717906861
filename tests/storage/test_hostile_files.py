"""A run's folder, or a whole home, from a stranger: no command waits, writes elsewhere, runs code or breaks."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.helpers import Result
from tests.storage.damage import trained
from tests.storage.hostile import KINDS, NotPossibleHereError, Outside, obey_modes, put, remove_all, watchdog
from tui_gpt.cli import doctor
from tui_gpt.cli import main as cli
from tui_gpt.storage import paths
from tui_gpt.storage.runs import RunStore
from tui_gpt.training.compute import machine
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.generate.notebook import Answer, Card, History

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes, sockets and devices are files of POSIX systems")

CHECKPOINT_FILES = ("checkpoint.json", "model.safetensors", "training.safetensors")
RUN_PLACES = (
    *("", "run.json", "events.jsonl", "lock", "changes.jsonl", "note.json", ".run.json.0a1b2c3d.tmp"),
    *("requests", "requests/0123456789abcdef.json", "requests/0123456789abcdef.answer.json"),
    *("last", "best", "good", ".last.new", ".last.old", ".last.tmp", ".best.new", ".good.old"),
    *(f"{which}/{name}" for which in ("last", "best") for name in CHECKPOINT_FILES[: 3 if which == "last" else 2]),
    *(f"good/{name}" for name in CHECKPOINT_FILES),
)
"""Relative to the run's folder."""
HOME_PLACES = (
    *("runs", "corpora", "corpora/own.txt", "config.toml", "state.json", "logs", "logs/native.log"),
    *("history.jsonl", "history.jsonl.lock"),
)
"""Relative to the user's home."""
FOLDERS = ("runs", "corpora", "logs")
GIFT_PLACES = ("run.json", "events.jsonl", "lock", "last", "last/checkpoint.json", "last/model.safetensors")
"""Relative to a run's folder that is given by its path."""
LIGHT = (
    *(("runs", "list"), ("runs", "list", "--json"), ("runs", "show", "run"), ("runs", "show", "run", "--json")),
    *(("runs", "export", "run", "{new}/a"), ("runs", "export", "run@last", "{new}/b"), ("config", "show")),
)
HEAVY = (
    ("generate", "the ", "--run", "run", "--max-new-tokens", "2", "--seed", "1"),
    ("generate", "the ", "--run", "run@last", "--max-new-tokens", "2", "--seed", "1"),
    ("eval", "--run", "run"),
    ("train", "--headless", "--quiet", "--resume", "run", "--max-iters", "7"),
)
LAST = (("runs", "rm", "run", "--yes"), ("runs", "list"))
HOME = (
    *(("config", "show"), ("config", "init"), ("data", "list"), ("data", "add", "{new}/text.txt", "--name", "own")),
    *(("data", "info", "own"), ("runs", "list"), ("generate", "the ", "--max-new-tokens", "1", "--seed", "1")),
    ("config", "init", "--force"),
)


Pairs = list[tuple[str, str]]


def some_pairs(places: Sequence[str], kinds: Sequence[str] = tuple(KINDS)) -> Pairs:
    """Return each place with one kind of thing and each kind with one place, at least."""
    count = max(len(places), len(kinds))
    return [(kinds[number % len(kinds)], places[number % len(places)]) for number in range(count)]


def all_pairs(places: Sequence[str], kinds: Sequence[str] = tuple(KINDS)) -> Pairs:
    """Return each place with each kind of thing."""
    return [(kind, place) for kind in kinds for place in places]


def some_or_all(places: Sequence[str], kinds: Sequence[str] = tuple(KINDS)) -> pytest.MarkDecorator:
    """Run a test with some pairs of a kind and a place by default, and with all of them under `-m slow`."""
    every = pytest.param(all_pairs(places, kinds), marks=pytest.mark.slow, id="all")
    return pytest.mark.parametrize("pairs", [pytest.param(some_pairs(places, kinds), id="some"), every])


class Trial:
    """Runs commands on what a stranger has put somewhere, and counts them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.outside = Outside(folder / "outside")
        self.new = folder / "new"
        self.new.mkdir()
        (self.new / "text.txt").write_text("a text of my own\n" * 50)
        self.count = 0
        self.longest = 0.0
        self._capsys = capsys

    def of(self, commands: Sequence[Sequence[str]]) -> list[Result]:
        """Run some commands; each may fail with one line."""
        return [self._one(tuple(part.format(new=self.new) for part in command)) for command in commands]

    def doing(self, name: str, work: Callable[[], object]) -> None:
        """Run a part of the app."""
        before = self.outside.state()
        with watchdog() as taken:
            work()
        self._note(taken, before, name)

    def _one(self, command: tuple[str, ...]) -> Result:
        before = self.outside.state()
        with watchdog() as taken:
            code = cli.run(command)
        self._note(taken, before, " ".join(command))
        captured = self._capsys.readouterr()
        errors = [line for line in captured.err.splitlines() if line.startswith("error: ")]
        assert code in (0, 1, 2), (command, code)
        assert len(errors) == (code != 0), (command, captured.err)
        assert "unexpected" not in captured.err, (command, captured.err)
        assert "Traceback" not in captured.err + captured.out
        return Result(code, captured.out, captured.err)

    def _note(self, taken: list[float], before: object, what: str) -> None:
        assert self.outside.state() == before, what
        self.count += 1
        self.longest = max(self.longest, *taken)


@dataclass
class Tally:
    """How many commands were run, and the longest time."""

    count: int = 0
    longest: float = 0.0


@pytest.fixture(scope="module")
def tally() -> Iterator[Tally]:
    """Print, with `pytest -s`, how many commands the tests of this file have run."""
    tally = Tally()
    yield tally
    print(
        f"\n{len(KINDS)} kinds of things in {len(RUN_PLACES)} places of a run and {len(HOME_PLACES)} of a home: "
        f"{tally.count:,} commands, the longest {tally.longest:.2f} s"
    )


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one run that has every file that a run can have."""
    home = tmp_path_factory.mktemp("healthy") / "home"
    run = trained(home / "runs", "bigram")
    shutil.copytree(run / "last", run / "good")
    (run / "changes.jsonl").write_text("")
    return home


@pytest.fixture
def trial(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> Iterator[Trial]:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # power is not lost here, and hundreds of them are slow
    obey_modes(monkeypatch)
    trial = Trial(tmp_path, capsys)
    yield trial
    tally.count += trial.count
    tally.longest = max(tally.longest, trial.longest)
    remove_all(tmp_path)


def prepared(kind: str, name: str, healthy: Path, trial: Trial) -> bool:
    """Copy the healthy home and put a thing into one place of it; return whether that is possible here."""
    remove_all(paths.home())
    shutil.copytree(healthy, paths.home())
    with suppress(NotPossibleHereError):
        put(kind, paths.home() / name, trial.outside)
        return True
    return False


def watch(run: str) -> None:
    """Read what the app's Runs tab shows, and its Train tab for a run that is resumed."""
    store = RunStore()
    store.list()
    store.newest()
    with suppress(FileNotFoundError):
        list(store.open_at(store.root / run).events()) if (store.root / run / "run.json").is_file() else None


@some_or_all(RUN_PLACES)
def test_no_list_export_or_removal_is_harmed_by_what_is_in_a_run(pairs: Pairs, healthy: Path, trial: Trial) -> None:
    for kind, place in pairs:
        if prepared(kind, f"runs/run/{place}", healthy, trial):
            trial.doing("watch", lambda: watch("run"))
            trial.of([*LIGHT, *LAST])
            shutil.rmtree(trial.new / "a", ignore_errors=True)
            shutil.rmtree(trial.new / "b", ignore_errors=True)


@some_or_all(RUN_PLACES)
def test_no_generation_or_training_is_harmed_by_what_is_in_a_run(pairs: Pairs, healthy: Path, trial: Trial) -> None:
    for kind, place in pairs:
        if prepared(kind, f"runs/run/{place}", healthy, trial):
            trial.of([*HEAVY, *LAST])


@some_or_all(HOME_PLACES)
def test_no_command_is_harmed_by_what_is_in_a_home(
    pairs: Pairs, healthy: Path, trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "MEASURE_SECONDS", 0.0)
    for kind, place in pairs:
        is_own_choice = kind == "link to a folder" and place in FOLDERS  # made by a user who moves it to another disk
        if not is_own_choice and prepared(kind, place, healthy, trial):
            trial.doing("history", use_history)
            trial.doing("state", lambda: AppState.load().save())
            trial.of(HOME)
            if place == "config.toml":
                trial.doing("doctor", lambda: list(doctor.examine({})))


@pytest.mark.parametrize("source", ["-", "{pipe}", "/dev/zero"])
@pytest.mark.parametrize("is_saved", [True, False])
def test_a_run_with_a_pipe_as_its_text_does_not_hang(
    source: str, is_saved: bool, healthy: Path, trial: Trial, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    shutil.copytree(healthy, paths.home())
    run = paths.runs_dir() / "run"
    for file in (run / "run.json", *run.glob("*/checkpoint.json")):
        record = json.loads(file.read_text())
        record["config"]["corpus"] = source.format(pipe=tmp_path / "pipe")
        file.write_text(json.dumps(record))
    if not is_saved:
        shutil.rmtree(run / "last")
    results = trial.of(HEAVY[-2:])
    assert [result.code for result in results] == [2, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_regular_file_is_imported(kind: str, trial: Trial, tmp_path: Path) -> None:
    with suppress(NotPossibleHereError):
        put(kind, tmp_path / "model.pt", trial.outside)
        trial.of([("runs", "import", str(tmp_path / "model.pt"), "--name", "gift")])
        assert RunStore().list() == []


@some_or_all(GIFT_PLACES)
def test_a_folder_given_by_its_path_is_treated_alike(pairs: Pairs, healthy: Path, trial: Trial, tmp_path: Path) -> None:
    """A run or a checkpoint can be opened anywhere."""
    for kind, place in pairs:
        gift = tmp_path / "gift"
        remove_all(gift)
        shutil.copytree(healthy / "runs" / "run", gift)
        with suppress(NotPossibleHereError):
            put(kind, gift / place, trial.outside)
            trial.of(
                [
                    ("generate", "the ", "--model-path", str(gift), "--max-new-tokens", "1", "--seed", "1"),
                    ("generate", "the ", "--model-path", str(gift / "last"), "--max-new-tokens", "1", "--seed", "1"),
                    ("eval", "--model-path", str(gift / "last")),
                    ("train", "--headless", "--quiet", "--resume", "--model-path", str(gift), "--max-iters", "7"),
                ]
            )


IN_PROCESSES = ("link", "link to nothing", "hard link", "pipe", "device", "folder", "sparse file")
COMMANDS = ("runs list", "runs show run", "runs rm run --yes")


@some_or_all(COMMANDS, IN_PROCESSES)
def test_commands_in_their_own_processes_end_in_time_with_one_line(pairs: Pairs, healthy: Path, trial: Trial) -> None:
    """The watchdog's signal cannot interrupt those."""
    for kind, command in pairs:
        remove_all(paths.home())
        shutil.copytree(healthy, paths.home())
        for place in ("lock", "events.jsonl", "run.json"):
            with suppress(NotPossibleHereError):
                put(kind, paths.runs_dir() / "run" / place, trial.outside)
        before = trial.outside.state()
        ended = subprocess.run(
            [sys.executable, "-m", "tui_gpt", *command.split()], capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode in (0, 1, 2)
        assert ended.stderr.count("\n") == (ended.returncode != 0), ended.stderr
        assert trial.outside.state() == before


def use_history() -> None:
    history = History()
    history.load()
    history.save(Card(answers=(Answer(prompt="the", text=" fox"),)))
    History().load()
