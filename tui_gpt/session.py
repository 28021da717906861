"""A run being worked on: the one door from a face to torch.

Faces hold a `SessionLike`. `Session` finds the run, holds its lock and writes its log; the work itself is in `gpt/`,
which (with torch, a second or two) is imported inside the methods, in the thread that calls them.
"""

import gc
import os
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tui_gpt.config import RunConfig, SampleConfig, TrainConfig
from tui_gpt.control import Control
from tui_gpt.errors import NotFoundError, TuiGptError
from tui_gpt.events import Event
from tui_gpt.generation.text_model import TextModel
from tui_gpt.requests import Estimate, Evaluation, MachineSpeed, TorchInfo, TrainRequest
from tui_gpt.storage.files import ensure_free_space
from tui_gpt.storage.manifest import CheckpointInfo, read_info
from tui_gpt.storage.names import LIVE, SHIPPED, slug
from tui_gpt.storage.paths import real_path, shipped_dir
from tui_gpt.storage.recorder import Recorder
from tui_gpt.storage.runs import Run, RunStore, Which

if TYPE_CHECKING:
    from tui_gpt.generation.sampler import Sampler
    from tui_gpt.storage.checkpoint import Arrays
    from tui_gpt.training.setup.initialize import Start
    from tui_gpt.training.setup.prepared import Prepared

HERE = TrainConfig(max_iters=1)
"""This machine's own device and all its cores."""
SAMPLE_CHARACTERS = 240
"""Length of the texts that a run shows while it trains."""
SAMPLE_PROMPT = "\n"
_LIVE_TIMEOUT_SECONDS = 60.0


class SessionLike(Protocol):
    """What a face may ask for. Every method may take seconds (torch is imported on first use): call from a worker."""

    def load_torch(self) -> None:
        """Import torch, so that the next call need not."""

    def collect_garbage(self) -> None:
        """After `load_torch`: let the garbage collector look through all that was imported, once."""

    def train(self, request: TrainRequest, control: Control) -> Iterator[Event]:
        """Train, yielding events as they happen; each is in the run's log before it is yielded. Raises TuiGptError."""

    def estimate(self, config: RunConfig, control: Control) -> Estimate:
        """Time a few steps of such a run, in a second or two. Raises TuiGptError."""

    def open_model(self, source: str | Path | None) -> TextModel:
        """A model to write with: `RUN`, `RUN@best`, `RUN@last`, `live`, `shipped`, a folder, or None for the newest
        run's best checkpoint, else the shipped model. Raises TuiGptError."""

    def evaluate(self, source: str | Path | None, control: Control) -> Evaluation:
        """Measure the loss of record of a model (see `open_model`). Raises TuiGptError."""

    @property
    def run_name(self) -> str | None:
        """Name of the run being trained (or trained last) by this session."""


