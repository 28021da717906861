"""What the program writes, and what its own loaders must find after a power loss.

Each scenario is a few short steps with tiny files: the faults that such tests find need no more. A check is given the
number of promises that were kept until then; what comes next may be there or not, but must be sound.
"""

import dataclasses
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import torch

from tests.fakes import evaluated, finished, progress, started
from tests.storage.disk.survey import Scenario
from tests.storage.fuzzing import listing
from tui_gpt.config import DEFAULT_CORPUS, SampleConfig, TrainConfig, resolve
from tui_gpt.control import Control
from tui_gpt.events import Evaluated, Event, Finished, Progress, Saved, SettingChanged
from tui_gpt.models.build import build_model
from tui_gpt.requests import TrainRequest
from tui_gpt.session import Session
from tui_gpt.storage import crash
from tui_gpt.storage.checkpoint import quantize_checkpoint
from tui_gpt.storage.export.hf import export_hf
from tui_gpt.storage.export.table import csv_text, export_csv
from tui_gpt.storage.export.tensorboard import export_tensorboard
from tui_gpt.storage.files import atomic_write, write_synced
from tui_gpt.storage.folders import candidates, commit_folder
from tui_gpt.storage.manifest import CheckpointInfo, newest_complete
from tui_gpt.storage.recorder import Recorder
from tui_gpt.storage.runs import Run, RunState, RunStore
from tui_gpt.storage.runs.trash import Trash
from tui_gpt.text import corpora
from tui_gpt.text.library import list_corpora, remove_text, rename_text
from tui_gpt.training.checkpoints.background import BackgroundSaver
from tui_gpt.training.checkpoints.tensors import read_checkpoint, write_checkpoint
from tui_gpt.training.checkpoints.writer import CheckpointWriter, read_good
from tui_gpt.training.imports.run import import_run
from tui_gpt.training.replay import cut_log
from tui_gpt.training.state import Kind, Snapshot, TrainerState
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.generate import notebook
from tui_gpt.tui.generate.notebook import Answer, Card, History
from tui_gpt.tui.generate.notebook import history as history_module
from tui_gpt.tui.generate.notebook.layouts import Undone

CONFIG = resolve("bigram")
TOKENIZER = {"type": "character", "characters": "abc"}
NAME = "plays"


def expect(is_so: bool, what: str) -> None:
    """Raise AssertionError unless the condition holds."""
    if not is_so:
        raise AssertionError(what)


# Files and folders


def _commit(target: Path, content: str) -> None:
    def fill(folder: Path) -> None:
        for name in ("a", "b"):
            write_synced(folder / name, [content.encode()])

    commit_folder(target, fill)


def newest_folder(target: Path) -> int:
    """Return the content of the newest complete folder, or 0 if there is none."""
    for folder in candidates(target):
        if (folder / "a").exists() and (folder / "b").exists():
            found = {(folder / name).read_text() for name in ("a", "b")}
            expect(len(found) == 1, f"a folder of two commits: {found}")
            return int(found.pop())
    return 0


def _commit_three_times(root: Path) -> Iterator[None]:
    for number in (101, 102, 103):
        _commit(root / "out" / "last", str(number))
        yield


def _one_of_two_folders(root: Path, promises: int) -> None:
    found = newest_folder(root / "out" / "last") or 100
    expect(found - 100 in (promises, promises + 1), f"found {found}")


def commit_after(start: Callable[[Path], None]) -> Scenario:
    """Continue after a power loss: one more commit."""
    found = 0

    def begin(root: Path) -> None:
        nonlocal found
        start(root)
        found = newest_folder(root / "out" / "last") or 100

    def work(root: Path) -> Iterator[None]:
        _commit(root / "out" / "last", str(found + 1))
        yield

    def check(root: Path, promises: int) -> None:
        there = newest_folder(root / "out" / "last") or 100
        expect(there in (found + promises, found + 1), f"found {there}")

    return Scenario("a folder again", work, check, begin)


def _write_three_times(root: Path) -> Iterator[None]:
    for number in (101, 102, 103):
        atomic_write(root / "deep" / "er" / "file", str(number).encode())
        yield


