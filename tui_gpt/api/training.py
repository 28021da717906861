"""Train a model and iterate over what happens.

The steps are made in their own thread, one request at a time (stepping.py), so Ctrl+C never interrupts one, and no
signal handler is changed. What a script leaves open is saved when the interpreter exits.
"""

import atexit
import sys
import threading
import weakref
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, Unpack, cast

from tui_gpt.api.model import Model, place_of
from tui_gpt.api.runs import find_run
from tui_gpt.api.settings import ResumeSettings, TrainSettings, require_known
from tui_gpt.api.stepping import SteppingThread
from tui_gpt.config import DEFAULT_CORPUS, DEFAULT_PRESET, PRESETS, ModelConfig, RunConfig, changed, resolve
from tui_gpt.control import Control
from tui_gpt.errors import CorpusError, IncompatibleError, NotFoundError, TuiGptError, UsageError
from tui_gpt.events import Event, SettingValue
from tui_gpt.requests import TrainRequest
from tui_gpt.session import Session, source_characters, source_config
from tui_gpt.storage.manifest import read_info
from tui_gpt.storage.paths import real_path
from tui_gpt.storage.runs import Run, RunStore
from tui_gpt.text.check import check_texts


def train(
    corpus: str | Path = DEFAULT_CORPUS,
    preset: str | None = None,
    *,
    name: str | None = None,
    folder: str | Path | None = None,
    init_from: str | None = None,
    **settings: Unpack[TrainSettings],
) -> "Training":
    """Return the training of a new run, which begins with its first event.

    `corpus` is a file, a folder of text files, or a name from `tui-gpt data list`; `preset` is `quick` (the default),
    `best`, `classic`, `nano` or `bigram`, and `settings` replace some of its values. The run is kept under `name` (None
    derives one from corpus and preset), or in the new folder `folder`. `init_from` is the model whose weights it starts
    from, e.g. `shipped`. Neither `config.toml` nor the environment changes the settings.

    Raises ConfigError for a setting, CorpusError for a text, and UsageError for a name that is taken.
    """
    if "\n" in str(corpus):
        raise CorpusError("corpus is the text itself, not its place: write it to a file and pass the file's path")
    if folder is not None and name is not None:
        raise UsageError("name and folder cannot be used together: leave one of them out")
    require_known(settings.keys(), TrainSettings)
    if name is not None:
        RunStore().require_free(name)
    config, chosen = _configured(str(corpus), preset, init_from, dict(settings))
    config, notes = check_texts(config, "" if init_from is None else source_characters(init_from))
    request = TrainRequest(
        config=config,
        name=name,
        init_from=init_from,
        chosen=chosen,
        preset_chosen=preset is not None,
        model_path=None if folder is None else real_path(Path(folder)),
    )
    return Training(request, notes)


def resume(run: str | Path, **changes: Unpack[ResumeSettings]) -> "Training":
    """Return the training that continues a run from its last checkpoint, exactly as if it had never been interrupted.

    `run` is a name or a folder. `changes` replace some settings, e.g. `max_iters=4_000` for a run that is finished.
    Raises NotFoundError, ConfigError, and IncompatibleError if no step is left to make.
    """
    require_known(changes.keys(), ResumeSettings)
    found = find_run(run)
    request = TrainRequest(
        config=found.config,
        resume=found.name,
        changes=_resume_changes(found, changes),
        model_path=found.path if isinstance(place_of(run), Path) else None,
    )
    return Training(request)


