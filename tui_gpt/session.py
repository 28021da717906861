"""The facade that the command line and the app call: train, estimate, generate, evaluate.

They hold a `SessionLike`. `Session` finds the run, holds its lock and writes its log. The work itself is in `training/`
and `generation/`, which are imported inside the methods, in the calling thread: torch takes a second or two.
"""

import gc
import os
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tui_gpt.config import RunConfig, SampleConfig, TrainConfig
from tui_gpt.control import Control
from tui_gpt.errors import NotFoundError, StoppedError, TuiGptError
from tui_gpt.events import Event
from tui_gpt.generation.text_model import TextModel
from tui_gpt.ranks import Ranks
from tui_gpt.requests import Estimate, Evaluation, MachineSpeed, StepComparison, TorchInfo, TrainRequest
from tui_gpt.storage.files import ensure_free_space
from tui_gpt.storage.manifest import CheckpointInfo, read_info
from tui_gpt.storage.names import LIVE, SHIPPED, slug
from tui_gpt.storage.paths import real_path, shipped_dir
from tui_gpt.storage.recorder import Recorder
from tui_gpt.storage.runs import Run, RunStore, Which
from tui_gpt.storage.runs.live.attach import attach
from tui_gpt.storage.runs.live.service import obey_requests

if TYPE_CHECKING:
    from tui_gpt.generation.sampler import Sampler
    from tui_gpt.storage.checkpoint import Arrays
    from tui_gpt.training.distributed.leader import Leader
    from tui_gpt.training.live_weights import LiveWeights
    from tui_gpt.training.setup.initialize import Start
    from tui_gpt.training.setup.prepared import Prepared

HERE = TrainConfig(max_iters=1)
"""The default device of this machine and all its cores."""
SAMPLE_CHARACTERS = 240
"""Length of the samples that a run generates during training, also in tokens."""
SAMPLE_PROMPT = "\n"
_LIVE_TIMEOUT_SECONDS = 60.0


class SessionLike(Protocol):
    """What the interfaces need of a session. Every method may take seconds: call it from a worker thread."""

    def load_torch(self) -> None:
        """Import torch, so that the next call does not have to."""

    def collect_garbage(self) -> None:
        """Run a full garbage collection, once after `load_torch`."""

    def train(self, request: TrainRequest, control: Control) -> Iterator[Event]:
        """Train, and yield each event after it was written to the run's log. Raises TuiGptError."""

    def attach(self, name: str, control: Control) -> Iterator[Event]:
        """Yield the log of a run that another process trains, from its beginning, then live until the run ends.

        What `control` is asked for (pause, resume, stop, save, change) is requested from that process; `detach` ends
        the iteration and leaves the run alone. Raises TuiGptError, e.g. when the process dies.
        """

    def estimate(self, config: RunConfig, control: Control) -> Estimate:
        """Estimate the training time of a run by timing a few steps, in a second or two. Raises TuiGptError."""

    def open_model(self, source: str | Path | None) -> TextModel:
        """Return a model to generate with: `RUN`, `RUN@best`, `RUN@last`, `live`, `shipped`, or a folder.

        None is the best checkpoint of the newest run, else the shipped model. Raises TuiGptError.
        """

    def release_models(self) -> None:
        """Keep no opened model in memory that is not in use."""

    def evaluate(self, source: str | Path | None, control: Control) -> Evaluation:
        """Compute the loss of record of a model (see `open_model`). Raises TuiGptError."""

    @property
    def run_name(self) -> str | None:
        """The name of the run that this session trains, or trained last."""