def _one_of_two_files(root: Path, promises: int) -> None:
    path = root / "deep" / "er" / "file"
    found = int(path.read_text()) if path.exists() else 100
    expect(found - 100 in (promises, promises + 1), f"found {found}")


# Runs


def _weights(step: int) -> dict[str, torch.Tensor]:
    return {"table": torch.full((3, 3), float(step))}


def _snapshot(step: int, good: Snapshot | None = None) -> Snapshot:
    state = TrainerState(step=step, max_iters=9, good_step=good.state.step if good else step)
    return Snapshot(state, CONFIG.train, _weights(step), {"moments": torch.full((2,), step)}, good)


def _info(state: TrainerState, train: TrainConfig = CONFIG.train) -> CheckpointInfo:
    return CheckpointInfo(
        config=dataclasses.replace(CONFIG, train=train),
        tokenizer=TOKENIZER,
        vocab_size=3,
        step=state.step,
        max_iters=state.max_iters,
        extra=dataclasses.asdict(state),
        created="2026-01-01T00:00:00+00:00",
    )


def _write(target: Path, snapshot: Snapshot, with_training: bool) -> None:
    info = _info(snapshot.state, snapshot.config)
    write_checkpoint(target, info, snapshot.weights, snapshot.training if with_training else None)


def _take(recorder: Recorder, *events: Event) -> None:
    for event in events:
        for _ in recorder.take(event):
            pass


LIFE: tuple[tuple[int, int, bool], ...] = (
    *((0, 0, False), (1, 0, False), (1, 1, False), (1, 2, False), (1, 3, False), (4, 3, False), (4, 4, False)),
    *((4, 4, True), (4, 4, True)),
)
"""The steps of `best` and `last`, and whether the run has ended, after each promise of `_live`."""


def _live(root: Path) -> Iterator[None]:
    """Write a run from its beginning to its end, including `good`."""
    run = RunStore(root / "runs").create(CONFIG, NAME)
    yield
    with run.lock():
        recorder, keeper = Recorder(run), CheckpointWriter(run, _write)

        def save(kind: Kind, snapshot: Snapshot) -> None:
            path = keeper.commit(kind, snapshot)
            _take(recorder, Saved(step=snapshot.state.step, path=path.name))

        first, fourth = _snapshot(1), _snapshot(4)
        _take(recorder, started(9), progress(1), evaluated(1, 3.0))
        save("best", first)
        yield
        save("last", first)
        yield
        for step in (2, 3):
            _take(recorder, progress(step))
            save("last", _snapshot(step, first))
            yield
        _take(recorder, progress(4), evaluated(4, 2.5))
        save("best", fourth)
        yield
        save("last", fourth)
        yield
        _take(recorder, finished(4))
        yield


def _lives(root: Path, promises: int) -> None:
    run = Run(root / "runs" / NAME)
    sound = [_checkpoint_step(run, "best"), _checkpoint_step(run, "last")]
    least, most = LIFE[max(0, promises - 1)], LIFE[promises]
    expect(all(a <= b <= c for a, b, c in zip(least, sound, most, strict=False)), f"best and last are of {sound}")
    if promises == 0 and not run.path.exists():
        return
    expect(run.state != "damaged", "the run is damaged")
    events = list(run.events())
    steps = [event.step for event in events if isinstance(event, Progress)]
    newest = max(sound)
    expect(steps[:newest] == list(range(1, newest + 1)), f"the log has the steps {steps}")
    expect(not least[2] or isinstance(events[-1], Finished), "the log has no end")
    expect(not least[2] or run.state == "finished", f"the run is {run.state}")


def _checkpoint_step(run: Run, kind: Kind) -> int:
    """Return the step of a complete and consistent checkpoint, or 0 if there is none."""
    folder = run.checkpoint_dir(kind)
    if folder is None:
        return 0
    checkpoint = read_checkpoint(folder, training=kind == "last")
    step = checkpoint.info.step
    expect(torch.equal(checkpoint.weights["table"], _weights(step)["table"]), "the weights are of another step")
    if kind == "last":
        expect(checkpoint.training is not None, "the optimizer is lost")
        good_step = checkpoint.info.extra["good_step"]
        good = read_good(run, TrainerState(step=step, good_step=int(good_step or 0)))
        expect(good is not None or good_step == step, "what the run goes back to is lost")
        expect(good is None or torch.equal(good.weights["table"], _weights(1)["table"]), "it goes back elsewhere")
    return step