class Session:
    """The real thing: trains in the run store (or a folder of the user's choice) and opens what is there."""

    def __init__(self, store: RunStore | None = None, place: TrainConfig = HERE) -> None:
        """Work in `store`, and evaluate with the device and the threads of `place`."""
        self._store = store or RunStore()
        self._place = place
        self._run: Run | None = None
        self._live: tuple[Control, Prepared] | None = None
        self._opened: dict[tuple[Path, int], Sampler] = {}

    @property
    def run_name(self) -> str | None:
        """Name of the run being trained (or trained last) by this session."""
        return self._run.name if self._run else None

    def load_torch(self) -> None:
        """Import torch, so that the next call need not."""
        import tui_gpt.training.setup.resume  # noqa: F401  # imported for its own sake

    def collect_garbage(self) -> None:
        """See `SessionLike.collect_garbage`.

        A full collection takes 0.25 s, in which no other thread runs; after this one none is due before there are a
        quarter more objects. `gc.freeze` would be quicker, but keep for good what is on screen now.
        """
        gc.collect()

    def train(self, request: TrainRequest, control: Control) -> Iterator[Event]:
        """Train, yielding events as they happen; each is in the run's log before it is yielded. Raises TuiGptError."""
        began = time.monotonic() if request.began is None else request.began
        control.report("loading PyTorch")
        self.load_torch()
        from tui_gpt.training.setup.new import prepare_new
        from tui_gpt.training.setup.resume import prepare_resumed

        existing = self._existing_run(request)
        if existing is None:
            config, start = self._start_of(request)
            prepared = prepare_new(
                config, control, start=start, elapsed=lambda: time.monotonic() - control.suspended_seconds - began
            )
            ensure_free_space(request.model_path or self._store.root, prepared.disk_space_needed())
            run = self._new_run(request, prepared.config)
            with run.lock():
                yield from self._train_locked(run, prepared, control, began)
        else:
            with existing.lock():
                prepared = prepare_resumed(existing, request.changes, control, request.corpus)
                ensure_free_space(existing.path, prepared.disk_space_needed())
                yield from self._train_locked(existing, prepared, control, began)

    def _existing_run(self, request: TrainRequest) -> Run | None:
        """The run to go on with, if the request is not for a new one."""
        if request.resume is None:
            return None
        return (
            self._store.get(request.resume) if request.model_path is None else self._store.open_at(request.model_path)
        )

    def _new_run(self, request: TrainRequest, config: RunConfig) -> Run:
        if request.model_path is not None:
            return self._store.create_at(request.model_path, config)
        return self._store.create(config, request.name)

    def _train_locked(self, run: Run, prepared: "Prepared", control: Control, began: float) -> Iterator[Event]:
        self._run, self._live = run, (control, prepared)
        trainer = prepared.trainer(run, control, lambda step: _sample(prepared, step), began=began)
        recorder = Recorder(run)
        try:
            with closing(trainer.run()) as events:
                for event in events:
                    yield from recorder.take(event)
            recorder.require_all()
        except GeneratorExit:
            recorder.end("stopped")
            raise
        except BaseException:
            recorder.end("failed")
            raise
        finally:
            self._live = None

    def _start_of(self, request: TrainRequest) -> "tuple[RunConfig, Start | None]":
        """Return the config of a new run, and the model that it starts from, if any."""
        from tui_gpt.training.setup.initialize import Start

        if request.init_from is None:
            return request.config, None
        start = Start.read(request.init_from, self._checkpoint_of(request.init_from)[1])
        config = start.configured(request.config, request.chosen, preset_chosen=request.preset_chosen)
        return config, start

    def estimate(self, config: RunConfig, control: Control) -> Estimate:
        """Time a few steps of such a run, in a second or two. Raises TuiGptError."""
        from tui_gpt.training.budget.estimate import estimate

        return estimate(config, control)

    def open_model(self, source: str | Path | None) -> TextModel:
        """A model to write with; see `SessionLike.open_model`."""
        if source == LIVE or (self._live and source == f"{self.run_name}@{LIVE}"):
            return self._open_live()
        name, folder = self._checkpoint_of(source)
        return self._open_checkpoint(name, folder)

    def _open_checkpoint(self, name: str, folder: Path) -> "Sampler":
        from tui_gpt.generation.sampler import Sampler

        key = (folder, _modified(folder))
        if key not in self._opened:
            sampler = Sampler.open(folder, name)
            self._opened = dict([*self._opened.items(), (key, sampler)][-3:])
        return self._opened[key]

    def _open_live(self) -> "Sampler":
        if self._live is None:
            raise NotFoundError("nothing is being trained: choose a run, or start one")
        control, prepared = self._live
        try:
            live = control.ask_weights().result(timeout=_LIVE_TIMEOUT_SECONDS)
        except (CancelledError, FutureTimeoutError) as error:
            raise NotFoundError("the run has just ended: choose it by its name instead") from error
        return _sampler(
            prepared,
            live.weights,
            name=f"{self.run_name}@{LIVE}",
            step=live.step,
            val_loss=live.val_loss,
            val_is_estimate=live.val_is_estimate,
        )

    def _checkpoint_of(self, source: str | Path | None) -> tuple[str, Path]:
        """The name and the folder of the checkpoint that `source` means."""
        if source is None:
            run = self._store.newest(with_checkpoint=True)
            return self._checkpoint_in(run, "") if run else (SHIPPED, shipped_dir() / "pretrained")
        if source == SHIPPED:
            return SHIPPED, shipped_dir() / "pretrained"
        if isinstance(source, Path):
            folder = real_path(source)
            if os.path.lexists(folder / "checkpoint.json"):
                return source.name, folder
            return self._checkpoint_in(self._store.open_at(source), "")
        name, _, which = source.partition("@")
        if name == SHIPPED:
            raise NotFoundError(f"the model that comes with the program has one checkpoint: ask for {SHIPPED}")
        return self._checkpoint_in(self._store.get(name), which)

    @staticmethod
    def _checkpoint_in(run: Run, which: str) -> tuple[str, Path]:
        if which not in ("", "best", "last"):
            raise NotFoundError(f"a run has the checkpoints best and last: ask for {run.name}@best or {run.name}@last")
        kind: Which = "last" if which == "last" or (not which and not run.ever_saved("best")) else "best"
        return f"{run.name}@{kind}", run.require_checkpoint(kind)

    def evaluate(self, source: str | Path | None, control: Control) -> Evaluation:
        """Measure the loss of record of a model (see `open_model`). Raises TuiGptError."""
        from tui_gpt.training.evaluate import evaluate_checkpoint

        name, folder = self._checkpoint_of(source)
        result = evaluate_checkpoint(folder, name, control, self._place)
        if result is None:
            raise TuiGptError("the evaluation was stopped before its end")
        return result


