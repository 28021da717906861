"""Prepares a run that is resumed from its last checkpoint.

What the run's log records of the steps after that checkpoint is cut off and repeated: the changes of settings at their
steps, everything else because equal steps give equal events.
"""

import dataclasses
from collections.abc import Mapping
from typing import cast

from tui_gpt.config import LIVE_SETTINGS, RunConfig, changed
from tui_gpt.control import Control
from tui_gpt.errors import IncompatibleError
from tui_gpt.events import SettingValue
from tui_gpt.models.build import LanguageModel
from tui_gpt.ranks import ALONE, Ranks
from tui_gpt.requests import require_more_steps
from tui_gpt.storage.manifest import CheckpointInfo
from tui_gpt.storage.runs import Run
from tui_gpt.text.corpora import lasting_source
from tui_gpt.text.dataset import Corpus
from tui_gpt.training.budget.estimate import calibrate
from tui_gpt.training.budget.precision_trial import with_measured_precision
from tui_gpt.training.budget.time_budget import ESTIMATE, PLAN
from tui_gpt.training.checkpoints.copies import restore_generators, restore_optimizers
from tui_gpt.training.checkpoints.tensors import Checkpoint, read_checkpoint
from tui_gpt.training.checkpoints.writer import read_good, state_of
from tui_gpt.training.compute.device import ComputeDevice
from tui_gpt.training.replay import cut_log
from tui_gpt.training.setup.components import random_generators
from tui_gpt.training.setup.new import prepare_new
from tui_gpt.training.setup.prepared import Prepared, assemble
from tui_gpt.training.setup.restore import original_corpus, restored_model
from tui_gpt.training.state import Snapshot, TrainerState

MACHINE_SETTINGS = frozenset({"device", "precision", "threads", "compile", "val_file"})
"""Settings that can change whenever a run is resumed: the device and how it is used, and the path (not the content) of
the validation text."""


def prepare_resumed(
    run: Run,
    changes: Mapping[str, SettingValue],
    control: Control,
    corpus_source: str | None = None,
    ranks: Ranks = ALONE,
) -> Prepared:
    """Restore `run` from its last checkpoint, as rank 0 of `ranks`; a run without one begins from scratch.

    `corpus_source` is where its text is now, if it has moved. Raises TuiGptError.
    """
    live = _live_changes(changes)
    if not run.ever_saved("last"):
        return _begin_again(run, {**live, **_machine_changes(changes)}, control, corpus_source, ranks)
    control.report("reading the checkpoint")
    checkpoint = read_checkpoint(run.require_checkpoint("last"), training=True)
    info = checkpoint.info
    require_more_steps(run.name, info.step, live.get("max_iters"))
    control.report("reading the text")
    corpus = _same_corpus(
        run, checkpoint, _with_changes(info.config, corpus_source, _machine_changes(changes)), control
    )
    planned = cut_log(run, info)
    here = planned.pop(info.step, {})
    settings = {name: value for name, value in here.items() if name not in (PLAN, ESTIMATE)}
    config = _with_changes(info.config, corpus_source, {**settings, **live, **_machine_changes(changes)})
    state = _restored_state(info, here, live)
    prepared = _restored(config, checkpoint, corpus, state, control, ranks)
    return dataclasses.replace(
        prepared,
        state=state,
        good=_fitting(read_good(run, state), prepared.model),
        planned_changes=planned,
        resume_changes=live,
    )


def _begin_again(
    run: Run, changes: Mapping[str, SettingValue], control: Control, corpus_source: str | None, ranks: Ranks
) -> Prepared:
    """Prepare a run that has no checkpoint yet."""
    config = _with_changes(run.config, corpus_source, changes)
    for source in filter(None, (run.config.corpus, config.train.val_file)):
        lasting_source(source)
    run.log.truncate(-1)
    return prepare_new(config, control, ranks=ranks)