def live_after(start: Callable[[Path], None]) -> Scenario:
    """Continue a run after a power loss: one more step, and a save."""
    best = last = 0

    def begin(root: Path) -> None:
        nonlocal best, last
        start(root)
        best, last = (_checkpoint_step(Run(root / "runs" / NAME), kind) for kind in ("best", "last"))

    def work(root: Path) -> Iterator[None]:
        run = Run(root / "runs" / NAME)
        if not run.path.exists():
            run = RunStore(root / "runs").create(CONFIG, NAME)
        with run.lock():
            if last:
                cut_log(run, _info(TrainerState(step=last)))
            else:
                run.log.truncate(-1)
            recorder, keeper = Recorder(run), CheckpointWriter(run, _write)
            _take(recorder, started(9), progress(last + 1), evaluated(last + 1, 2.0))
            keeper.commit("best", _snapshot(last + 1))
            keeper.commit("last", _snapshot(last + 1))
            yield

    def check(root: Path, promises: int) -> None:
        run = Run(root / "runs" / NAME)
        newer = _checkpoint_step(run, "last")
        expect(newer in (last + promises, last + 1), f"last is of step {newer}")
        expect(_checkpoint_step(run, "best") in ({last + 1} if promises else {best, last + 1}), "best is another one")
        steps = [event.step for event in run.events() if isinstance(event, Progress)]
        expect(steps[:newer] == list(range(1, newer + 1)), f"step {newer}: the log has the steps {steps}")

    return Scenario("a run's life again", work, check, begin)


class _Training:
    """A run as the trainer itself writes it, its checkpoints in the thread that trains."""

    EVALUATIONS = (2, 4)

    def __init__(self) -> None:
        self._promised: list[dict[str, int]] = []
        """The steps of the checkpoints that were announced, after each promise."""

    def work(self, root: Path) -> Iterator[None]:
        """Train; each announced checkpoint is a promise."""
        config = resolve("bigram", str(root / "fox.txt"), batch_size=2, max_iters=4, eval_interval=2, log_interval=1)
        session = Session(RunStore(root / "runs"))
        saved: dict[str, int] = {}
        self._promised = [dict(saved)]
        with _home(root), patch.object(BackgroundSaver, "submit", _save_at_once):
            for event in session.train(TrainRequest(config=config, name=NAME), Control()):
                if isinstance(event, Saved):
                    saved[Path(event.path).name] = event.step
                    self._promised.append(dict(saved))
                    yield

    def check(self, root: Path, promises: int) -> None:
        """Check that the checkpoints are there, and the log with all measurements until then."""
        run = Run(root / "runs" / NAME)
        least = self._promised[promises]
        steps = {"best": 0, "last": 0}
        for kind in ("best", "last"):
            folder = run.checkpoint_dir(kind)
            if folder is not None:
                steps[kind] = read_checkpoint(folder, training=kind == "last").info.step
            expect(steps[kind] >= least.get(kind, 0), f"{kind} is of step {steps[kind]}, {least} was announced")
        newest = max(steps.values())
        events = list(run.events())
        made = [event.step for event in events if isinstance(event, Progress)]
        expect(made[:newest] == list(range(1, newest + 1)), f"{steps}: the log has the steps {made}")
        measured = {event.step for event in events if isinstance(event, Evaluated)}
        missing = {step for step in self.EVALUATIONS if step <= newest} - measured
        expect(not missing, f"{steps}: the log lacks the evaluations of {missing}")


def _save_at_once(saver: BackgroundSaver, kind: str, step: int, job: Callable[[], Path]) -> None:
    saver._results.append(saver._attempt(kind, step, job))


def _fox(root: Path) -> None:
    (root / "fox.txt").write_text("the quick brown fox jumps over the lazy dog\n" * 40)


TRAINING = _Training()
STATES: tuple[RunState, ...] = ("new", "running", "paused", "stopped")


