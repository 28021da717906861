"""Prepares a rank other than 0 from what rank 0 sends: the state of the run, as a checkpoint holds it."""

from tui_gpt.control import Control
from tui_gpt.errors import ConfigError
from tui_gpt.ranks import Ranks
from tui_gpt.training.checkpoints.copies import restore_optimizers
from tui_gpt.training.checkpoints.tensors import Checkpoint
from tui_gpt.training.compute.device import ComputeDevice
from tui_gpt.training.setup.prepared import Prepared, assemble
from tui_gpt.training.setup.restore import original_corpus, restored_model


def prepare_follower(checkpoint: Checkpoint, name: str, ranks: Ranks, control: Control) -> Prepared:
    """Return the run `name` at the state of rank 0, with this rank's copy of the text.

    Raises IncompatibleError where the text is not that of rank 0, ConfigError where the device is not available.
    """
    config, remedy = checkpoint.info.config, f"copy it to the machine of rank {ranks.rank}"
    corpus = original_corpus(
        config, checkpoint, name, control, text_moved=remedy, validation_moved=remedy, changed=remedy
    )
    compute = ComputeDevice.of(config.train, ranks)
    precision = checkpoint.info.extra.get("precision")
    if precision not in compute.precisions:
        raise ConfigError(f"rank {ranks.rank} cannot compute in {precision}, as rank 0 does: choose --precision fp32")
    compute = compute.with_precision(precision)
    model, prior = restored_model(checkpoint, corpus)
    prepared = assemble(config, corpus, model.train(), prior, compute, step_seconds=1.0)
    restore_optimizers(prepared.optimizers, checkpoint.training or {})
    return prepared
