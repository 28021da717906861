"""Measures the loss of record of a checkpoint, on the validation split of the text that it was trained on."""

from pathlib import Path

from tui_gpt.config import TrainConfig
from tui_gpt.control import Control
from tui_gpt.metrics import perplexity
from tui_gpt.requests import Evaluation
from tui_gpt.training.batches import Batches
from tui_gpt.training.checkpoints.tensors import read_checkpoint
from tui_gpt.training.compute.device import ComputeDevice
from tui_gpt.training.evaluation.meter import Meter
from tui_gpt.training.setup.components import build_replicas
from tui_gpt.training.setup.restore import original_corpus, restored_model


def evaluate_checkpoint(folder: Path, name: str, control: Control, machine: TrainConfig) -> Evaluation | None:
    """Return the evaluation of the checkpoint in `folder`, which the user calls `name`; None when asked to stop.

    `machine` holds the device and the number of threads to use: those of the training may not exist here. Raises
    CheckpointError, IncompatibleError where the text has moved or changed.
    """
    checkpoint = read_checkpoint(folder)
    config = checkpoint.info.config
    compute = ComputeDevice.of(machine)
    remedy = "measure any text with --file"
    corpus = original_corpus(
        config, checkpoint, name, control, text_moved=remedy, validation_moved=remedy, changed=remedy
    )
    model, prior = restored_model(checkpoint)
    batches = Batches.of(config, corpus, prior)
    replicas = build_replicas(model.to(compute.device), machine, compute)
    try:
        measured = Meter(model, replicas, batches, compute.device, control).validation(batches.record_tokens)
    finally:
        replicas.close()
    if measured is None:
        return None
    size = corpus.val_size.per_token
    return Evaluation(
        name=name,
        step=checkpoint.info.step,
        val_loss=measured.loss,
        bits_per_char=size.bits_per_char(measured.loss),
        bits_per_byte=size.bits_per_byte(measured.loss),
        perplexity=perplexity(measured.loss),
        val_tokens=batches.record_tokens,
    )