def _describe(root: Path) -> Iterator[None]:
    """`run.json` alone."""
    run = RunStore(root / "home" / "runs").create(CONFIG, NAME)
    yield
    for state in STATES[1:]:
        run.set_state(state)
        yield


def _is_described(root: Path, promises: int) -> None:
    run = Run(root / "home" / "runs" / NAME)
    if promises == 0 and not run.path.exists():
        return
    shown = {"interrupted": ("running", "paused")}.get(run.state, (run.state,))
    found = {STATES.index(state) for state in shown}
    expect(bool(found & {promises - 1, promises}), f"promise {promises}: {run.state}")
    expect(run.config == CONFIG, "the configuration has changed")


def _record(root: Path) -> Iterator[None]:
    """Write the log, with a checkpoint that must not be ahead of it."""
    run = RunStore(root).create(CONFIG, NAME)
    yield
    for step in (1, 2, 3):
        run.record(progress(step))
        CheckpointWriter(run, _write).commit("last", _snapshot(step))
        yield
    run.record(progress(4))
    run.record(Saved(step=4, path="last"))
    yield


def _log_is_not_behind(root: Path, promises: int) -> None:
    run = Run(root / NAME)
    steps = [event.step for event in run.events() if isinstance(event, Progress)]
    newest = _checkpoint_step(run, "last")
    expect(newest >= min(3, promises - 1), f"the checkpoint is of step {newest}")
    expect(steps[:newest] == list(range(1, newest + 1)), f"step {newest}: the log has {steps}")
    expect(promises < 5 or 4 in steps, "a recorded save is lost")


# Resuming


def _interrupted(root: Path) -> None:
    """Create a run whose log is ahead of its checkpoint, with changes that are re-applied on resume."""
    run = RunStore(root).create(CONFIG, NAME)
    run.record(started(9))
    for step in (1, 2, 3, 4):
        run.record(progress(step))
        run.record(SettingChanged(step=step, setting="learning_rate", value=step / 100))
    write_checkpoint(run.checkpoint_target("last"), _info(TrainerState(step=2, max_iters=9)), _weights(2), {})


def _resume(root: Path) -> Iterator[None]:
    run = Run(root / NAME)
    info = _info(TrainerState(step=2, max_iters=9))
    for _ in range(2):
        cut_log(run, info)
        yield
        run.record(progress(3))


def _is_resumed(root: Path, promises: int) -> None:
    run = Run(root / NAME)
    steps = [event.step for event in run.events() if isinstance(event, Progress)]
    expect(steps[:2] == [1, 2], f"the log has lost its beginning: {steps}")
    changes = cut_log(run, _info(TrainerState(step=2, max_iters=9)))
    expected = {step: {"learning_rate": step / 100} for step in (2, 3, 4)}
    expect(changes == expected, f"the changes ahead are {changes}")
    expect([event.step for event in run.events() if isinstance(event, Progress)] == [1, 2], "the log was not cut")


# Copies of runs


def _a_run(root: Path) -> None:
    """Create a run with both checkpoints."""
    run = RunStore(root / "runs").create(CONFIG, NAME)
    run.record(started(9))
    for kind in ("best", "last"):
        write_checkpoint(run.path / kind, _info(TrainerState(step=5, max_iters=9)), _weights(5), {})


def _export(root: Path) -> Iterator[None]:
    place = RunStore(root / "runs").export(NAME, "best", root / "mine" / "model")
    yield
    quantize_checkpoint(place)
    yield


def _is_exported(root: Path, promises: int) -> None:
    folder = newest_complete(root / "mine" / "model")
    expect(folder is not None or promises == 0, "the copy is lost")
    if folder is not None:
        weights = read_checkpoint(folder).weights["table"]
        expect(torch.allclose(weights, _weights(5)["table"], rtol=0.01), "the copy is another model")
    expect(read_checkpoint(root / "runs" / NAME / "best").info.step == 5, "the run itself is damaged")


def _lecture_model(root: Path) -> None:
    (root / "text.txt").write_text("abc\n")
    torch.save({"token_embedding_table.weight": torch.eye(4)}, root / "model.pt")