def _restored(
    config: RunConfig, checkpoint: Checkpoint, corpus: Corpus, state: TrainerState, control: Control, ranks: Ranks
) -> Prepared:
    """Return the run with the checkpoint's model, optimizers and random generators."""
    compute = _resumed_device(config, corpus, state, control, ranks)
    budget = config.train.max_seconds if state.follows_clock else None
    step_seconds = calibrate(config, corpus, compute, control, budget).seconds if budget else 1.0
    control.report("counting n-grams")
    model, prior = restored_model(checkpoint, corpus)
    prepared = assemble(config, corpus, model.train(), prior, compute, step_seconds)
    restore_optimizers(prepared.optimizers, checkpoint.training or {})
    restore_generators(random_generators(prepared.replicas), checkpoint.training or {})
    return prepared


def _resumed_device(
    config: RunConfig, corpus: Corpus, state: TrainerState, control: Control, ranks: Ranks
) -> ComputeDevice:
    """Return the device to continue on, in the precision that was measured before, unless the device is of another
    kind."""
    compute = ComputeDevice.of(config.train, ranks)
    for precision in compute.precisions:
        if (state.device, state.precision) == (compute.device.type, precision):
            return compute.with_precision(precision)
    return with_measured_precision(config, corpus, compute, control)


def _with_changes(config: RunConfig, corpus: str | None, changes: Mapping[str, SettingValue]) -> RunConfig:
    """Return `config` with changed settings and, if given, another path of the text."""
    return dataclasses.replace(config, corpus=corpus or config.corpus, train=changed(config.train, changes))


def _same_corpus(run: Run, checkpoint: Checkpoint, config: RunConfig, control: Control) -> Corpus:
    return original_corpus(
        config,
        checkpoint,
        run.name,
        control,
        text_moved="name its new path as CORPUS with --resume",
        validation_moved="name its new path with --val-file and --resume",
        changed=f"start a new run with --init-from {run.name}",
    )


def _live_changes(changes: Mapping[str, SettingValue]) -> dict[str, SettingValue]:
    """Return the changes that concern training itself. Raises IncompatibleError for a setting that cannot change."""
    fixed = sorted(changes.keys() - LIVE_SETTINGS - MACHINE_SETTINGS)
    if fixed:
        raise IncompatibleError(
            f"{fixed[0]} cannot change when a run is resumed: leave it out, or start a new run with --init-from"
        )
    return {name: value for name, value in changes.items() if name in LIVE_SETTINGS}


def _machine_changes(changes: Mapping[str, SettingValue]) -> dict[str, SettingValue]:
    return {name: value for name, value in changes.items() if name in MACHINE_SETTINGS}


def _restored_state(
    info: CheckpointInfo, here: Mapping[str, SettingValue], changes: Mapping[str, SettingValue]
) -> TrainerState:
    """Return the checkpoint's state with the changes logged at its step, `here`, and `changes` to resume with.

    A new time budget counts from now, and so does one that was not used yet; otherwise the run follows its log and not
    the clock. Raises CheckpointError.
    """
    state = state_of(info)
    is_new_budget, all_changes = changes.get("max_seconds") is not None, {**here, **changes}
    state.follows_clock = is_new_budget or info.step == 0
    if all_changes.get("max_seconds") is not None:
        state.budget_step, state.budget_evaluations = info.step, 0
    if is_new_budget or isinstance(here.get(ESTIMATE), int):
        state.estimate_tokens = 0 if is_new_budget else cast(int, here[ESTIMATE])
    max_iters = changes.get("max_iters", here.get(PLAN, here.get("max_iters")))
    if isinstance(max_iters, int):
        state.max_iters = max(max_iters, state.step)
    if "learning_rate" in all_changes:
        state.bad_steps = 0
    return state


def _fitting(good: Snapshot | None, model: LanguageModel) -> Snapshot | None:
    """Return `good` with the model's weights alone; None where it is of another model."""
    if good is None:
        return None
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    weights = {name: tensor for name, tensor in good.weights.items() if tensor.shape == shapes.get(name)}
    return dataclasses.replace(good, weights=weights) if weights.keys() == shapes.keys() else None
