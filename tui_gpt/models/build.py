"""From a configuration to a model, its optimizers and its prior; the one place that knows every architecture."""

import threading
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tui_gpt.config import ModelConfig, TrainConfig
from tui_gpt.errors import CheckpointError, IncompatibleError
from tui_gpt.models.classic import Classic
from tui_gpt.models.ensemble import Ensemble, networks_of
from tui_gpt.models.induction import Induction, folded_case
from tui_gpt.models.modern import Modern, modern_optimizers, ngram_rows
from tui_gpt.prior.ngram import NgramPrior
from tui_gpt.text.tokenizer import CharTokenizer
from tui_gpt.text.windows import Corpus
from tui_gpt.training.budget.memory import windows_per_pass
from tui_gpt.training.device import ComputeDevice
from tui_gpt.training.optim.adamw import AdamW, Optimizer
from tui_gpt.training.replicas import Replicas, share_parameters

PRIOR_PREFIX = "prior."

POSITIONS_AT_ONCE = 4_096
"""Characters that a network on a CPU reads in one pass of training."""

NGRAMS_TAKEN = 1_000_000
"""Characters of a text whose n-grams' embeddings are taken over from another model."""

_drawing = threading.Lock()
"""Held while weights are drawn: PyTorch's initialisation takes its numbers from the one generator of the process."""

LanguageModel = Classic | Modern | Ensemble
"""`model(tokens (B, T), targets, prior)` gives logits (B, T, V) and the mean loss."""


def build_model(config: ModelConfig, vocab_size: int, seed: int) -> LanguageModel:
    """A fresh model; equal seeds give equal weights, whatever else has drawn random numbers before or builds a model
    in another thread."""
    with _drawing, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _fresh_model(config, vocab_size)
    model.dropout.generator.manual_seed(seed)
    return model


def _fresh_model(config: ModelConfig, vocab_size: int) -> LanguageModel:
    if config.architecture == "classic":
        return Classic(config, vocab_size)
    return Ensemble(config, vocab_size) if config.networks > 1 else Modern(config, vocab_size)


def set_case_folding(model: LanguageModel, tokenizer: CharTokenizer) -> None:
    """Let a model that compares characters know which of its numbers are the same letter in either case."""
    for module in model.modules():
        if isinstance(module, Induction):
            module.folded.copy_(folded_case(tokenizer.characters))


def build_optimizers(model: LanguageModel, config: TrainConfig, replicas: Replicas | None = None) -> list[Optimizer]:
    """Return the optimizers of all parameters, which may use the threads of `replicas`; each group's `lr_scale` is its
    rate as a multiple of the run's learning rate."""
    if not isinstance(model, Classic) and config.optimizer == "muon":
        return modern_optimizers(networks_of(model), config, replicas)
    decayed = [parameter for parameter in model.parameters() if parameter.ndim >= 2]
    plain = [parameter for parameter in model.parameters() if parameter.ndim < 2]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay, "lr_scale": 1.0},
        {"params": plain, "weight_decay": 0.0, "lr_scale": 1.0},
    ]
    used = [group for group in groups if group["params"]]
    return [AdamW(used, lr=config.learning_rate, betas=(config.beta1, config.beta2))]