def _sampler(prepared: "Prepared", weights: "Arrays", **facts: Any) -> "Sampler":
    """Return what generates with weights of a model in training; `facts` are of `Sampler`."""
    from tui_gpt.generation.sampler import Sampler
    from tui_gpt.generation.weights import Model

    tokenizer = prepared.corpus.tokenizer
    model = Model.of(prepared.config.model, tokenizer.vocab_size, weights, prepared.prior)
    return Sampler(model, tokenizer, **facts)


def _sample(prepared: "Prepared", step: int) -> Iterator[str]:
    """Generate the text that a run shows at a step, piece by piece."""
    sampler = _sampler(prepared, prepared.weights(), name="sample", step=step)
    config = SampleConfig(max_new_tokens=SAMPLE_CHARACTERS, seed=prepared.config.train.seed)
    return (piece.text for piece in sampler.stream(SAMPLE_PROMPT, config))


def source_config(source: str, store: RunStore | None = None) -> RunConfig:
    """Return the config of the model that `source` names (see `SessionLike.open_model`), without torch.

    Raises TuiGptError.
    """
    return _source_info(source, store).config


def source_characters(source: str, store: RunStore | None = None) -> str:
    """Return the characters that the model knows that `source` names, without torch. Raises TuiGptError."""
    return _source_info(source, store).tokenizer.get("characters", "")


def _source_info(source: str, store: RunStore | None) -> CheckpointInfo:
    _, folder = Session(store)._checkpoint_of(source)
    return read_info(folder)


def import_run(file: Path, corpus: str, name: str | None = None, store: RunStore | None = None) -> Run:
    """A new run that holds the lecture model's weights in `file`, a state dict of PyTorch's, and whose characters are
    those of `corpus`. Raises TuiGptError; then nothing was made."""
    from tui_gpt.training.checkpoints.import_pt import import_run

    return import_run(store or RunStore(), file, corpus, name or slug(file.stem))


def torch_info() -> TorchInfo:
    """Return the installed PyTorch's version, threads and devices. Raises ImportError where it cannot be imported."""
    from tui_gpt.training.compute.machine import torch_info

    return torch_info()


def measure_speed() -> MachineSpeed:
    """Return how fast this machine multiplies matrices and copies memory, measured in half a second."""
    from tui_gpt.training.compute.machine import measure_speed

    return measure_speed()


def _modified(folder: Path) -> int:
    """When the checkpoint in `folder` was written, in nanoseconds; 0 when it is just being replaced."""
    try:
        return (folder / "checkpoint.json").stat().st_mtime_ns
    except OSError:
        return 0