class Session:
    """Trains and opens models in the run store, or in a folder of the user's choice."""

    def __init__(self, store: RunStore | None = None, place: TrainConfig = HERE) -> None:
        """Use the runs in `store`, and evaluate with the device and the threads of `place`."""
        self._store = store or RunStore()
        self._place = place
        self._run: Run | None = None
        self._live: tuple[Control, Prepared] | None = None
        self._opened: dict[tuple[Path, int], Sampler] = {}

    @property
    def run_name(self) -> str | None:
        """The name of the run that this session trains, or trained last."""
        return self._run.name if self._run else None

    def load_torch(self) -> None:
        """Import torch, so that the next call does not have to."""
        import tui_gpt.training.setup.resume  # noqa: F401  # imported for its own sake

    def fix_thread_count(self) -> None:
        """Keep PyTorch's number of CPU threads in this thread, whatever a training in another thread needs."""
        from tui_gpt.training.compute.device import fix_thread_count

        fix_thread_count()

    def collect_garbage(self) -> None:
        """Run a full garbage collection, once after `load_torch`.

        It blocks all threads for 0.25 s; the next one is due only after the number of objects has grown by a quarter.
        `gc.freeze` would be faster, but would never free the widgets that are alive now.
        """
        gc.collect()

    def train(self, request: TrainRequest, control: Control) -> Iterator[Event]:
        """Train, and yield each event after it was written to the run's log. Raises TuiGptError."""
        with suppress(StoppedError):  # there is no event yet, as for any run that is stopped before it begins
            yield from self._train(request, control)

    def _train(self, request: TrainRequest, control: Control) -> Iterator[Event]:
        """Train, with the other ranks if there are any."""
        began = time.monotonic() if request.began is None else request.began
        control.report("loading PyTorch")
        self.load_torch()
        from tui_gpt.training.compute.device import keeping_thread_count
        from tui_gpt.training.distributed.leader import leading

        with keeping_thread_count(), leading(request.ranks, control) as leader:
            yield from self._train_as_leader(request, control, began, leader)

    def _train_as_leader(
        self, request: TrainRequest, control: Control, began: float, leader: "Leader | None"
    ) -> Iterator[Event]:
        """Train with the other ranks that `leader` leads, if any."""
        from tui_gpt.training.setup.new import prepare_new
        from tui_gpt.training.setup.resume import prepare_resumed

        existing, ranks = self._existing_run(request), request.ranks
        if existing is None:
            config, start = self._start_of(request)
            prepared = prepare_new(
                config,
                control,
                start=start,
                ranks=ranks,
                elapsed=lambda: time.monotonic() - control.suspended_seconds - began,
            )
            ensure_free_space(request.model_path or self._store.root, prepared.disk_space_needed())
            run = self._new_run(request, prepared.config)
            with run.lock() as lock, obey_requests(run, lock, control):
                yield from self._train_locked(run, prepared, control, began, leader)
        else:
            with existing.lock() as lock, obey_requests(existing, lock, control):
                prepared = prepare_resumed(existing, request.changes, control, request.corpus, ranks)
                ensure_free_space(existing.path, prepared.disk_space_needed())
                yield from self._train_locked(existing, prepared, control, began, leader)

    def _existing_run(self, request: TrainRequest) -> Run | None:
        """Return the run to resume; None for a new one."""
        if request.resume is None:
            return None
        return (
            self._store.get(request.resume) if request.model_path is None else self._store.open_at(request.model_path)
        )

    def _new_run(self, request: TrainRequest, config: RunConfig) -> Run:
        if request.model_path is not None:
            run = self._store.create_at(request.model_path, config)
        else:
            run = self._store.create(config, request.name)
        run.set_job(request.ranks.job)
        return run

    def _train_locked(
        self, run: Run, prepared: "Prepared", control: Control, began: float, leader: "Leader | None"
    ) -> Iterator[Event]:
        self._run, self._live = run, (control, prepared)
        trainer = prepared.trainer(run, control, lambda step: _sample(prepared, step), leader=leader, began=began)
        recorder = Recorder(run)
        try:
            with closing(trainer.run()) as events:
                for event in events:
                    yield from recorder.take(event)
                    trainer.answer_weight_requests()
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
        """Return the config of a new run, and the model that it is initialized from, if any."""
        from tui_gpt.training.setup.initialize import Start

        if request.init_from is None:
            return request.config, None
        start = Start.read(request.init_from, self._checkpoint_of(request.init_from)[1])
        config = start.configured(request.config, request.chosen, preset_chosen=request.preset_chosen)
        return config, start

    def attach(self, name: str, control: Control) -> Iterator[Event]:
        """Yield the log of a run that another process trains; see `SessionLike.attach`."""
        return attach(self._store.get(name), control)

    def estimate(self, config: RunConfig, control: Control) -> Estimate:
        """Estimate the training time of a run by timing a few steps, in a second or two. Raises TuiGptError."""
        from tui_gpt.training.budget.estimate import estimate

        return estimate(config, control)

    def open_model(self, source: str | Path | None) -> TextModel:
        """Return a model to generate with; see `SessionLike.open_model`."""
        if source == LIVE or (self._live and source == f"{self.run_name}@{LIVE}"):
            return self._open_live()
        name, folder = self._checkpoint_of(source)
        return self._open_checkpoint(name, folder)

    def model_folder(self, source: str | Path | None) -> Path:
        """Return the folder of a model's checkpoint (see `SessionLike.open_model`). Raises TuiGptError."""
        return self._checkpoint_of(source)[1]

    def _open_checkpoint(self, name: str, folder: Path) -> "Sampler":
        from tui_gpt.generation.sampler import Sampler

        key = (folder, _modified(folder))
        if key not in self._opened:
            sampler = Sampler.open(folder, name)
            self._opened = dict([*self._opened.items(), (key, sampler)][-3:])
        return self._opened[key]

    def release_models(self) -> None:
        """Keep no opened model in memory that is not in use."""
        self._opened = {}

    def _open_live(self) -> "Sampler":
        live = self.request_live()
        try:
            live.weights.result(timeout=_LIVE_TIMEOUT_SECONDS)
        except (CancelledError, FutureTimeoutError) as error:
            raise NotFoundError("the run has just ended: choose it by its name instead") from error
        return live.model()

    def request_live(self) -> "LiveModel":
        """Request the model that this session trains, after the step in progress or the event that was yielded last.

        Raises NotFoundError if nothing is being trained.
        """
        if self._live is None:
            raise NotFoundError("nothing is being trained: choose a run, or start one")
        control, prepared = self._live
        return LiveModel(f"{self.run_name}@{LIVE}", prepared, control.request_weights())

    def _checkpoint_of(self, source: str | Path | None) -> tuple[str, Path]:
        """Return the name and the folder of the checkpoint that `source` refers to."""
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
        """Compute the loss of record of a model (see `open_model`). Raises TuiGptError."""
        from tui_gpt.training.evaluate import evaluate_checkpoint

        name, folder = self._checkpoint_of(source)
        result = evaluate_checkpoint(folder, name, control, self._place)
        if result is None:
            raise TuiGptError("the evaluation was stopped before its end")
        return result