def build_replicas(model: LanguageModel, config: TrainConfig, compute: ComputeDevice) -> Replicas:
    """Return `model` and its replicas, each with its own dropout.

    Where there is one replica per core, each has one thread of this program and PyTorch makes none of its own: idle
    OpenMP threads wait in a loop and take the cores from other programs.
    """
    count = compute.replica_count(config)
    torch.set_num_threads(max(1, compute.cores // count))
    models = [model]
    for number in range(1, count):
        replica = build_model(model.config, model.vocab_size, config.seed + number)
        share_parameters(model, replica)
        models.append(replica)
    return Replicas(
        models,
        compute.device,
        max(1, compute.cores // count),
        _windows_per_pass(model, compute, count),
        model.config.networks,
    )


def _windows_per_pass(model: LanguageModel, compute: ComputeDevice, replicas: int) -> int | None:
    """Return how many windows go through a replica on a CPU together: what is computed of more does not stay in its
    caches, or not in memory. A committee's are shared out among its members anyway."""
    if compute.device.type != "cpu":
        return None
    in_memory = windows_per_pass(model.config, model.vocab_size, replicas)
    if model.config.networks > 1:
        return in_memory
    return min(in_memory, max(1, POSITIONS_AT_ONCE // model.config.block_size))


def random_generators(replicas: Replicas) -> dict[str, torch.Generator]:
    """Every private source of randomness in the model's replicas, by name."""
    return {
        f"dropout.{number}": replica.dropout.generator
        for number, replica in enumerate(replicas.models)
        if isinstance(replica, LanguageModel)
    }


def prior_tensors(prior: NgramPrior | None) -> dict[str, Tensor]:
    """What a checkpoint keeps of the prior, under names that no weight has."""
    if prior is None:
        return {}
    return {PRIOR_PREFIX + name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in prior.state().items()}


def split_prior(
    tensors: Mapping[str, Tensor], tokens: np.ndarray | None = None
) -> tuple[dict[str, Tensor], NgramPrior | None]:
    """A checkpoint's tensors as the model's weights and the prior, if there is one; to train on, with the text's
    `tokens`. Raises CheckpointError where they describe no prior."""
    weights = {name: tensor for name, tensor in tensors.items() if not name.startswith(PRIOR_PREFIX)}
    state = {
        name.removeprefix(PRIOR_PREFIX): tensor.numpy()
        for name, tensor in tensors.items()
        if name.startswith(PRIOR_PREFIX)
    }
    try:
        return weights, NgramPrior.from_state(state, tokens) if state else None
    except ValueError as error:
        raise CheckpointError(f"the checkpoint's n-gram prior is damaged: {error}: take another checkpoint") from error


def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Give `model` these weights. Raises IncompatibleError where names or shapes differ."""
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise IncompatibleError(
            "the checkpoint's weights do not fit the model it describes: it was altered, or written by another version"
        ) from error


def transfer_weights(model: LanguageModel, weights: Mapping[str, Tensor], old: CharTokenizer, corpus: Corpus) -> None:
    """Start `model` from `weights` of a model of the same shape whose characters are among the corpus's.

    What belongs to characters the old model did not know stays as it was initialised, and so do n-gram embeddings with
    such a character in them. Raises IncompatibleError where the shapes differ otherwise.
    """
    new = corpus.tokenizer
    places = torch.from_numpy(new.encode(old.characters)).long()
    for name, target in model.state_dict().items():
        source = weights.get(name)
        if source is None or source.ndim != target.ndim:
            raise IncompatibleError("the run to start from has a model of another kind: leave --preset as it was there")
        source = source.to(target.dtype)
        if name.endswith("position_embedding.weight"):
            target.copy_(source[: len(target)])
        elif name.endswith("ngram_embedding.weight") and old != new:
            _take_ngrams(target, source, old, corpus)
        elif not name.endswith("folded"):
            indices = [_places(a, b, places, new.vocab_size) for a, b in zip(source.shape, target.shape, strict=True)]
            target[torch.meshgrid(*indices, indexing="ij") if indices else ...] = source


def _take_ngrams(target: Tensor, source: Tensor, old: CharTokenizer, corpus: Corpus) -> None:
    """Put the embeddings of the n-grams of the new text where they belong: both alphabets number n-grams their own
    way."""
    tokens = corpus.train[:NGRAMS_TAKEN].astype(np.int64)
    to_old = np.full(corpus.tokenizer.vocab_size, -1)
    to_old[corpus.tokenizer.encode(old.characters)] = np.arange(old.vocab_size)
    old_tokens = to_old[tokens]
    rows = ngram_rows(torch.from_numpy(tokens[None]), corpus.tokenizer.vocab_size)[0]
    old_rows = ngram_rows(torch.from_numpy(np.maximum(old_tokens, 0)[None]), old.vocab_size)[0]
    is_known = torch.from_numpy(old_tokens >= 0)
    for n in range(1, 1 + rows.shape[1]):
        is_known = is_known & F.pad(torch.from_numpy(old_tokens >= 0), (n, 0))[: len(tokens)]
        places, first = np.unique(rows[is_known, n - 1].numpy(), return_index=True)
        target[torch.from_numpy(places)] = source[old_rows[is_known, n - 1][torch.from_numpy(first)]]


def _places(old_length: int, new_length: int, places: Tensor, vocab_size: int) -> Tensor:
    """Where one dimension's entries go: each to its own place, or each character's to that character's new one."""
    if old_length == len(places) and new_length == vocab_size:
        return places
    if old_length != new_length:
        raise IncompatibleError("the run to start from has a model of another shape: leave its settings as they are")
    return torch.arange(new_length)