def _import(root: Path) -> Iterator[None]:
    import_run(RunStore(root / "home" / "runs"), root / "model.pt", str(root / "text.txt"), NAME)
    yield


def _is_imported(root: Path, promises: int) -> None:
    run = Run(root / "home" / "runs" / NAME)
    if promises == 0 and not run.path.exists():
        return
    expect(run.state == "stopped" or (promises == 0 and run.state == "new"), f"the run is {run.state}")
    for kind in ("best", "last"):
        folder = run.checkpoint_dir(kind)
        expect(folder is not None or promises == 0, f"{kind} is lost")
        if folder is not None:
            expect(
                torch.equal(read_checkpoint(folder).weights["token_embedding.weight"], torch.eye(4)), "other weights"
            )


NAMES = ("one", "two", "link")


def _three_runs(root: Path) -> None:
    """Create three runs, the last of which is a link to a run elsewhere."""
    for place in ("runs/one", "runs/two", "away/three"):
        run = RunStore((root / place).parent).create(CONFIG, Path(place).name)
        _commit(run.path / "last", "7")
    (root / "runs" / NAMES[2]).symlink_to("../away/three")


def _delete(root: Path) -> Iterator[None]:
    for name in NAMES:
        RunStore(root / "runs").delete(name)
        yield


def _is_deleted(root: Path, promises: int) -> None:
    store = RunStore(root / "runs")
    listed = {summary.name for summary in store.list()}
    expect(listed <= set(NAMES[promises:]), f"{listed} came back")
    expect(listed >= set(NAMES[promises + 1 :]), f"only {listed} are there")
    _are_whole(Run(root / "away" / "three"), *map(store.get, listed))


def _are_whole(*runs: Run) -> None:
    for run in runs:
        files = listing(run.path)
        expect(run.state == "new", f"{run.name} is {run.state}")
        expect([files.get(f"last/{file}") for file in "ab"] == [b"7", b"7"], f"{run.name} has lost files")


def _rename(root: Path) -> Iterator[None]:
    for name in NAMES:
        RunStore(root / "runs").rename(name, f"new-{name}")
        yield


def _is_renamed(root: Path, promises: int) -> None:
    store = RunStore(root / "runs")
    listed = [summary.name for summary in store.list()]
    expect(sorted(name.removeprefix("new-") for name in listed) == sorted(NAMES), f"{listed} are there")
    for name in NAMES[:promises]:
        expect(f"new-{name}" in listed, f"{name} has its old name again")
    _are_whole(*map(store.get, listed))


def _restore(root: Path) -> Iterator[None]:
    trash = Trash(RunStore(root / "runs"))
    for name in NAMES:
        trash.delete(name)
        trash.restore()
        yield
    trash.empty()


def _is_restored(root: Path, promises: int) -> None:
    store = RunStore(root / "runs")
    listed = {summary.name for summary in store.list()}
    expect(listed >= {name for number, name in enumerate(NAMES) if number != promises}, f"only {listed} are there")
    _are_whole(Run(root / "away" / "three"), *map(store.get, listed))


def _measured_run(root: Path) -> None:
    _a_run(root)
    run = Run(root / "runs" / NAME)
    for event in (progress(1), evaluated(1, 3.0), progress(2)):
        run.record(event)


def _export_curves(root: Path) -> Iterator[None]:
    events = list(Run(root / "runs" / NAME).events())
    export_csv(events, root / "curves.csv")
    yield
    export_tensorboard(events, root / "board", ended=100.0)
    yield


def _curves_are_exported(root: Path, promises: int) -> None:
    events = list(Run(root / "runs" / NAME).events())
    expect(promises < 1 or (root / "curves.csv").read_text() == csv_text(events), "the table is lost or cut")
    export_tensorboard(events, root / "whole", ended=100.0)
    expect(promises < 2 or (root / "board").exists(), "the event file is lost")
    if (root / "board").exists():
        expect(listing(root / "board") == listing(root / "whole"), "the event file is cut")