@dataclass(frozen=True)
class LiveModel:
    """A request for a model in training."""

    name: str
    prepared: "Prepared"
    weights: "Future[LiveWeights]"
    """Cancelled if the run ends first."""

    def model(self) -> "Sampler":
        """Return the model with these weights. Raises CancelledError if the run has ended."""
        live = self.weights.result()
        return _sampler(
            self.prepared,
            live.weights,
            name=self.name,
            step=live.step,
            val_loss=live.val_loss,
            val_is_estimate=live.val_is_estimate,
        )


def _sampler(prepared: "Prepared", weights: "Arrays", **facts: Any) -> "Sampler":
    """Return a sampler with weights of a model in training; `facts` are further arguments of `Sampler`."""
    from tui_gpt.generation.sampler import Sampler
    from tui_gpt.generation.weights import Model

    tokenizer = prepared.corpus.tokenizer
    model = Model.of(prepared.config.model, tokenizer.vocab_size, weights, prepared.prior)
    return Sampler(model, tokenizer, **facts)


def _sample(prepared: "Prepared", step: int) -> Iterator[str]:
    """Generate the sample of a step, piece by piece."""
    sampler = _sampler(prepared, prepared.weights(), name="sample", step=step)
    config = SampleConfig(max_new_tokens=SAMPLE_CHARACTERS, seed=prepared.config.train.seed)
    length = 0
    for piece in sampler.stream(SAMPLE_PROMPT, config):
        yield piece.text
        length += len(piece.text)
        if length >= SAMPLE_CHARACTERS:
            return


def follow(ranks: Ranks, control: Control) -> Iterator[int]:
    """Compute as another rank than 0 of a run that rank 0 trains; yield the exit code so far after each of its orders.

    Raises TuiGptError.
    """
    from tui_gpt.training.distributed.follower import follow

    return follow(ranks, control)


def source_config(source: str | Path | None, store: RunStore | None = None) -> RunConfig:
    """Return the config of the model `source` (see `SessionLike.open_model`), without torch.

    Raises TuiGptError.
    """
    return _source_info(source, store).config


def source_characters(source: str, store: RunStore | None = None) -> str:
    """Return the alphabet of the model `source`, "" for one without; without torch. Raises TuiGptError."""
    return _source_info(source, store).tokenizer.get("characters", "")


def _source_info(source: str | Path | None, store: RunStore | None) -> CheckpointInfo:
    _, folder = Session(store)._checkpoint_of(source)
    return read_info(folder)


def import_run(
    file: Path,
    corpus: str | None = None,
    name: str | None = None,
    store: RunStore | None = None,
    *,
    meta: Path | None = None,
) -> Run:
    """Create a run from weights in a file of PyTorch: the lecture model's state dict, or nanoGPT's `ckpt.pt`.

    The characters are those of the text `corpus`, or of nanoGPT's file `meta`. Raises TuiGptError; then nothing was
    created.
    """
    from tui_gpt.training.imports.run import import_run

    return import_run(store or RunStore(), file, corpus, name or slug(file.stem), meta)


def torch_info() -> TorchInfo:
    """Return the installed PyTorch's version, threads and devices. Raises ImportError where it cannot be imported."""
    from tui_gpt.training.compute.machine import torch_info

    return torch_info()


def measure_speed() -> MachineSpeed:
    """Return how fast this machine multiplies matrices and copies memory, measured in half a second."""
    from tui_gpt.training.compute.machine import measure_speed

    return measure_speed()


def compare_steps() -> tuple[StepComparison, ...]:
    """Return a training step of each device compared with the CPU's, measured in a second or two."""
    from tui_gpt.training.compute.step_comparison import compare_steps

    return compare_steps()


def _modified(folder: Path) -> int:
    """Return when the checkpoint in `folder` was written, in nanoseconds; 0 while it is being replaced."""
    try:
        return (folder / "checkpoint.json").stat().st_mtime_ns
    except OSError:
        return 0
