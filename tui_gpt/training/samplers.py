"""Samplers of the PyTorch models, and checkpoints with 8-bit weights."""

from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from typing import Any

from tui_gpt.config import SampleConfig
from tui_gpt.errors import NotFoundError
from tui_gpt.generation.sampler import Sampler
from tui_gpt.models.build import build_model, load_weights
from tui_gpt.storage.checkpoint import read_checkpoint, write_checkpoint
from tui_gpt.storage.quantize import quantized
from tui_gpt.text.tokenizer import CharTokenizer
from tui_gpt.training.checkpoints.prior import PRIOR_PREFIX
from tui_gpt.training.compute.device import using_cores
from tui_gpt.training.live_weights import LiveWeights
from tui_gpt.training.setup.prepared import Prepared
from tui_gpt.training.setup.restore import restored_model

SAMPLE_CHARACTERS = 240
SAMPLE_PROMPT = "\n"
_LIVE_TIMEOUT_SECONDS = 60.0


@using_cores(1)
def open_sampler(folder: Path, name: str) -> Sampler:
    """The model of the checkpoint in `folder`, ready to write. Raises CheckpointError."""
    checkpoint = read_checkpoint(folder)
    model, prior = restored_model(checkpoint)
    return Sampler(
        model,
        CharTokenizer.from_dict(checkpoint.info.tokenizer),
        name=name,
        step=checkpoint.info.step,
        val_loss=checkpoint.info.val_loss,
        val_is_estimate=checkpoint.info.val_is_estimate,
        prior=prior,
    )


def compact_checkpoint(folder: Path) -> None:
    """Bring the weights of the checkpoint in `folder` to eight bits; the prior stays exact.

    Raises CheckpointError, StorageError, DivergedError where a weight is too large.
    """
    checkpoint = read_checkpoint(folder)
    prior = {name for name in checkpoint.weights if name.startswith(PRIOR_PREFIX)}
    write_checkpoint(folder, checkpoint.info, quantized(checkpoint.weights, prior))


@using_cores(1)
def live_sampler(prepared: Prepared, answer: Future[Any], name: str) -> Sampler:
    """The model being trained as it stands between two steps; a copy, so that training does not notice."""
    try:
        live: LiveWeights = answer.result(timeout=_LIVE_TIMEOUT_SECONDS)
    except (CancelledError, FutureTimeoutError) as error:
        raise NotFoundError("the run has just ended: choose it by its name instead") from error
    model = build_model(prepared.config.model, prepared.corpus.tokenizer.vocab_size, seed=0)
    load_weights(model, live.weights)
    model.eval()
    return Sampler(
        model,
        prepared.corpus.tokenizer,
        name=name,
        step=live.step,
        val_loss=live.val_loss,
        val_is_estimate=live.val_is_estimate,
        prior=prepared.prior,
    )


def write_sample(prepared: Prepared, step: int) -> Iterator[str]:
    """Generate the text that a run shows while it trains, in pieces."""
    sampler = Sampler(prepared.model, prepared.corpus.tokenizer, name="sample", step=step, prior=prepared.prior)
    sample = SampleConfig(max_new_tokens=SAMPLE_CHARACTERS, seed=prepared.config.train.seed)
    return (piece.text for piece in sampler.stream(SAMPLE_PROMPT, sample))