def _a_small_gpt2(root: Path) -> None:
    """Create a run of a model that GPT-2 can express."""
    config = resolve("nano", n_layer=1, n_head=1, n_embd=2, block_size=4)
    run = RunStore(root / "runs").create(config, NAME)
    info = dataclasses.replace(_info(TrainerState(step=5, max_iters=9)), config=config)
    write_checkpoint(run.path / "best", info, build_model(config.model, 3, seed=1).state_dict())


def _export_gpt2(root: Path) -> Iterator[None]:
    export_hf(Run(root / "runs" / NAME).require_checkpoint("best"), root / "gpt2")
    yield


def _gpt2_is_exported(root: Path, promises: int) -> None:
    export_hf(Run(root / "runs" / NAME).require_checkpoint("best"), root / "whole")
    expect(promises < 1 or (root / "gpt2").exists(), "the exported model is lost")
    if (root / "gpt2").exists():
        expect(listing(root / "gpt2") == listing(root / "whole"), "the exported model is cut")


# The user's own files


def _remember(root: Path) -> Iterator[None]:
    for number in range(1, 4):
        expect(AppState(corpus=str(number)).save(root / "home" / "state.json"), "the disk refused")
        yield


def _remembers(root: Path, promises: int) -> None:
    found = int(AppState.load(root / "home" / "state.json").corpus.replace(DEFAULT_CORPUS, "0"))
    expect(found in (promises, promises + 1), f"remembers {found}")


@contextmanager
def _home(root: Path) -> Iterator[None]:
    with patch.dict(os.environ, {"TUI_GPT_HOME": str(root / "home"), "TUI_GPT_NO_KERNEL": "1"}):
        yield


TEXTS = {"one": "a text of one's own\n", "two": "another\n"}


def _texts(root: Path) -> None:
    for name, text in TEXTS.items():
        (root / f"{name}.txt").write_text(text)


def _add(root: Path) -> Iterator[None]:
    with _home(root):
        for name in TEXTS:
            corpora.add_corpus(root / f"{name}.txt")
            yield
        corpora.read_corpus("-", io.BytesIO(b"from a pipe\n"))
        yield


def _is_added(root: Path, promises: int) -> None:
    with _home(root):
        found = {
            entry.name: corpora.load(corpora.read_corpus(entry.name)).text
            for entry in list_corpora()
            if not entry.built_in
        }
    piped = [text for name, text in found.items() if name.startswith("stdin-")]
    expect(piped in ([], ["from a pipe\n"]) and (promises < 3 or bool(piped)), f"from a pipe: {piped}")
    for number, (name, text) in enumerate(TEXTS.items(), 1):
        expect(found.get(name, text) == text, f"{name} is another text")
        expect(name in found or promises < number, f"{name} is lost")


LIBRARY: tuple[frozenset[str], ...] = tuple(
    map(frozenset, ((), ("one",), ("first",), ("first", "two"), ("first",), ("first",)))
)
"""The names of the added texts after each promise of `_change_texts`."""


def _change_texts(root: Path) -> Iterator[None]:
    with _home(root):
        corpora.add_corpus(root / "one.txt")
        yield
        rename_text("one", "first")
        yield
        corpora.add_corpus(root / "two.txt")
        yield
        remove_text("two")
        yield


def _are_changed(root: Path, promises: int) -> None:
    with _home(root):
        found = {
            entry.name: corpora.load(corpora.read_corpus(entry.name)).text
            for entry in list_corpora()
            if not entry.built_in
        }
    expect(found.keys() in LIBRARY[promises : promises + 2], f"promise {promises}: {list(found)}")
    texts = TEXTS | {"first": TEXTS["one"]}
    expect(all(texts[name] == text for name, text in found.items()), "a text was damaged")


def _answer(number: int) -> Answer:
    return Answer(id=f"a{number}", prompt="to", text=f" be {number}", config=SampleConfig(seed=number))


FIRST, SECOND, THIRD = (Card(id=f"c{number}", answers=(_answer(number),)) for number in (1, 2, 3))
LONGER = FIRST.with_answers(_answer(4))
NOTED = THIRD.with_note("a3", "kept").with_bookmark("a3", is_set=True)
PAGES: tuple[tuple[Card, ...], ...] = (
    *((), (FIRST,), (FIRST, SECOND), (LONGER, SECOND), (LONGER,), (LONGER, THIRD), (LONGER, NOTED)),
    *((LONGER, THIRD), (LONGER, THIRD)),
)
"""The cards after each promise of `_note`."""