class Training(Iterator[Event]):
    """A training: an iterator over its events, which are described in `tui_gpt.events`.

    The next steps are made when the next event is asked for. A loop that is left early pauses the training; `next` and
    another loop continue it. `close`, the end of a `with` block, the end of the program and Ctrl+C in a step save
    first, and the run can be resumed. `stop` may be called from any thread.
    """

    def __init__(self, request: TrainRequest, notes: tuple[str, ...] = ()) -> None:
        """Prepare a training; use `train` and `resume` instead. `notes` are remarks on the text."""
        self.notes = notes
        """What the user should know about the text, one sentence each."""
        self._request = request
        self._session = Session()
        self._control = Control()
        self._thread = SteppingThread(self._session.train(request, self._control))
        self._state: Literal["new", "open", "ended"] = "new"

    @property
    def name(self) -> str:
        """The name of the run; "" before the first event of one whose name is derived."""
        return self._session.run_name or self._request.resume or self._request.name or ""

    def __next__(self) -> Event:
        """Train until the next event and return it. Raises TuiGptError, and KeyboardInterrupt after saving."""
        if self._state == "ended":
            raise StopIteration
        try:
            self._begin()
            return self._thread.take()
        except KeyboardInterrupt:
            self.close()
            raise
        except BaseException:
            self._end()
            raise

    def stop(self) -> None:
        """Ask for the end after the step in progress. The last events follow: `Saved`, and `Finished`."""
        self._control.stop()

    def close(self) -> None:
        """Save and end now, without the events that would follow. Raises StorageError if that is not possible."""
        began, self._state = self._state == "open", "ended"
        if not began:
            return
        self._control.stop()
        try:
            self._thread.finish()
        finally:
            _open.discard(self)

    def model(self) -> Model:
        """Return the model with its current weights; after the end, the best one.

        During training its name ends with `@live`, and later steps do not change it. Raises NotFoundError before the
        first event, and if nothing was saved.
        """
        if self._state == "new":
            raise NotFoundError("nothing has been trained yet: take the first event before the model")
        if self._state == "open":
            with suppress(NotFoundError, CancelledError):  # the training has ended, though its last event is not taken
                live = self._session.request_live()
                self._thread.request_until(live.weights)
                return Model(live.model())
        return Model.load(self._request.model_path or self.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_state", "new") == "open":
            if self._thread.is_current:  # collected during a step, which cannot wait for itself
                self._control.stop()
            else:
                self.close()

    def _begin(self) -> None:
        """Load PyTorch, before the first step."""
        if self._state == "new":
            self._state = "open"
            _open.add(self)
            self._thread.run(self._session.load_torch)
            self._session.fix_thread_count()

    def _end(self) -> None:
        self._state = "ended"
        _open.discard(self)
        self._thread.finish()


_open: "weakref.WeakSet[Training]" = weakref.WeakSet()
"""Trainings that have begun and not ended."""


def _close_all() -> None:
    """Save what a script has left open, at the end of the interpreter."""
    for training in list(_open):
        try:
            training.close()
        except TuiGptError as error:
            print(f"the training of {training.name} was not saved: {error}", file=sys.stderr)


# The public `atexit` would be too late: saving needs threads, and Python ends those of its executors before.
getattr(threading, "_register_atexit", atexit.register)(_close_all)


def _configured(
    corpus: str, preset: str | None, init_from: str | None, settings: dict[str, Any]
) -> tuple[RunConfig, dict[str, SettingValue]]:
    """Return the config of a new run, and the model settings that differ from those of the model `init_from`.

    Raises TuiGptError.
    """
    if init_from is None:
        return resolve(preset or DEFAULT_PRESET, corpus, **settings), {}
    own = source_config(init_from)
    chosen = {name: settings.pop(name) for name in _MODEL_SETTINGS & settings.keys()}
    if preset is None and own.model.architecture == "classic" and own.preset in PRESETS:
        preset = own.preset
    settings |= {"tokenizer": own.model.tokenizer, "vocab_size": own.model.vocab_size}
    return resolve(preset or DEFAULT_PRESET, corpus, **settings), chosen


def _resume_changes(run: Run, given: ResumeSettings) -> dict[str, SettingValue]:
    """Return the changes, in which a lone `max_iters` or `max_seconds` removes the other.

    Raises ConfigError, IncompatibleError.
    """
    train, folder = run.config.train, run.checkpoint_dir("last")
    max_iters = given.get("max_iters")
    if folder is not None and max_iters is not None:
        step = read_info(folder).step
        if max_iters <= step:
            raise IncompatibleError(f"the run {run.name} has done {step:,} steps: choose a larger max_iters")
    changes = dict(cast(Mapping[str, SettingValue], given))
    if "max_iters" in given and train.max_seconds is not None:
        changes.setdefault("max_seconds", None)
    if "max_seconds" in given and train.max_iters is not None:
        changes.setdefault("max_iters", None)
    changed(train, changes)
    return changes


_MODEL_SETTINGS = frozenset(field.name for field in fields(ModelConfig))