@contextmanager
def _small_history() -> Iterator[None]:
    with patch.object(history_module, "COMPACT_BYTES", 500):
        yield


def _note(root: Path) -> Iterator[None]:
    with _small_history():
        history = History(root / "home" / "history.jsonl")
        for card in (FIRST, SECOND, LONGER):
            expect(history.save(card), "the disk refused")
            yield
        expect(history.remove(SECOND.id), "the disk refused")
        history = History(history.path)
        history.load()
        yield
        expect(history.save(THIRD), "the disk refused")
        yield
        book = history.read()
        step = book.put(NOTED)
        expect(history.append(step.parts(), book.answers), "the disk refused")
        yield
        expect(history.append([Undone(step.id)], book.answers), "the disk refused")
        yield


def _is_noted(root: Path, promises: int) -> None:
    with _small_history():
        found = {card.id: card for card in History(root / "home" / "history.jsonl").load()}
    now, then = ({card.id: card for card in page} for page in PAGES[promises : promises + 2])
    expect(found.keys() <= now.keys() | then.keys(), f"{list(found)} came back")
    expect(found.keys() >= now.keys() & then.keys(), f"only {list(found)} are there")
    for name, card in found.items():
        known = {*now.get(name, card).answers, *then.get(name, card).answers}
        expect(card.notes in (now.get(name, card).notes, then.get(name, card).notes), f"{name} has other notes")
        kept = set(now[name].answers) if name in now else set()
        expect(kept <= set(card.answers) <= known, f"{name} has the answers {[answer.id for answer in card.answers]}")


def _copy(root: Path) -> Iterator[None]:
    for markdown in (False, True):
        notebook.save_copy(FIRST, root, markdown=markdown)
        yield


def _is_copied(root: Path, promises: int) -> None:
    expected = (notebook.as_text(FIRST) + "\n", notebook.as_markdown(FIRST))
    for path, content in zip(("tui-gpt-to-be-1.txt", "tui-gpt-to-be-1.md"), expected[:promises], strict=False):
        expect((root / path).read_text() == content, f"{path} is lost or cut")


# What can be lost


def _report(root: Path) -> Iterator[None]:
    with _home(root):
        expect(crash.write_report(ZeroDivisionError("a bug")) is not None, "the disk refused")
    yield


def _is_reported(root: Path, promises: int) -> None:
    reports = [path.read_text() for path in root.rglob("crash-*.txt")]
    expect(len(reports) in {promises, 1}, "the report is lost")
    expect(all(text.endswith("last events:\n") for text in reports), "the report is cut")


SCENARIOS = (
    Scenario("a file", _write_three_times, _one_of_two_files),
    Scenario("a folder", _commit_three_times, _one_of_two_folders),
    Scenario("run.json", _describe, _is_described),
    Scenario("log", _record, _log_is_not_behind),
    Scenario("a run's life", _live, _lives),
    Scenario("training", TRAINING.work, TRAINING.check, _fox),
    Scenario("resume", _resume, _is_resumed, _interrupted, alters=True),
    Scenario("export", _export, _is_exported, _a_run),
    Scenario("import", _import, _is_imported, _lecture_model),
    Scenario("delete", _delete, _is_deleted, _three_runs),
    Scenario("rename", _rename, _is_renamed, _three_runs),
    Scenario("restore", _restore, _is_restored, _three_runs),
    Scenario("exported curves", _export_curves, _curves_are_exported, _measured_run, alters=True),
    Scenario("exported GPT-2", _export_gpt2, _gpt2_is_exported, _a_small_gpt2, alters=True),
    Scenario("state.json", _remember, _remembers),
    Scenario("notebook", _note, _is_noted, alters=True),
    Scenario("copy of a card", _copy, _is_copied),
    Scenario("added texts", _add, _is_added, _texts),
    Scenario("changed texts", _change_texts, _are_changed, _texts),
    Scenario("crash report", _report, _is_reported),
)
